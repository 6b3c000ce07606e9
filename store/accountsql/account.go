package accountsql

import (
	"context"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// Account implements accounts.Store, in one statement: one moment's truth.
func (a *Accounts) Account(ctx context.Context, s identity.Subject) (accounts.Account, error) {
	var all []accountRow
	err := a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, (*accountRow).fields, findAccount, s.Realm, []byte(s.Name))
		return err
	})
	return rows.Whole(gather(s, all), err)
}

// accountRow is an account beside one of its credentials and one of its
// contacts, either of which may be none.
type accountRow struct {
	accounts.Account
	credential accounts.Credential
	contact    accounts.Contact
}

// fields are in the order of findAccount.
func (r *accountRow) fields() []any {
	c, k := &r.credential, &r.contact
	return []any{
		enrollment(&r.State), rows.At(&r.ValidFrom), rows.At(&r.LockedAt), rows.At(&r.RebindFrom), &r.Preferred,
		&c.ID, &c.Factor, &c.Name, &c.Secret, &c.LastStep, rows.At(&c.BoundAt),
		&c.Bound.Address, &c.Bound.Browser, &c.Bound.Mark, rows.At(&c.UsedAt), strength(&c.Strength),
		&c.Noticed, rows.At(&c.RemoveAt), &c.Left,
		&k.ID, &k.Kind, &k.Address, &k.Digest, &k.Language, rows.At(&k.BoundAt),
	}
}

// gather makes one account of its rows. No row at all is a certain answer: the
// subject was never seen.
func gather(s identity.Subject, all []accountRow) accounts.Account {
	if len(all) == 0 {
		return accounts.Account{Subject: s, State: identity.NeverBound}
	}
	out := all[0].Account
	out.Subject = s
	for _, r := range all {
		c, k := r.credential, r.contact
		if c.ID != "" && !slices.ContainsFunc(out.Credentials, func(o accounts.Credential) bool { return o.ID == c.ID }) {
			c.Subject, c.Secret, c.Bound.Mark = s, orNil(c.Secret), orNil(c.Bound.Mark)
			out.Credentials = append(out.Credentials, c)
		}
		if k.ID != "" && !slices.ContainsFunc(out.Contacts, func(o accounts.Contact) bool { return o.ID == k.ID }) {
			k.Subject = s
			out.Contacts = append(out.Contacts, k)
		}
	}
	return out
}

// credentialValues are in the order of insertCredential.
func credentialValues(c accounts.Credential) []any {
	return []any{
		c.ID, c.Subject.Realm, []byte(c.Subject.Name), string(c.Factor), []byte(c.Name), blob(c.Secret), c.LastStep,
		rows.Nanos(c.BoundAt), rows.Nanos(c.UsedAt), strength(&c.Strength),
		c.Bound.Address, []byte(c.Bound.Browser), blob(c.Bound.Mark), c.Noticed, rows.Nanos(c.RemoveAt),
	}
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

// strength stores and reads what a credential is worth.
func strength(s *identity.Strength) rows.Column {
	return rows.Words(s, map[identity.Strength]string{
		identity.Unproved:  "unproved",
		identity.Mailbox:   "mailbox",
		identity.Telephone: "telephone",
		identity.Device:    "device",
		identity.Key:       "key",
	})
}

// blob is bytes for a column that is never NULL: none are empty there.
func blob(b []byte) []byte { return append([]byte{}, b...) }

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
