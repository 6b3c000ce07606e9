package selfservice

import (
	"context"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/templates"
)

// CodesMakeable tells whether the person may have recovery codes made, and how
// many unspent ones that would make void.
func (s *Service) CodesMakeable(ctx context.Context, p Person) (left int, err error) {
	a, err := s.managing(ctx, p)
	if err != nil {
		return 0, err
	}
	return s.codesMakeable(a, p)
}

func (s *Service) codesMakeable(a accounts.Account, p Person) (left int, err error) {
	c, ok := s.codesOf(a)
	switch {
	case !slices.Contains(p.Rules.Factors, identity.Recovery), !ok && len(a.Usable(s.Now())) >= MaxFactors:
		return 0, ErrNotOffered
	case ok && p.Strength < c.Strength:
		return c.Left, ErrTooWeak
	}
	return c.Left, nil
}

func (s *Service) codesOf(a accounts.Account) (accounts.Credential, bool) {
	all := a.Usable(s.Now())
	i := slices.IndexFunc(all, func(c accounts.Credential) bool { return c.Factor == identity.Recovery })
	if i < 0 {
		return accounts.Credential{}, false
	}
	return all[i], true
}

// MakeCodes makes ten recovery codes, and all older ones void. This is the only
// time that anybody sees them.
func (s *Service) MakeCodes(ctx context.Context, p Person) ([]recovery.Code, error) {
	a, err := s.managing(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, err := s.codesMakeable(a, p); err != nil {
		return nil, err
	}
	c := accounts.Credential{ID: challenge.NewID(), Subject: p.Subject, Factor: identity.Recovery, BoundAt: s.Now(),
		Bound: p.Place, Strength: min(identity.Recovery.Strength(), p.Strength)}
	codes := recovery.Make()
	digests := make([][]byte, len(codes))
	for i, code := range codes {
		digests[i] = code.Digest(s.Ring.Derive(recovery.Keys)[0], c.ID)
	}
	if err := s.Accounts.MakeCodes(ctx, c, digests); err != nil {
		return nil, err
	}
	return codes, s.done(ctx, p, a, audit.RecoveryMade, identity.Recovery, contacts.Announcement{Kind: templates.AnnounceRecoveryMade})
}
