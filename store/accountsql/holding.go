package accountsql

import (
	"context"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// holding is what a subject has while its account is locked: nobody else
// changes it.
type holding struct {
	state       identity.Enrollment
	credentials []credential
}

// credential is what decides whether one can go.
type credential struct {
	id       string
	factor   identity.Factor
	removeAt time.Time
}

// held runs do with the account locked. A subject without one holds nothing,
// and is NeverBound.
func (a *Accounts) held(ctx context.Context, s identity.Subject, do func(context.Context, Tx, holding) error) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		h, err := hold(ctx, tx, s)
		if err != nil {
			return err
		}
		return do(ctx, tx, h)
	})
}

// alter is held for what changes credentials: with them ends the trust in
// browsers, and a rebinding that is done.
func (a *Accounts) alter(ctx context.Context, s identity.Subject, do func(context.Context, Tx, holding) error) error {
	return a.held(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		if err := do(ctx, tx, h); err != nil {
			return err
		}
		return settle(ctx, tx, s)
	})
}

func hold(ctx context.Context, tx Tx, s identity.Subject) (h holding, err error) {
	h.state = identity.NeverBound
	err = tx.QueryRowContext(ctx, lockAccount, s.Realm, []byte(s.Name)).Scan(enrollment(&h.state))
	if err = rows.OrNone(err, nil); err != nil {
		return h, err
	}
	fields := func(c *credential) []any { return []any{&c.id, &c.factor, rows.At(&c.removeAt)} }
	h.credentials, err = find(ctx, tx, fields, findHeld, s.Realm, []byte(s.Name))
	return h, err
}

func settle(ctx context.Context, tx Tx, s identity.Subject) error {
	if _, err := tx.ExecContext(ctx, endRebinding, s.Realm, []byte(s.Name)); err != nil {
		return err
	}
	return endTrust(ctx, tx, s)
}

func endTrust(ctx context.Context, tx Tx, s identity.Subject) error {
	_, err := tx.ExecContext(ctx, distrust, s.Realm, []byte(s.Name))
	return err
}

// has tells whether all of these are there.
func (h holding) has(ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return h.index(id) < 0 })
}

func (h holding) index(id string) int {
	return slices.IndexFunc(h.credentials, func(c credential) bool { return c.id == id })
}

// spares tells whether the subject can do without a credential: recovery codes
// alone, or what is to be removed, do not count.
func (h holding) spares(id string) error {
	i := h.index(id)
	switch {
	case i < 0:
		return accounts.ErrNoCredential
	case h.credentials[i].factor == identity.Recovery:
		return nil
	}
	if h.without([]string{id}) {
		return nil
	}
	return accounts.ErrLast
}

// without tells whether a factor other than recovery is left, to stay, when
// these ids are gone.
func (h holding) without(ids []string) (left bool) {
	return slices.ContainsFunc(h.credentials, func(c credential) bool {
		return c.factor != identity.Recovery && c.removeAt.IsZero() && !slices.Contains(ids, c.id)
	})
}

func (h holding) ids() (all []string) {
	for _, c := range h.credentials {
		all = append(all, c.id)
	}
	return all
}

// unchanged is until then, or until the first planned removal if that is
// earlier.
func (h holding) unchanged(until time.Time) time.Time {
	for _, c := range h.credentials {
		if !c.removeAt.IsZero() && c.removeAt.Before(until) {
			until = c.removeAt
		}
	}
	return until
}
