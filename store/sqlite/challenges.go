package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

type challenges Sessions

func (c challenges) Create(ctx context.Context, r challenge.Record) error {
	return c.f.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, insertChallenge, challengeValues(&r)...); err != nil {
			return err
		}
		for _, p := range r.Parts {
			if _, err := tx.ExecContext(ctx, putPart, partValues(&p, r.ID, time.Time{})...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Find reads a challenge and its parts as they are at one instant.
func (c challenges) Find(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.read(ctx, func(tx *sql.Tx) error {
		r, err = wholeChallenge(ctx, tx, id, now)
		return err
	})
	return rows.Whole(r, err)
}

func wholeChallenge(ctx context.Context, tx *sql.Tx, id string, now time.Time) (r challenge.Record, err error) {
	if err := tx.QueryRowContext(ctx, findChallenge, id, rows.Nanos(now)).Scan(challengeFields(&r)...); err != nil {
		return r, rows.OrNone(err, challenge.ErrNotFound)
	}
	found, err := tx.QueryContext(ctx, findParts, id)
	if err != nil {
		return r, err
	}
	parts, err := rows.Collect(found, partFields)
	if len(parts) > 0 {
		r.Parts = make(map[string]challenge.Part, len(parts))
	}
	for _, p := range parts {
		r.Parts[p.Name] = p
	}
	return r, err
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
	if _, err := wholeChallenge(ctx, tx, id, now); err != nil {
		return err
	}
	return challenge.ErrExhausted
}

func (c challenges) KeepPart(ctx context.Context, id string, p challenge.Part, now time.Time) (holds challenge.Part, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		if _, err := wholeChallenge(ctx, tx, id, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, keepPart, append(partValues(&p, id, now), rows.Nanos(now))...); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, findPart, id, p.Name).Scan(partFields(&holds)...)
	})
	return rows.Whole(holds, err)
}

func (c challenges) PutPart(ctx context.Context, id string, p challenge.Part, now time.Time) error {
	return c.change(ctx, putPart, partValues(&p, id, now)...)
}

func (c challenges) TakePart(ctx context.Context, id, name, partID string, now time.Time) (p challenge.Part, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		n := rows.Nanos(now)
		return rows.OrNone(tx.QueryRowContext(ctx, takePart, id, name, partID, n, n).
			Scan(partFields(&p)...), challenge.ErrNotFound)
	})
	return rows.Whole(p, err)
}

func (c challenges) Open(ctx context.Context, id, by string, worth identity.Strength, now time.Time) error {
	return c.change(ctx, openGate, by, strength(&worth), id, rows.Nanos(now))
}

// change is a write that changes one row, of a challenge that is there.
func (c challenges) change(ctx context.Context, query string, args ...any) error {
	return c.f.write(ctx, func(tx *sql.Tx) error {
		changed, err := rows.Affected(tx.ExecContext(ctx, query, args...))
		if err == nil && changed == 0 {
			return challenge.ErrNotFound
		}
		return err
	})
}

func (c challenges) Take(ctx context.Context, id string, now time.Time) (r challenge.Record, err error) {
	err = c.f.write(ctx, func(tx *sql.Tx) error {
		if r, err = wholeChallenge(ctx, tx, id, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, deleteChallenge, id)
		return err
	})
	return rows.Whole(r, err)
}

// challengeValues and challengeFields are in the order of challengeColumns.
func challengeValues(r *challenge.Record) []any {
	return []any{r.ID, r.Session[:], r.Subject.Realm, r.Subject.Name, r.Site, string(r.Purpose), r.Reference,
		r.Enroll, string(r.Gate), r.Opened, string(r.Binds), r.Instead, strength(&r.Strength), r.ReturnTo, r.Escrow,
		rows.Nanos(r.CreatedAt), rows.Nanos(r.ExpiresAt), r.Attempts}
}

func challengeFields(r *challenge.Record) []any {
	return []any{&r.ID, rows.Fixed(r.Session[:]), &r.Subject.Realm, &r.Subject.Name, &r.Site, &r.Purpose, &r.Reference,
		&r.Enroll, &r.Gate, &r.Opened, &r.Binds, &r.Instead, strength(&r.Strength), &r.ReturnTo, &r.Escrow,
		rows.At(&r.CreatedAt), rows.At(&r.ExpiresAt), &r.Attempts}
}

// partValues are those of putPart: a part, of a challenge that counts at now.
func partValues(p *challenge.Part, id string, now time.Time) []any {
	return []any{p.Name, p.ID, p.Data, rows.Nanos(p.ExpiresAt), id, rows.Nanos(now)}
}

// partFields are in the order of partColumns.
func partFields(p *challenge.Part) []any {
	return []any{&p.Name, &p.ID, &p.Data, rows.At(&p.ExpiresAt)}
}
