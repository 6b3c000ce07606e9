package accountsql

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

var _ accounts.Store = (*Accounts)(nil)

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
		if err := add(ctx, tx, c); err != nil {
			return err
		}
		return endTrust(ctx, tx, c.Subject)
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
	if err := ensure(ctx, tx, s); err != nil {
		return false, err
	}
	never := identity.NeverBound
	for _, from := range append(also, never) {
		changed, err := rows.Affected(tx.ExecContext(ctx, setState, enrollment(&to), s.Realm, []byte(s.Name), enrollment(&from)))
		if err != nil || changed > 0 {
			return changed > 0, err
		}
	}
	return false, nil
}

// ensure makes an account for a subject that has none.
func ensure(ctx context.Context, tx Tx, s identity.Subject) error {
	never := identity.NeverBound
	_, err := tx.ExecContext(ctx, addAccount, s.Realm, []byte(s.Name), enrollment(&never))
	return err
}

// AdvanceStep implements accounts.Store.
func (a *Accounts) AdvanceStep(ctx context.Context, credentialID string, step int64, passed bool, now time.Time) error {
	var used int64
	if passed {
		used = rows.Nanos(now)
	}
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		n := rows.Nanos(now)
		changed, err := rows.Affected(tx.ExecContext(ctx, advanceStep, step, used, used, used, credentialID, n, step))
		if err != nil || changed == 1 {
			return err
		}
		var id string
		if err := tx.QueryRowContext(ctx, findCounting, credentialID, n).Scan(&id); err != nil {
			return rows.OrNone(err, accounts.ErrNoCredential)
		}
		return accounts.ErrSpent
	})
}

// NoteUse implements accounts.Store.
func (a *Accounts) NoteUse(ctx context.Context, credentialID string, now time.Time) error {
	n := rows.Nanos(now)
	return a.oneRow(ctx, accounts.ErrNoCredential, noteUse, n, n, credentialID, n)
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

// EndSessions implements accounts.Store.
func (a *Accounts) EndSessions(ctx context.Context, s identity.Subject, from time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		never := identity.NeverBound
		if _, err := tx.ExecContext(ctx, endSessions, s.Realm, []byte(s.Name), enrollment(&never), rows.Nanos(from)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, forgetPasses, s.Realm, []byte(s.Name)); err != nil {
			return err
		}
		return endTrust(ctx, tx, s)
	})
}

// Ended implements accounts.Store.
func (a *Accounts) Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error) {
	var endings int
	n := rows.Nanos(began)
	_, err := a.get(ctx, findEnding, []any{[]byte(id), s.Realm, []byte(s.Name), n, restoredAt, sortable(n)}, &endings)
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
