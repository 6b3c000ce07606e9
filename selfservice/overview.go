package selfservice

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
)

// activities is how much of the trail people see of themselves.
const activities = 50

// Overview is all that the person's page shows.
type Overview struct {
	Bound  bool // something of ours is bound
	Manage bool // and the person may change it

	Factors    []Factor
	Add        []identity.Factor
	Preferred  identity.Factor
	Preferable []identity.Factor
	Contacts   []Contact
	Codes      Codes
	Browsers   []Browser
	Sessions   []Session
	Activity   []audit.Record
}

// Factor is a credential, but for that of recovery, and what the person may do
// with it.
type Factor struct {
	accounts.Credential
	Counts      bool // at this site
	Renamable   bool
	Replaceable bool
	Removable   bool // now, or by a plan
}

// Contact is a kind of contact that the person has, or could bind.
type Contact struct {
	Kind       identity.Factor
	Masked     string // "" where there is none
	BoundAt    time.Time
	Factor     bool // it is one
	Enable     bool // it could be made one
	Changeable bool // or bound
}

// Codes are the recovery codes of a person.
type Codes struct {
	Offered bool
	accounts.Credential
}

// Made tells whether there are any.
func (c Codes) Made() bool { return c.ID != "" }

// Overview gathers what the person has.
func (s *Service) Overview(ctx context.Context, p Person) (o Overview, err error) {
	a, err := s.Accounts.Account(ctx, p.Subject)
	if err != nil {
		return o, err
	}
	o.Bound = a.State == identity.Bound
	o.Manage = o.Bound && p.Rules.Manage
	o.Factors, o.Preferred, o.Preferable = s.factors(a, p), a.Preferred, s.preferable(a, p)
	if o.Manage {
		o.Add = s.addable(a, p)
	}
	if o.Contacts, err = s.contacts(a, p, o.Manage); err != nil {
		return o, err
	}
	o.Codes.Credential, _ = s.codesOf(a)
	_, refused := s.codesMakeable(a, p)
	o.Codes.Offered = o.Manage && refused == nil
	return o, s.places(ctx, p, &o)
}

func (s *Service) factors(a accounts.Account, p Person) (all []Factor) {
	for _, c := range a.Usable(s.Now()) {
		if c.Factor == identity.Recovery {
			continue
		}
		own := p.Rules.Manage && !c.Factor.Sent()
		all = append(all, Factor{Credential: c, Counts: s.counts(p, c.Factor), Renamable: own,
			Replaceable: own && c.Factor == identity.TOTP && p.Rules.Counts(c.Factor),
			Removable:   p.Rules.Manage && s.spares(a, p, c) && c.RemoveAt.IsZero()})
	}
	return all
}

func (s *Service) contacts(a accounts.Account, p Person, manage bool) (all []Contact, err error) {
	for _, kind := range []identity.Factor{identity.SMS, identity.Email} {
		c, ok := a.Contact(kind)
		if !ok && (!manage || !s.Book.Has(kind)) {
			continue
		}
		out := Contact{Kind: kind, BoundAt: c.BoundAt, Changeable: manage && s.Book.Has(kind)}
		_, out.Factor = s.factorOf(a, kind)
		out.Enable = ok && manage && !out.Factor && s.counts(p, kind)
		if ok {
			if out.Masked, err = s.Book.Mask(c); err != nil {
				return nil, err
			}
		}
		all = append(all, out)
	}
	return all, nil
}

// places are where the person was: browsers, sessions and what happened.
func (s *Service) places(ctx context.Context, p Person, o *Overview) (err error) {
	if o.Browsers, err = s.browsers(ctx, p); err != nil {
		return err
	}
	if o.Sessions, err = s.list(ctx, p); err != nil {
		return err
	}
	o.Activity, err = s.Past.Find(ctx, p.Subject, "", activities)
	return err
}

// Unnoticed are the credentials that were bound in another browser, and that
// the person was not told of yet.
func (s *Service) Unnoticed(ctx context.Context, p Person) (all []accounts.Credential, err error) {
	a, err := s.Accounts.Account(ctx, p.Subject)
	for _, c := range a.Usable(s.Now()) {
		if !c.Noticed && string(c.Bound.Mark) != string(p.Place.Mark) {
			all = append(all, c)
		}
	}
	return all, err
}

// Notice remembers that the person was told of what Unnoticed returned.
func (s *Service) Notice(ctx context.Context, p Person, told []accounts.Credential) error {
	var until time.Time
	for _, c := range told {
		if c.BoundAt.After(until) {
			until = c.BoundAt
		}
	}
	if until.IsZero() {
		return nil
	}
	return s.Accounts.Notice(ctx, p.Subject, until)
}
