package accountsql

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

var _ accounts.Passwords = (*Accounts)(nil)

// CreatePerson implements accounts.Passwords.
func (a *Accounts) CreatePerson(ctx context.Context, s identity.Subject, now time.Time) error {
	return a.oneRow(ctx, accounts.ErrPersonExists, insertPerson, s.Realm, []byte(s.Name), rows.Nanos(now), []byte{})
}

// Person implements accounts.Passwords.
func (a *Accounts) Person(ctx context.Context, s identity.Subject) (accounts.Person, error) {
	var p personRow
	there, err := a.get(ctx, findPerson, []any{s.Realm, []byte(s.Name)}, p.fields()...)
	if err == nil && !there {
		err = accounts.ErrNoPerson
	}
	return rows.Whole(p.person(s.Realm), err)
}

// People implements accounts.Passwords.
func (a *Accounts) People(ctx context.Context, realm string) (people []accounts.Person, err error) {
	var all []personRow
	err = a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, (*personRow).fields, findPeople, realm)
		return err
	})
	for i := range all {
		people = append(people, all[i].person(realm))
	}
	return rows.Whole(people, err)
}

// personRow is a person whose realm is known.
type personRow struct {
	name, password              []byte
	createdAt, setAt, expiresAt time.Time
}

func (r *personRow) fields() []any {
	return []any{&r.name, rows.At(&r.createdAt), &r.password, rows.At(&r.setAt), rows.At(&r.expiresAt)}
}

func (r *personRow) person(realm string) accounts.Person {
	return accounts.Person{Subject: identity.Subject{Realm: realm, Name: string(r.name)}, CreatedAt: r.createdAt,
		Password: r.password, SetAt: r.setAt, LinkExpiresAt: r.expiresAt}
}

// IssueLink implements accounts.Passwords.
func (a *Accounts) IssueLink(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error {
	return a.oneRow(ctx, accounts.ErrNoPerson, issueLink, digest, rows.Nanos(expires), s.Realm, []byte(s.Name))
}

// Link implements accounts.Passwords.
func (a *Accounts) Link(ctx context.Context, realm string, digest []byte, now time.Time) (identity.Subject, error) {
	var name []byte
	there, err := a.get(ctx, findLink, []any{realm, digest, rows.Nanos(now)}, &name)
	if err == nil && !there {
		err = accounts.ErrNoLink
	}
	return rows.Whole(identity.Subject{Realm: realm, Name: string(name)}, err)
}

// RedeemLink implements accounts.Passwords.
func (a *Accounts) RedeemLink(ctx context.Context, s identity.Subject, digest, password []byte, now time.Time) error {
	return a.oneRow(ctx, accounts.ErrNoLink, redeemLink, password, rows.Nanos(now), s.Realm, []byte(s.Name), digest, rows.Nanos(now))
}

// SetPassword implements accounts.Passwords.
func (a *Accounts) SetPassword(ctx context.Context, s identity.Subject, old, password []byte, set time.Time) error {
	if len(old) == 0 { // who has none needs a link
		return accounts.ErrPasswordChanged
	}
	at := rows.Nanos(set)
	return a.oneRow(ctx, accounts.ErrPasswordChanged, setPassword, password, at, at, at, s.Realm, []byte(s.Name), old)
}

// oneRow is a write of one statement that changes one row; none is what it
// means that there is no such row.
func (a *Accounts) oneRow(ctx context.Context, none error, query string, args ...any) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		changed, err := rows.Affected(tx.ExecContext(ctx, query, args...))
		if err == nil && changed == 0 {
			return none
		}
		return err
	})
}
