package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
)

// Accounts is the file of what must survive. It is itself the store of people.
type Accounts struct{ f *file }

var _ accounts.Store = (*Accounts)(nil)

// OpenAccounts opens the file, which it creates if there is none. A file is
// opened once at a time: a second call is an error, in this process or another.
func OpenAccounts(path string) (*Accounts, error) {
	f, err := open(path, kind{
		name: "accounts", id: 0x53470002, synchronous: "FULL",
		sweeps: []string{sweepSpent, sweepBudgets},
	})
	if err != nil {
		return nil, err
	}
	return &Accounts{f}, nil
}

// Close gives the file free.
func (a *Accounts) Close() error { return a.f.Close() }

// Budgets is the same file as the store of budgets.
func (a *Accounts) Budgets() limits.Store { return budgets(*a) }

// Audit is the same file as the audit trail, for writing and for reading.
func (a *Accounts) Audit() Trail { return Trail(*a) }

// Account implements accounts.Store, in one statement: one moment's truth.
func (a *Accounts) Account(ctx context.Context, s identity.Subject) (accounts.Account, error) {
	rows, err := a.f.reader.QueryContext(ctx, findAccount, s.Realm, []byte(s.Name))
	if err != nil {
		return accounts.Account{}, a.f.fault(err)
	}
	all, err := collect(rows, (*accountRow).fields)
	if err != nil {
		return accounts.Account{}, a.f.fault(err)
	}
	return gather(s, all), nil
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
	return []any{enrollment(&r.state), at{&r.validFrom}, &r.id, &r.factor, &r.label, &r.secret,
		&r.lastStep, &r.boundAt, &r.usedAt}
}

// gather makes one account of its rows. No row at all is a certain answer: the
// subject was never seen.
func gather(s identity.Subject, rows []accountRow) accounts.Account {
	out := accounts.Account{Subject: s, State: identity.NeverBound}
	for _, r := range rows {
		out.State, out.ValidFrom = r.state, r.validFrom
		if !r.id.Valid {
			continue
		}
		out.Credentials = append(out.Credentials, accounts.Credential{
			ID: r.id.String, Subject: s, Factor: identity.Factor(r.factor.String), Name: string(r.label), Secret: r.secret,
			LastStep: r.lastStep.Int64, BoundAt: instant(r.boundAt.Int64), UsedAt: instant(r.usedAt.Int64),
		})
	}
	return out
}

// BindFirst implements accounts.Store.
func (a *Accounts) BindFirst(ctx context.Context, c accounts.Credential) error {
	return a.f.write(ctx, func(tx *sql.Tx) error {
		from, to := identity.NeverBound, identity.Bound
		changed, err := affected(tx.ExecContext(ctx, setState, c.Subject.Realm, []byte(c.Subject.Name), enrollment(&to), enrollment(&from)))
		if err == nil && changed == 0 {
			return accounts.ErrAlreadyBound
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertCredential, c.ID, c.Subject.Realm, []byte(c.Subject.Name), string(c.Factor),
			[]byte(c.Name), c.Secret, c.LastStep, nanos(c.BoundAt), nanos(c.UsedAt))
		return err
	})
}

// AdvanceStep implements accounts.Store.
func (a *Accounts) AdvanceStep(ctx context.Context, credentialID string, step int64, passed bool, now time.Time) error {
	var used int64
	if passed {
		used = nanos(now)
	}
	return a.f.write(ctx, func(tx *sql.Tx) error {
		changed, err := affected(tx.ExecContext(ctx, advanceStep, step, used, used, credentialID, step))
		if err != nil || changed == 1 {
			return err
		}
		return whyNoStep(ctx, tx, credentialID)
	})
}

func whyNoStep(ctx context.Context, tx *sql.Tx, credentialID string) error {
	var last int64
	err := tx.QueryRowContext(ctx, findStep, credentialID).Scan(&last)
	if err == nil {
		return accounts.ErrSpent
	}
	return orNone(err, fmt.Errorf("no credential %q", credentialID))
}

// SpendID implements accounts.Store.
func (a *Accounts) SpendID(ctx context.Context, id string, expires time.Time) error {
	return a.f.write(ctx, func(tx *sql.Tx) error {
		added, err := affected(tx.ExecContext(ctx, spendID, []byte(id), nanos(expires)))
		if err == nil && added == 0 {
			return accounts.ErrSpent
		}
		return err
	})
}

// KnowBrowser implements accounts.Store.
func (a *Accounts) KnowBrowser(ctx context.Context, s identity.Subject, digest []byte, now time.Time) error {
	n := nanos(now)
	return a.f.exec(ctx, knowBrowser, s.Realm, []byte(s.Name), digest, n, n)
}

// Browser implements accounts.Store.
func (a *Accounts) Browser(ctx context.Context, s identity.Subject, digest []byte) (b accounts.Browser, err error) {
	err = a.f.get(ctx, errUnset, findBrowser, []any{s.Realm, []byte(s.Name), digest}, at{&b.PassedAt})
	if errors.Is(err, errUnset) {
		return accounts.Browser{}, nil
	}
	b.Known = true
	return found(b, err)
}

// ForgetPasses implements accounts.Store.
func (a *Accounts) ForgetPasses(ctx context.Context, s identity.Subject) error {
	return a.f.exec(ctx, forgetPasses, s.Realm, []byte(s.Name))
}

// EndSessions implements accounts.Store.
func (a *Accounts) EndSessions(ctx context.Context, s identity.Subject, from time.Time) error {
	return a.f.write(ctx, func(tx *sql.Tx) error {
		never := identity.NeverBound
		if _, err := tx.ExecContext(ctx, endSessions, s.Realm, []byte(s.Name), enrollment(&never), nanos(from)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, forgetPasses, s.Realm, []byte(s.Name))
		return err
	})
}

// Ended implements accounts.Store.
func (a *Accounts) Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error) {
	var endings int
	err := a.f.get(ctx, nil, findEnding, []any{[]byte(id), s.Realm, []byte(s.Name), nanos(began)}, &endings)
	return endings > 0, err
}

// Meta implements accounts.Store.
func (a *Accounts) Meta(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := a.f.get(ctx, errUnset, findMeta, []any{name}, &value)
	if errors.Is(err, errUnset) {
		return nil, nil
	}
	return set(value, err)
}

// SetMetaIfAbsent implements accounts.Store.
func (a *Accounts) SetMetaIfAbsent(ctx context.Context, name string, value []byte) (holds []byte, err error) {
	err = a.f.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, insertMeta, name, append([]byte{}, value...)); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, findMeta, name).Scan(&holds)
	})
	return set(holds, err)
}

var errUnset = errors.New("unset")

// set tells an empty value, which the driver reads as nil, from an unset one.
func set(value []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return append([]byte{}, value...), nil
}
