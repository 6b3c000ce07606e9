package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/rows"
)

// Sessions is the file of what may be lost with the machine. It is itself the
// store of sessions.
type Sessions struct{ f *file }

var _ sessions.Store = (*Sessions)(nil)

// OpenSessions opens the file, which it creates if there is none. A file is
// opened once at a time: a second call is an error, in this process or another.
func OpenSessions(path string) (*Sessions, error) {
	f, err := open(path, kind{
		name: "sessions", id: 0x53470001, synchronous: "NORMAL",
		sweeps: []string{sweepSessions, sweepChallenges, sweepEscrows},
	})
	if err != nil {
		return nil, err
	}
	return &Sessions{f}, nil
}

// Close gives the file free.
func (s *Sessions) Close() error { return s.f.Close() }

// Challenges is the same file as the store of challenges.
func (s *Sessions) Challenges() challenge.Store { return challenges(*s) }

// Escrows is the same file as the store of escrows.
func (s *Sessions) Escrows() escrow.Store { return escrows(*s) }

// Create implements sessions.Store.
func (s *Sessions) Create(ctx context.Context, r sessions.Record) error {
	return s.f.exec(ctx, insertSession, sessionValues(&r)...)
}

// Find implements sessions.Store.
func (s *Sessions) Find(ctx context.Context, id sessions.ID, now time.Time) (r sessions.Record, err error) {
	err = s.f.get(ctx, sessions.ErrNotFound, findSession,
		[]any{id[:], rows.Nanos(now), rows.Nanos(now)}, sessionFields(&r)...)
	return rows.Whole(r, err)
}

// Replace implements sessions.Store.
func (s *Sessions) Replace(ctx context.Context, old sessions.ID, r sessions.Record) error {
	return s.f.write(ctx, func(tx *sql.Tx) error {
		var ended sessions.Record
		if err := rows.OrNone(tx.QueryRowContext(ctx, endSession, old[:]).
			Scan(sessionFields(&ended)...), sessions.ErrNotFound); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertSession, sessionValues(&r)...)
		return err
	})
}

// Touch implements sessions.Store, in one transaction.
func (s *Sessions) Touch(ctx context.Context, seen map[sessions.ID]time.Time) error {
	return s.f.write(ctx, func(tx *sql.Tx) error {
		for id, at := range seen {
			n := rows.Nanos(at)
			if _, err := tx.ExecContext(ctx, touchSession, n, id[:], n, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// End implements sessions.Store.
func (s *Sessions) End(ctx context.Context, id sessions.ID) (r sessions.Record, err error) {
	err = s.f.write(ctx, func(tx *sql.Tx) error {
		return rows.OrNone(tx.QueryRowContext(ctx, endSession, id[:]).
			Scan(sessionFields(&r)...), sessions.ErrNotFound)
	})
	return rows.Whole(r, err)
}

// List implements sessions.Store.
func (s *Sessions) List(ctx context.Context, who identity.Subject, now time.Time) (all []sessions.Record, err error) {
	err = s.f.write(ctx, func(tx *sql.Tx) error {
		found, err := tx.QueryContext(ctx, listSessions, who.Realm, who.Name, rows.Nanos(now), rows.Nanos(now))
		if err != nil {
			return err
		}
		all, err = rows.Collect(found, sessionFields)
		return err
	})
	return rows.Whole(all, err)
}

// EndSubject implements sessions.Store.
func (s *Sessions) EndSubject(ctx context.Context, who identity.Subject) (ids []sessions.ID, err error) {
	err = s.f.write(ctx, func(tx *sql.Tx) error {
		ended, err := tx.QueryContext(ctx, endSubject, who.Realm, who.Name)
		if err != nil {
			return err
		}
		ids, err = rows.Collect(ended, func(id *sessions.ID) []any { return []any{rows.Fixed(id[:])} })
		return err
	})
	return rows.Whole(ids, err)
}

// sessionValues and sessionFields are in the order of sessionColumns.
func sessionValues(r *sessions.Record) []any {
	return []any{r.ID[:], r.Family[:], r.Site, r.Source, r.Subject.Realm, r.Subject.Name,
		level(&r.Level), rows.List(&r.AMR), rows.Nanos(r.BeganAt), rows.Nanos(r.AuthTime), rows.Nanos(r.SeenAt), rows.Nanos(r.ExpiresAt),
		int64(r.Idle), r.Challenge, r.Waiting, rows.List(&r.Bound), r.Address, r.Browser, rows.List(&r.Groups), r.Passed, strength(&r.Strength)}
}

func sessionFields(r *sessions.Record) []any {
	return []any{rows.Fixed(r.ID[:]), rows.Fixed(r.Family[:]), &r.Site, &r.Source, &r.Subject.Realm, &r.Subject.Name,
		level(&r.Level), rows.List(&r.AMR), rows.At(&r.BeganAt), rows.At(&r.AuthTime), rows.At(&r.SeenAt), rows.At(&r.ExpiresAt),
		&r.Idle, &r.Challenge, &r.Waiting, rows.List(&r.Bound), &r.Address, &r.Browser, rows.List(&r.Groups), &r.Passed, strength(&r.Strength)}
}

// level stores and reads a level.
func level(l *identity.Level) rows.Column {
	return rows.Words(l, map[identity.Level]string{
		identity.None:        identity.None.String(),
		identity.FirstFactor: identity.FirstFactor.String(),
		identity.Verified:    identity.Verified.String(),
	})
}

// strength stores and reads a strength.
func strength(s *identity.Strength) rows.Column {
	return rows.Words(s, map[identity.Strength]string{
		identity.Unproved:  "unproved",
		identity.Mailbox:   "mailbox",
		identity.Telephone: "telephone",
		identity.Device:    "device",
		identity.Key:       "key",
	})
}
