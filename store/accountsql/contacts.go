package accountsql

import (
	"bytes"
	"context"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// PutContact implements accounts.Factors.
func (a *Accounts) PutContact(ctx context.Context, c accounts.Contact, old string, only ...identity.Enrollment) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if err := ensure(ctx, tx, c.Subject); err != nil {
			return err
		}
		h, err := hold(ctx, tx, c.Subject)
		if err != nil {
			return err
		}
		if len(only) > 0 && !slices.Contains(only, h.state) {
			return accounts.ErrAlreadyBound
		}
		if err := replaceable(ctx, tx, c, old); err != nil {
			return err
		}
		if err := a.shareable(ctx, tx, c); err != nil {
			return err
		}
		if err := putContact(ctx, tx, c, old); err != nil || !h.has(old) {
			return err
		}
		return moveTo(ctx, tx, c, old)
	})
}

// replaceable tells whether the contact of this kind is still the old one.
func replaceable(ctx context.Context, tx Tx, c accounts.Contact, old string) error {
	var is string
	err := tx.QueryRowContext(ctx, findContact, c.Subject.Realm, []byte(c.Subject.Name), string(c.Kind)).Scan(&is)
	if err := rows.OrNone(err, nil); err != nil {
		return err
	}
	if is != old {
		return accounts.ErrNoContact
	}
	return nil
}

// shareable counts who else has this number or address, by whichever key it
// is known, while nobody else can add it. The locks are taken in one order.
func (a *Accounts) shareable(ctx context.Context, tx Tx, c accounts.Contact) error {
	others := map[identity.Subject]bool{}
	for _, digest := range slices.SortedFunc(slices.Values(append([][]byte{c.Digest}, c.Older...)), bytes.Compare) {
		if err := a.db.Lock(ctx, tx, "contact "+string(digest)); err != nil {
			return err
		}
		fields := func(s *identity.Subject) []any { return []any{&s.Realm, &s.Name} }
		sharers, err := find(ctx, tx, fields, findSharers, digest)
		if err != nil {
			return err
		}
		for _, s := range sharers {
			others[s] = true
		}
	}
	delete(others, c.Subject)
	if len(others) >= accounts.MaxShared {
		return accounts.ErrShared
	}
	return nil
}

func putContact(ctx context.Context, tx Tx, c accounts.Contact, old string) error {
	if _, err := tx.ExecContext(ctx, deleteContact, old, c.Subject.Realm, []byte(c.Subject.Name)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, insertContact, c.ID, c.Subject.Realm, []byte(c.Subject.Name), string(c.Kind),
		blob(c.Address), blob(c.Digest), c.Language, rows.Nanos(c.BoundAt))
	return err
}

// moveTo makes the credential of the old contact that of the new one, which
// was never used, nor noticed. Where it was bound is not known.
func moveTo(ctx context.Context, tx Tx, c accounts.Contact, old string) error {
	if _, err := tx.ExecContext(ctx, moveCredential, c.ID, rows.Nanos(c.BoundAt), "", []byte{}, []byte{},
		old, c.Subject.Realm, []byte(c.Subject.Name)); err != nil {
		return err
	}
	return settle(ctx, tx, c.Subject)
}

// RemoveContact implements accounts.Factors.
func (a *Accounts) RemoveContact(ctx context.Context, s identity.Subject, id string) error {
	return a.alter(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		gone, err := rows.Affected(tx.ExecContext(ctx, deleteContact, id, s.Realm, []byte(s.Name)))
		switch {
		case err != nil:
			return err
		case gone == 0:
			return accounts.ErrNoContact
		case !h.has(id):
			return nil
		}
		if err := h.spares(id); err != nil {
			return err
		}
		return drop(ctx, tx, s, id)
	})
}
