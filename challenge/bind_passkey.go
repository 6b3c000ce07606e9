package challenge

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/passkey"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

func (s *step) passkeyPage(ctx context.Context, asking templates.Asking) (Result, error) {
	options, err := s.ceremonyOf(ctx, bindPart, s.visitor.Party.Register)
	if errors.Is(err, ErrNotFound) {
		return gone, nil
	}
	return s.result(templates.EnrollPasskey{Asking: asking, Options: options}, asking.Message), err
}

// bindPasskey takes a key that a browser made.
func (s *step) bindPasskey(ctx context.Context, a Answer) (Result, error) {
	if over, err := s.attempt(ctx, bindAttempts); over != nil || err != nil {
		return deref(over), err
	}
	c, there, err := s.takeCeremony(ctx, bindPart)
	if err != nil {
		return Result{}, err
	}
	if !there {
		return s.refusePasskey(ctx, "no_ceremony")
	}
	h, err := s.holder()
	if err != nil {
		return Result{}, err
	}
	key, err := s.visitor.Party.Registered(h, c.Session, a.Passkey)
	var failed *passkey.Error
	if errors.As(err, &failed) {
		s.log(failed)
		return s.refusePasskey(ctx, string(failed.Kind))
	}
	if err != nil {
		return Result{}, err
	}
	return s.confirm(ctx, accounts.Credential{ID: s.passkeyID(key), Factor: identity.Passkey,
		Name: Name(a.Name), LastStep: int64(key.Counter)}, string(key.Raw))
}

func (s *step) refusePasskey(ctx context.Context, kind string) (Result, error) {
	return s.refuse(ctx, identity.Passkey, templates.Message{Kind: templates.PasskeyRefused},
		policy.Reason{Code: policy.ReasonPasskey, Detail: kind})
}

// maxName is how long a credential's name may be, in characters.
const maxName = 40

// Name is what a person wants a credential to be called, without what cannot
// be seen or turns the text around it.
func Name(typed string) string {
	name := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(typed, ""))
	name = strings.Join(strings.Fields(name), " ")
	if letters := []rune(name); len(letters) > maxName {
		name = strings.TrimSpace(string(letters[:maxName]))
	}
	return name
}
