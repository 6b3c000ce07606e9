package accountsql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

var _ accounts.Store = (*Accounts)(nil)

// Account implements accounts.Store, in one statement: one moment's truth.
func (a *Accounts) Account(ctx context.Context, s identity.Subject) (accounts.Account, error) {
	var all []accountRow
	err := a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, (*accountRow).fields, findAccount, s.Realm, []byte(s.Name))
		return err
	})
	return rows.Whole(gather(s, all), err)
}

// accountRow is an account beside one of its credentials, or beside none.
type accountRow struct {
	state         identity.Enrollment
	validFrom     time.Time
	id, factor    sql.NullString
	label, secret []byte
	lastStep      sql.NullInt64
	boundAt       sql.NullInt64
	usedAt        sql.NullInt64
}

func (r *accountRow) fields() []any {
	return []any{enrollment(&r.state), rows.At(&r.validFrom), &r.id, &r.factor, &r.label, &r.secret,
		&r.lastStep, &r.boundAt, &r.usedAt}
}

// gather makes one account of its rows. No row at all is a certain answer: the
// subject was never seen.
func gather(s identity.Subject, all []accountRow) accounts.Account {
	out := accounts.Account{Subject: s, State: identity.NeverBound}
	for _, r := range all {
		out.State, out.ValidFrom = r.state, r.validFrom
		if !r.id.Valid {
			continue
		}
		out.Credentials = append(out.Credentials, accounts.Credential{
			ID: r.id.String, Subject: s, Factor: identity.Factor(r.factor.String), Name: string(r.label), Secret: r.secret,
			LastStep: r.lastStep.Int64, BoundAt: rows.Instant(r.boundAt.Int64), UsedAt: rows.Instant(r.usedAt.Int64),
		})
	}
	return out
}

// BindFirst implements accounts.Store.
func (a *Accounts) BindFirst(ctx context.Context, c accounts.Credential, also ...identity.Enrollment) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		changed, err := change(ctx, tx, c.Subject, identity.Bound, also...)
		if err == nil && !changed {
			return accounts.ErrAlreadyBound
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertCredential, c.ID, c.Subject.Realm, []byte(c.Subject.Name), string(c.Factor),
			[]byte(c.Name), c.Secret, c.LastStep, rows.Nanos(c.BoundAt), rows.Nanos(c.UsedAt))
		return err
	})
}

// NoteFederated implements accounts.Store.
func (a *Accounts) NoteFederated(ctx context.Context, s identity.Subject) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		_, err := change(ctx, tx, s, identity.Federated)
		return err
	})
}

// change moves a subject that is NeverBound, which may mean that it has no row
// yet, or in another of these states.
func change(ctx context.Context, tx Tx, s identity.Subject, to identity.Enrollment, also ...identity.Enrollment) (bool, error) {
	never := identity.NeverBound
	if _, err := tx.ExecContext(ctx, addAccount, s.Realm, []byte(s.Name), enrollment(&never)); err != nil {
		return false, err
	}
	for _, from := range append(also, never) {
		changed, err := rows.Affected(tx.ExecContext(ctx, setState, enrollment(&to), s.Realm, []byte(s.Name), enrollment(&from)))
		if err != nil || changed > 0 {
			return changed > 0, err
		}
	}
	return false, nil
}

// AdvanceStep implements accounts.Store.
func (a *Accounts) AdvanceStep(ctx context.Context, credentialID string, step int64, passed bool, now time.Time) error {
	var used int64
	if passed {
		used = rows.Nanos(now)
	}
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		changed, err := rows.Affected(tx.ExecContext(ctx, advanceStep, step, used, used, credentialID, step))
		if err != nil || changed == 1 {
			return err
		}
		return whyNoStep(ctx, tx, credentialID)
	})
}

func whyNoStep(ctx context.Context, tx Tx, credentialID string) error {
	var last int64
	err := tx.QueryRowContext(ctx, findStep, credentialID).Scan(&last)
	if err == nil {
		return accounts.ErrSpent
	}
	return rows.OrNone(err, fmt.Errorf("no credential %q", credentialID))
}

// SpendID implements accounts.Store.
func (a *Accounts) SpendID(ctx context.Context, id string, expires time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		added, err := rows.Affected(tx.ExecContext(ctx, spendID, []byte(id), rows.Nanos(expires)))
		if err == nil && added == 0 {
			return accounts.ErrSpent
		}
		return err
	})
}

// KnowBrowser implements accounts.Store.
func (a *Accounts) KnowBrowser(ctx context.Context, s identity.Subject, digest []byte, now time.Time) error {
	n := rows.Nanos(now)
	return a.exec(ctx, knowBrowser, s.Realm, []byte(s.Name), digest, n, n)
}

// Browser implements accounts.Store.
func (a *Accounts) Browser(ctx context.Context, s identity.Subject, digest []byte) (b accounts.Browser, err error) {
	b.Known, err = a.get(ctx, findBrowser, []any{s.Realm, []byte(s.Name), digest}, rows.At(&b.PassedAt))
	return rows.Whole(b, err)
}

// ForgetPasses implements accounts.Store.
func (a *Accounts) ForgetPasses(ctx context.Context, s identity.Subject) error {
	return a.exec(ctx, forgetPasses, s.Realm, []byte(s.Name))
}

// EndSessions implements accounts.Store.
func (a *Accounts) EndSessions(ctx context.Context, s identity.Subject, from time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		never := identity.NeverBound
		if _, err := tx.ExecContext(ctx, endSessions, s.Realm, []byte(s.Name), enrollment(&never), rows.Nanos(from)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, forgetPasses, s.Realm, []byte(s.Name))
		return err
	})
}

// Ended implements accounts.Store.
func (a *Accounts) Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error) {
	var endings int
	_, err := a.get(ctx, findEnding, []any{[]byte(id), s.Realm, []byte(s.Name), rows.Nanos(began)}, &endings)
	return endings > 0, err
}

// Meta implements accounts.Store.
func (a *Accounts) Meta(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	there, err := a.get(ctx, findMeta, []any{name}, &value)
	if !there {
		return nil, err
	}
	return set(value, err)
}

// SetMetaIfAbsent implements accounts.Store.
func (a *Accounts) SetMetaIfAbsent(ctx context.Context, name string, value []byte) (holds []byte, err error) {
	err = a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if _, err := tx.ExecContext(ctx, insertMeta, name, append([]byte{}, value...)); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, findMeta, name).Scan(&holds)
	})
	return set(holds, err)
}

// set tells an empty value, which the driver reads as nil, from an unset one.
func set(value []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return append([]byte{}, value...), nil
}

// enrollment stores and reads a state.
func enrollment(e *identity.Enrollment) rows.Column {
	return rows.Words(e, map[identity.Enrollment]string{
		identity.NeverBound: "never_bound",
		identity.Bound:      "bound",
		identity.Reset:      "reset",
		identity.Federated:  "federated",
	})
}
