package selfservice

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/templates"
)

// ContactChangeable tells whether the person may bind another contact of a
// kind. One that is a factor is replaced by nobody who proved less than it.
func (s *Service) ContactChangeable(ctx context.Context, p Person, kind identity.Factor) error {
	a, err := s.managing(ctx, p)
	switch {
	case err != nil:
		return err
	case !s.Book.Has(kind):
		return ErrNotOffered
	}
	if c, ok := s.factorOf(a, kind); ok && p.Strength < c.Strength {
		return ErrTooWeak
	}
	return nil
}

// factorOf is the credential that a contact is.
func (s *Service) factorOf(a accounts.Account, kind identity.Factor) (accounts.Credential, bool) {
	contact, ok := a.Contact(kind)
	if !ok {
		return accounts.Credential{}, false
	}
	return find(a.Usable(s.Now()), contact.ID)
}

// Enable makes the contact of a kind a factor.
func (s *Service) Enable(ctx context.Context, p Person, kind identity.Factor) error {
	a, c, err := s.enabling(ctx, p, kind)
	if err != nil {
		return err
	}
	var instead []string // one whose removal was due, and is still there
	if _, ok := find(a.Credentials, c.ID); ok {
		instead = append(instead, c.ID)
	}
	if err := s.Accounts.Bind(ctx, c, instead...); err != nil {
		return err
	}
	return s.done(ctx, p, a, audit.FactorBound, kind, announced(templates.AnnounceFactorBound, c))
}

// Enabling is the contact that Enable would make a factor, masked.
func (s *Service) Enabling(ctx context.Context, p Person, kind identity.Factor) (masked string, err error) {
	_, c, err := s.enabling(ctx, p, kind)
	return c.Name, err
}

func (s *Service) enabling(ctx context.Context, p Person, kind identity.Factor) (accounts.Account, accounts.Credential, error) {
	a, err := s.managing(ctx, p)
	if err != nil {
		return a, accounts.Credential{}, err
	}
	contact, ok := a.Contact(kind)
	if _, is := s.factorOf(a, kind); !ok || is || !s.counts(p, kind) {
		return a, accounts.Credential{}, ErrNotOffered
	}
	masked, err := s.Book.Mask(contact)
	return a, accounts.Credential{ID: contact.ID, Subject: p.Subject, Factor: kind, Name: masked,
		BoundAt: s.Now(), Bound: p.Place, Strength: min(kind.Strength(), p.Strength)}, err
}

// RemovingContact says when the contact of a kind would go, as Removing does.
// What waits is the factor that it is: the contact stays until somebody removes
// it then.
func (s *Service) RemovingContact(ctx context.Context, p Person, kind identity.Factor) (masked string, at time.Time, err error) {
	a, err := s.managing(ctx, p)
	if err != nil {
		return "", at, err
	}
	contact, ok := a.Contact(kind)
	if !ok {
		return "", at, accounts.ErrNoContact
	}
	if masked, err = s.Book.Mask(contact); err != nil {
		return "", at, err
	}
	if c, ok := s.factorOf(a, kind); ok {
		at, err = s.removing(a, p, c)
	}
	return masked, at, err
}

// RemoveContact removes the contact of a kind, and the factor that it is, or
// plans the removal of that factor. The old contact hears of it.
func (s *Service) RemoveContact(ctx context.Context, p Person, kind identity.Factor) (time.Time, error) {
	masked, at, err := s.RemovingContact(ctx, p, kind)
	if err != nil {
		return at, err
	}
	a, err := s.managing(ctx, p)
	if err != nil {
		return at, err
	}
	contact, ok := a.Contact(kind)
	switch {
	case !ok:
		return at, accounts.ErrNoContact
	case !at.IsZero():
		return s.Remove(ctx, p, contact.ID)
	}
	if err := s.Accounts.RemoveContact(ctx, p.Subject, contact.ID); err != nil {
		return at, err
	}
	return at, s.done(ctx, p, a, audit.ContactRemoved, kind, contacts.Announcement{Kind: templates.AnnounceContactRemoved, Detail: masked})
}
