package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stepgate/stepgate/challenge"
)

type challenges Sessions

func (c challenges) Create(ctx context.Context, r challenge.Record) error {
	return c.f.exec(ctx, insertChallenge, challengeValues(&r)...)
}

func (c challenges) Find(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.get(ctx, challenge.ErrNotFound, findChallenge, []any{id, nanos(now)}, challengeFields(&r)...)
	return found(r, err)
}

func (c challenges) Attempt(ctx context.Context, id string, max int, now time.Time) (left int, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		var spent int
		err := tx.QueryRowContext(ctx, spendAttempt, id, nanos(now), max).Scan(&spent)
		if errors.Is(err, sql.ErrNoRows) {
			return whyNoAttempt(ctx, tx, id, now)
		}
		left = max - spent
		return err
	})
	return found(left, err)
}

func whyNoAttempt(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	var r challenge.Record
	err := tx.QueryRowContext(ctx, findChallenge, id, nanos(now)).Scan(challengeFields(&r)...)
	if err == nil {
		return challenge.ErrExhausted
	}
	return orNone(err, challenge.ErrNotFound)
}

func (c challenges) SetPendingIfAbsent(ctx context.Context, id string, p challenge.Pending, now time.Time) (holds challenge.Pending, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		n := nanos(now)
		if _, err := tx.ExecContext(ctx, setPending, p.ID, p.Key, nanos(p.ExpiresAt), id, n, n); err != nil {
			return err
		}
		return orNone(tx.QueryRowContext(ctx, findPending, id, n).
			Scan(pendingFields(&holds)...), challenge.ErrNotFound)
	})
	return found(holds, err)
}

func (c challenges) Take(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		return orNone(tx.QueryRowContext(ctx, takeChallenge, id, nanos(now)).
			Scan(challengeFields(&r)...), challenge.ErrNotFound)
	})
	return found(r, err)
}

// challengeValues and challengeFields are in the order of challengeColumns.
func challengeValues(r *challenge.Record) []any {
	return []any{r.ID, r.Session[:], r.Subject.Realm, r.Subject.Name, r.Site, string(r.Purpose), r.Reference,
		r.Enroll, r.ReturnTo, r.Escrow, nanos(r.CreatedAt), nanos(r.ExpiresAt), r.Attempts,
		r.Pending.ID, r.Pending.Key, nanos(r.Pending.ExpiresAt)}
}

func challengeFields(r *challenge.Record) []any {
	return append([]any{&r.ID, fixed(r.Session[:]), &r.Subject.Realm, &r.Subject.Name, &r.Site, &r.Purpose, &r.Reference,
		&r.Enroll, &r.ReturnTo, &r.Escrow, at{&r.CreatedAt}, at{&r.ExpiresAt}, &r.Attempts},
		pendingFields(&r.Pending)...)
}

func pendingFields(p *challenge.Pending) []any {
	return []any{&p.ID, &p.Key, at{&p.ExpiresAt}}
}
