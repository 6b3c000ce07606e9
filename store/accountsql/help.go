package accountsql

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

var _ accounts.Help = (*Accounts)(nil)

// Search implements accounts.Help.
func (a *Accounts) Search(ctx context.Context, realm, part, after string, limit int) (all []identity.Subject, err error) {
	limit = max(limit, 0)
	one := []any{realm, []byte(after), []byte(part), limit}
	fields := func(s *identity.Subject) []any {
		s.Realm = realm
		return []any{&s.Name}
	}
	err = a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, fields, search(a.db.Within("?", "name")), append(append(one, one...), limit)...)
		return err
	})
	return rows.Whole(all, err)
}

// ResetFactors implements accounts.Help.
func (a *Accounts) ResetFactors(ctx context.Context, s identity.Subject, ids ...string) error {
	return a.alter(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		switch {
		case !h.has(ids...):
			return accounts.ErrNoCredential
		case len(ids) > 0 && h.without(ids):
			return drop(ctx, tx, s, ids...)
		}
		if err := drop(ctx, tx, s, h.ids()...); err != nil {
			return err
		}
		bound, reset := identity.Bound, identity.Reset
		_, err := tx.ExecContext(ctx, setState, enrollment(&reset), s.Realm, []byte(s.Name), enrollment(&bound))
		return err
	})
}

// SetLocked implements accounts.Help.
func (a *Accounts) SetLocked(ctx context.Context, s identity.Subject, at time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if err := ensure(ctx, tx, s); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, setLocked, rows.Nanos(at), s.Realm, []byte(s.Name))
		return err
	})
}

// RequireRebinding implements accounts.Help.
func (a *Accounts) RequireRebinding(ctx context.Context, s identity.Subject, from time.Time) error {
	return a.held(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		if h.state != identity.Bound {
			return accounts.ErrNotBound
		}
		if _, err := tx.ExecContext(ctx, requireRebinding, rows.Nanos(from), s.Realm, []byte(s.Name)); err != nil {
			return err
		}
		return endTrust(ctx, tx, s)
	})
}

// IssueTicket implements accounts.Help.
func (a *Accounts) IssueTicket(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if err := ensure(ctx, tx, s); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, issueTicket, s.Realm, []byte(s.Name), digest, rows.Nanos(expires))
		return err
	})
}

// VoidTicket implements accounts.Help.
func (a *Accounts) VoidTicket(ctx context.Context, s identity.Subject) error {
	return a.exec(ctx, voidTicket, s.Realm, []byte(s.Name))
}

// RedeemTicket implements accounts.Help.
func (a *Accounts) RedeemTicket(ctx context.Context, s identity.Subject, digest []byte, now time.Time) error {
	return a.oneRow(ctx, accounts.ErrNoTicket, redeemTicket, s.Realm, []byte(s.Name), digest, rows.Nanos(now))
}
