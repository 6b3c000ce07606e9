package accountsql

import (
	"context"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

var _ accounts.Factors = (*Accounts)(nil)

// Bind implements accounts.Factors.
func (a *Accounts) Bind(ctx context.Context, c accounts.Credential, instead ...string) error {
	return a.alter(ctx, c.Subject, func(ctx context.Context, tx Tx, h holding) error {
		switch {
		case h.state != identity.Bound:
			return accounts.ErrNotBound
		case !h.has(instead...):
			return accounts.ErrNoCredential
		}
		if err := drop(ctx, tx, c.Subject, instead...); err != nil {
			return err
		}
		return add(ctx, tx, c)
	})
}

// Rename implements accounts.Factors.
func (a *Accounts) Rename(ctx context.Context, s identity.Subject, id, name string) error {
	return a.oneRow(ctx, accounts.ErrNoCredential, renameCredential, []byte(name), id, s.Realm, []byte(s.Name))
}

// Remove implements accounts.Factors.
func (a *Accounts) Remove(ctx context.Context, s identity.Subject, id string) error {
	return a.alter(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		if err := h.spares(id); err != nil {
			return err
		}
		return drop(ctx, tx, s, id)
	})
}

// PlanRemoval implements accounts.Factors. The trust in browsers ends with the
// credential, whether or not anybody acts then.
func (a *Accounts) PlanRemoval(ctx context.Context, s identity.Subject, id string, at time.Time) error {
	if at.IsZero() {
		return a.oneRow(ctx, accounts.ErrNoCredential, planRemoval, 0, id, s.Realm, []byte(s.Name))
	}
	return a.held(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		if err := h.spares(id); err != nil {
			return err
		}
		n := rows.Nanos(at)
		if _, err := tx.ExecContext(ctx, planRemoval, n, id, s.Realm, []byte(s.Name)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, shortenTrust, n, s.Realm, []byte(s.Name), n)
		return err
	})
}

// Prefer implements accounts.Factors.
func (a *Accounts) Prefer(ctx context.Context, s identity.Subject, f identity.Factor) error {
	return a.exec(ctx, prefer, string(f), s.Realm, []byte(s.Name))
}

// Notice implements accounts.Factors.
func (a *Accounts) Notice(ctx context.Context, s identity.Subject, until time.Time) error {
	return a.exec(ctx, noticeCredential, s.Realm, []byte(s.Name), rows.Nanos(until))
}

// add inserts a credential. That of a contact needs the contact.
func add(ctx context.Context, tx Tx, c accounts.Credential) error {
	if c.Factor.Sent() {
		var there int
		err := tx.QueryRowContext(ctx, ownContact, c.ID, c.Subject.Realm, []byte(c.Subject.Name), string(c.Factor)).Scan(&there)
		if err == nil && there == 0 {
			err = accounts.ErrNoContact
		}
		if err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, insertCredential, credentialValues(c)...)
	return err
}

// drop deletes credentials, and the codes of one of recovery.
func drop(ctx context.Context, tx Tx, s identity.Subject, ids ...string) error {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if _, err := tx.ExecContext(ctx, deleteCredential, id, s.Realm, []byte(s.Name)); err != nil {
			return err
		}
	}
	return nil
}
