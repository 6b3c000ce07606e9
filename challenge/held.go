package challenge

import (
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// offered are the factors by which this challenge can be passed, the one to
// begin with first. Where the person has to bind a better one, an old one that
// does not count will do if there is none that does.
func (s *step) offered() []identity.Factor {
	all := s.Held(s.account, s.visitor)
	if s.record.Enroll {
		all = s.visitor.Rules.Vouching(all, Kinds(s.held))
	} else {
		all = s.visitor.Rules.Usable(all)
	}
	if i := slices.Index(all, s.account.Preferred); i > 0 {
		all = append([]identity.Factor{s.account.Preferred}, slices.Delete(all, i, i+1)...)
	}
	return all
}

// worthy leaves out what was added by something weaker than the rules take,
// where the person has a factor that counts and is worth it: else a weak proof
// at a lenient site of the realm would open a strict one.
func worthy(all []accounts.Credential, r policy.Rules) []accounts.Credential {
	weak := func(c accounts.Credential) bool { return c.Strength < r.Least() }
	if !slices.ContainsFunc(all, func(c accounts.Credential) bool { return r.Counts(c.Factor) && !weak(c) }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), weak)
}

// Held are the kinds of the person's credentials that can be used here, the
// strongest first: a passkey only where it was bound, a code only where it can
// be sent.
func (f *Flow) Held(a accounts.Account, v Visitor) (kinds []identity.Factor) {
	held := worthy(a.Usable(f.Now()), v.Rules)
	for _, kind := range identity.Factors() {
		if slices.ContainsFunc(held, func(c accounts.Credential) bool { return c.Factor == kind && f.usable(a, c, v) }) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Kinds are the factors that credentials are of.
func Kinds(all []accounts.Credential) (kinds []identity.Factor) {
	for _, c := range all {
		if !slices.Contains(kinds, c.Factor) {
			kinds = append(kinds, c.Factor)
		}
	}
	return kinds
}

func (f *Flow) usable(a accounts.Account, c accounts.Credential, v Visitor) bool {
	switch {
	case c.Factor == identity.Recovery:
		return c.Left > 0
	case c.Factor == identity.Passkey:
		return f.fits(c, v)
	case c.Factor.Sent():
		contact, ok := a.Contact(c.Factor)
		return ok && contact.ID == c.ID && f.Book.Has(c.Factor)
	}
	return true
}

// ways are the other factors that would do.
func (s *step) ways(but string) (ways []templates.FactorWay) {
	for _, f := range s.offered() {
		if string(f) != but {
			ways = append(ways, templates.FactorWay{Factor: string(f), Detail: s.called(f)})
		}
	}
	return ways
}

// called is what the person knows a factor by.
func (s *step) called(f identity.Factor) string {
	if contact, ok := s.account.Contact(f); ok {
		masked, _ := s.Book.Mask(contact) // a contact that cannot be opened has no name
		return masked
	}
	for _, c := range s.held {
		if c.Factor == f {
			return c.Name
		}
	}
	return ""
}
