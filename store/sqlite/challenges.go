package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/store/rows"
)

type challenges Sessions

func (c challenges) Create(ctx context.Context, r challenge.Record) error {
	return c.f.exec(ctx, insertChallenge, challengeValues(&r)...)
}

func (c challenges) Find(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.get(ctx, challenge.ErrNotFound, findChallenge, []any{id, rows.Nanos(now)}, challengeFields(&r)...)
	return rows.Whole(r, err)
}

func (c challenges) Attempt(ctx context.Context, id string, max int, now time.Time) (left int, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		var spent int
		err := tx.QueryRowContext(ctx, spendAttempt, id, rows.Nanos(now), max).Scan(&spent)
		if errors.Is(err, sql.ErrNoRows) {
			return whyNoAttempt(ctx, tx, id, now)
		}
		left = max - spent
		return err
	})
	return rows.Whole(left, err)
}

func whyNoAttempt(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	var r challenge.Record
	err := tx.QueryRowContext(ctx, findChallenge, id, rows.Nanos(now)).Scan(challengeFields(&r)...)
	if err == nil {
		return challenge.ErrExhausted
	}
	return rows.OrNone(err, challenge.ErrNotFound)
}

func (c challenges) SetPendingIfAbsent(ctx context.Context, id string, p challenge.Pending, now time.Time) (holds challenge.Pending, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		n := rows.Nanos(now)
		if _, err := tx.ExecContext(ctx, setPending, p.ID, p.Key, rows.Nanos(p.ExpiresAt), id, n, n); err != nil {
			return err
		}
		return rows.OrNone(tx.QueryRowContext(ctx, findPending, id, n).
			Scan(pendingFields(&holds)...), challenge.ErrNotFound)
	})
	return rows.Whole(holds, err)
}

func (c challenges) Take(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		return rows.OrNone(tx.QueryRowContext(ctx, takeChallenge, id, rows.Nanos(now)).
			Scan(challengeFields(&r)...), challenge.ErrNotFound)
	})
	return rows.Whole(r, err)
}

// challengeValues and challengeFields are in the order of challengeColumns.
func challengeValues(r *challenge.Record) []any {
	return []any{r.ID, r.Session[:], r.Subject.Realm, r.Subject.Name, r.Site, string(r.Purpose), r.Reference,
		r.Enroll, r.ReturnTo, r.Escrow, rows.Nanos(r.CreatedAt), rows.Nanos(r.ExpiresAt), r.Attempts,
		r.Pending.ID, r.Pending.Key, rows.Nanos(r.Pending.ExpiresAt)}
}

func challengeFields(r *challenge.Record) []any {
	return append([]any{&r.ID, rows.Fixed(r.Session[:]), &r.Subject.Realm, &r.Subject.Name, &r.Site, &r.Purpose, &r.Reference,
		&r.Enroll, &r.ReturnTo, &r.Escrow, rows.At(&r.CreatedAt), rows.At(&r.ExpiresAt), &r.Attempts},
		pendingFields(&r.Pending)...)
}

func pendingFields(p *challenge.Pending) []any {
	return []any{&p.ID, &p.Key, rows.At(&p.ExpiresAt)}
}
