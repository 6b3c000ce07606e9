package selfservice

import (
	"context"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/templates"
)

// Renamable finds a credential that the person may call something else. Who
// proved less than it is worth may not: announcements of its removal name it.
func (s *Service) Renamable(ctx context.Context, p Person, id string) (accounts.Credential, error) {
	_, c, err := s.mine(ctx, p, id)
	switch {
	case err != nil:
		return c, err
	case c.Factor.Sent() || c.Factor == identity.Recovery:
		return c, ErrNotOffered
	case p.Strength < c.Strength:
		return c, ErrTooWeak
	}
	return c, nil
}

// Rename gives a credential the name that the person typed.
func (s *Service) Rename(ctx context.Context, p Person, id, typed string) error {
	c, err := s.Renamable(ctx, p, id)
	name := challenge.Name(typed)
	switch {
	case err != nil:
		return err
	case name == "":
		return ErrNoName
	}
	if err := s.Accounts.Rename(ctx, p.Subject, id, name); err != nil {
		return err
	}
	return s.note(ctx, p, audit.FactorRenamed, c.Factor)
}

// Removing says when a credential would go that the person wants removed now:
// the zero time is at once. accounts.ErrLast if it has to stay.
func (s *Service) Removing(ctx context.Context, p Person, id string) (accounts.Credential, time.Time, error) {
	a, c, err := s.mine(ctx, p, id)
	if err != nil {
		return c, time.Time{}, err
	}
	at, err := s.removing(a, p, c)
	return c, at, err
}

func (s *Service) removing(a accounts.Account, p Person, c accounts.Credential) (time.Time, error) {
	switch {
	case !s.spares(a, p, c):
		return time.Time{}, accounts.ErrLast
	case p.Strength >= c.Strength:
		return time.Time{}, nil
	case !c.RemoveAt.IsZero(): // planned before: asking again postpones nothing
		return c.RemoveAt, nil
	default:
		return s.Now().Add(RemovalDelay), nil
	}
}

// Remove removes a credential, or plans to if the session was proved by
// something weaker. It returns when that is; the zero time is at once.
func (s *Service) Remove(ctx context.Context, p Person, id string) (time.Time, error) {
	a, c, err := s.mine(ctx, p, id)
	if err != nil {
		return time.Time{}, err
	}
	at, err := s.removing(a, p, c)
	if err != nil || at.Equal(c.RemoveAt) && !at.IsZero() {
		return at, err
	}
	if !at.IsZero() {
		return at, s.plan(ctx, p, a, c, at)
	}
	if err := s.Accounts.Remove(ctx, p.Subject, id); err != nil {
		return at, err
	}
	return at, s.done(ctx, p, a, audit.FactorRemoved, c.Factor, announced(templates.AnnounceFactorRemoved, c))
}

// plan lets nothing go in silence: who plans and cancels until no more messages
// about it are sent has planned nothing.
func (s *Service) plan(ctx context.Context, p Person, a accounts.Account, c accounts.Credential, at time.Time) error {
	told := announced(templates.AnnounceFactorRemovalPlanned, c)
	told.Until = at
	if !s.tell(ctx, p, a, told) {
		return ErrTooOften
	}
	if err := s.Accounts.PlanRemoval(ctx, p.Subject, c.ID, at); err != nil {
		return err
	}
	return s.note(ctx, p, audit.RemovalPlanned, c.Factor)
}

// Keep cancels a planned removal.
func (s *Service) Keep(ctx context.Context, p Person, id string) error {
	a, c, err := s.mine(ctx, p, id)
	switch {
	case err != nil:
		return err
	case c.RemoveAt.IsZero():
		return nil
	}
	if err := s.Accounts.PlanRemoval(ctx, p.Subject, id, time.Time{}); err != nil {
		return err
	}
	return s.done(ctx, p, a, audit.RemovalCanceled, c.Factor, announced(templates.AnnounceFactorRemovalCanceled, c))
}

// Replaceable finds an authenticator that a new one may take the place of.
func (s *Service) Replaceable(ctx context.Context, p Person, id string) (accounts.Credential, error) {
	_, c, err := s.mine(ctx, p, id)
	switch {
	case err != nil:
		return c, err
	case c.Factor != identity.TOTP || !s.counts(p, c.Factor):
		return c, ErrNotOffered
	case p.Strength < c.Strength:
		return c, ErrTooWeak
	}
	return c, nil
}

// Addable tells whether the person may bind one more of a factor.
func (s *Service) Addable(ctx context.Context, p Person, f identity.Factor) error {
	a, err := s.managing(ctx, p)
	if err == nil && !slices.Contains(s.addable(a, p), f) {
		err = ErrNotOffered
	}
	return err
}

func (s *Service) addable(a accounts.Account, p Person) (all []identity.Factor) {
	if len(a.Usable(s.Now())) >= MaxFactors {
		return nil
	}
	for _, f := range []identity.Factor{identity.TOTP, identity.Passkey} {
		if s.counts(p, f) {
			all = append(all, f)
		}
	}
	return all
}

// Prefer sets what the person is asked for first: a factor that they have.
func (s *Service) Prefer(ctx context.Context, p Person, f identity.Factor) error {
	a, err := s.managing(ctx, p)
	if err != nil {
		return err
	}
	if !slices.Contains(s.preferable(a, p), f) {
		return ErrNotOffered
	}
	if err := s.Accounts.Prefer(ctx, p.Subject, f); err != nil {
		return err
	}
	return s.done(ctx, p, a, audit.FactorPreferred, f, contacts.Announcement{})
}

// Preferable tells whether the person may be asked for a factor first.
func (s *Service) Preferable(ctx context.Context, p Person, f identity.Factor) error {
	a, err := s.managing(ctx, p)
	if err == nil && !slices.Contains(s.preferable(a, p), f) {
		err = ErrNotOffered
	}
	return err
}

// preferable are the factors to choose from: those that are held and count,
// the strongest first.
func (s *Service) preferable(a accounts.Account, p Person) (all []identity.Factor) {
	held := a.Usable(s.Now())
	for _, f := range identity.Factors() {
		if s.counts(p, f) && slices.ContainsFunc(held, func(c accounts.Credential) bool { return c.Factor == f }) {
			all = append(all, f)
		}
	}
	return all
}
