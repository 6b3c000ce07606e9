package challenge

import (
	"context"
	"errors"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// confirm spends the challenge and binds: of two tabs, browsers or nodes that
// confirm at once, one binds.
func (s *step) confirm(ctx context.Context, c accounts.Credential, secret string) (Result, error) {
	if err := s.spend(ctx, s.record); errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	} else if err != nil {
		return Result{}, err
	}
	c = s.completed(c)
	if secret != "" {
		c.Secret = s.Ring.Seal("credential", []byte(secret), c.SecretBinding()...)
	}
	err := s.store(ctx, c)
	if errors.Is(err, accounts.ErrAlreadyBound) || errors.Is(err, accounts.ErrNotBound) || errors.Is(err, accounts.ErrNoCredential) {
		return s.unbound(), nil
	}
	if err != nil {
		return Result{}, err
	}
	event, told := audit.FactorBound, templates.AnnounceFactorBound
	if len(s.instead(c)) > 0 {
		event, told = audit.FactorReplaced, templates.AnnounceFactorReplaced
	}
	s.announce(ctx, told, c.Name) // first: it is bound, whether or not that can be written down
	if err := s.note(ctx, s.record, s.visitor, event, policy.Reason{Code: policy.ReasonFactorBound, Detail: string(c.Factor)}); err != nil {
		return Result{}, err
	}
	return Result{Passed: true, AMR: []string{c.Factor.AMR(), "mfa"}, Factor: c.Factor, Strength: c.Strength}, nil
}

// completed is a credential with who bound it, when, where and by what. What
// is added by a factor is worth no more than that: else who has got hold of a
// person's telephone could climb.
func (s *step) completed(c accounts.Credential) accounts.Credential {
	c.Subject, c.BoundAt, c.Bound = s.record.Subject, s.now, s.visitor.Place
	c.Strength = c.Factor.Strength()
	if s.limited() {
		c.Strength = min(c.Strength, s.record.Strength)
	}
	return c
}

// limited tells whether the record's strength limits what is bound.
func (s *step) limited() bool {
	return s.record.Purpose == Manage || s.record.Gate == policy.ByOldFactor
}

// store binds the first credential, or one more in place of those that go.
func (s *step) store(ctx context.Context, c accounts.Credential) error {
	if s.account.State != identity.Bound {
		return s.Accounts.BindFirst(ctx, c, s.record.states()...)
	}
	return s.Accounts.Bind(ctx, c, s.instead(c)...)
}

// instead are the credentials that a new one takes the place of: the one that
// the person named, that of the same contact, or all that are no longer to be
// trusted.
func (s *step) instead(new accounts.Credential) (ids []string) {
	if s.record.Instead != "" {
		return []string{s.record.Instead}
	}
	for _, c := range s.account.Credentials {
		if c.ID == new.ID || s.record.Purpose.raises() && c.BoundAt.Before(s.account.RebindFrom) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// unbound is for who was overtaken: the state is no longer the one in which
// this could be bound.
func (s *step) unbound() Result {
	r := gone
	r.Over = s.record.Purpose.raises()
	return r
}
