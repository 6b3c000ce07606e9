package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
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
		[]any{id[:], nanos(now), nanos(now)}, sessionFields(&r)...)
	return found(r, err)
}

// found keeps half-read records from being used.
func found[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// Replace implements sessions.Store.
func (s *Sessions) Replace(ctx context.Context, old sessions.ID, r sessions.Record) error {
	return s.f.write(ctx, func(tx *sql.Tx) error {
		var ended sessions.Record
		if err := orNone(tx.QueryRowContext(ctx, endSession, old[:]).
			Scan(sessionFields(&ended)...), sessions.ErrNotFound); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertSession, sessionValues(&r)...)
		return err
	})
}

// Touch implements sessions.Store.
func (s *Sessions) Touch(ctx context.Context, id sessions.ID, seen time.Time) error {
	n := nanos(seen)
	return s.f.exec(ctx, touchSession, n, id[:], n, n)
}

// End implements sessions.Store.
func (s *Sessions) End(ctx context.Context, id sessions.ID) (r sessions.Record, err error) {
	err = s.f.write(ctx, func(tx *sql.Tx) error {
		return orNone(tx.QueryRowContext(ctx, endSession, id[:]).
			Scan(sessionFields(&r)...), sessions.ErrNotFound)
	})
	return found(r, err)
}

// EndSubject implements sessions.Store.
func (s *Sessions) EndSubject(ctx context.Context, who identity.Subject) (ids []sessions.ID, err error) {
	err = s.f.write(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, endSubject, who.Realm, who.Name)
		if err != nil {
			return err
		}
		ids, err = collect(rows, func(id *sessions.ID) []any { return []any{fixed(id[:])} })
		return err
	})
	return found(ids, err)
}

// collect reads all rows.
func collect[T any](rows *sql.Rows, fields func(*T) []any) (all []T, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one T
		if err := rows.Scan(fields(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// sessionValues and sessionFields are in the order of sessionColumns.
func sessionValues(r *sessions.Record) []any {
	return []any{r.ID[:], r.Family[:], r.Site, r.Source, r.Subject.Realm, r.Subject.Name,
		level(&r.Level), list{&r.AMR}, nanos(r.BeganAt), nanos(r.AuthTime), nanos(r.SeenAt), nanos(r.ExpiresAt),
		int64(r.Idle), r.Challenge, r.Waiting, list{&r.Bound}, r.Address, r.Browser}
}

func sessionFields(r *sessions.Record) []any {
	return []any{fixed(r.ID[:]), fixed(r.Family[:]), &r.Site, &r.Source, &r.Subject.Realm, &r.Subject.Name,
		level(&r.Level), list{&r.AMR}, at{&r.BeganAt}, at{&r.AuthTime}, at{&r.SeenAt}, at{&r.ExpiresAt},
		&r.Idle, &r.Challenge, &r.Waiting, list{&r.Bound}, &r.Address, &r.Browser}
}
