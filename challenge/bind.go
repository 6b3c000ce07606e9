package challenge

import (
	"context"
	"encoding/base32"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/totp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// bindable are the factors that can be bound here, the one to begin with
// first: an authenticator app, which needs nothing but eyes.
func (s *step) bindable() []identity.Factor {
	unusable := func(f identity.Factor) bool { return f == identity.Passkey && !s.visitor.Party.Usable() }
	if s.record.Binds != "" {
		return slices.DeleteFunc([]identity.Factor{s.record.Binds}, unusable)
	}
	var all []identity.Factor
	for _, f := range []identity.Factor{identity.TOTP, identity.Passkey, identity.SMS, identity.Email} {
		if s.visitor.Rules.Counts(f) && (!f.Sent() || s.Book.Has(f) && s.mayReplace(f)) {
			all = append(all, f)
		}
	}
	return slices.DeleteFunc(all, unusable)
}

// mayReplace tells whether a contact may be bound in place of the one there is:
// where that is a factor by now, only after something as strong was proved.
func (s *step) mayReplace(kind identity.Factor) bool {
	contact, _ := s.account.Contact(kind)
	return !s.limited() || !slices.ContainsFunc(s.account.Credentials, func(c accounts.Credential) bool {
		return c.ID == contact.ID && c.Strength > s.record.Strength
	})
}

// binds is the factor of a page that binds.
func (s *step) binds(way string) (f identity.Factor, others []templates.FactorWay) {
	all := s.bindable()
	if len(all) == 0 {
		return "", nil
	}
	f = all[0]
	if slices.Contains(all, identity.Factor(way)) {
		f = identity.Factor(way)
	}
	for _, other := range all {
		if other != f {
			others = append(others, templates.FactorWay{Factor: string(other)})
		}
	}
	return f, others
}

// bindPage shows what is needed to bind a factor.
func (s *step) bindPage(ctx context.Context, way string, m templates.Message) (Result, error) {
	f, others := s.binds(way)
	asking := s.asking(m, others)
	switch {
	case f == "":
		return Result{View: templates.Notice{Kind: templates.NoticeNothingToBind}, Status: 403}, nil
	case f == identity.Passkey:
		return s.passkeyPage(ctx, asking)
	case f.Sent():
		return s.contactPage(f, asking)
	default:
		return s.keyPage(ctx, asking)
	}
}

// bind takes what binds a factor. Binding is passing.
func (s *step) bind(ctx context.Context, a Answer) (Result, error) {
	switch f, _ := s.binds(a.Way); {
	case f == "":
		return s.bindPage(ctx, a.Way, templates.Message{})
	case f == identity.Passkey:
		return s.bindPasskey(ctx, a)
	case f.Sent():
		return s.bindContact(ctx, f, a)
	default:
		return s.bindKey(ctx, a)
	}
}

// keyPart is the one pending key of an authenticator app: the same on reload,
// back and in a second tab. keyLife is how long it can be bound.
const (
	keyPart = "key"
	keyLife = 10 * time.Minute
)

// keyPage shows the pending key. One that was shown and expired is void: the
// person asks for a fresh one.
func (s *step) keyPage(ctx context.Context, asking templates.Asking) (Result, error) {
	if old, shown := s.record.Parts[keyPart]; shown && !s.now.Before(old.ExpiresAt) {
		return s.result(templates.Enroll{Asking: asking, Expired: true}, asking.Message), nil
	}
	p, secret, err := s.pendingKey(ctx)
	if errors.Is(err, ErrNotFound) {
		return gone, nil
	}
	if err != nil {
		return Result{}, err
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return Result{}, err
	}
	key, err := totp.KeyOf(raw, s.Issuer, s.record.Subject.Name)
	if err != nil {
		return Result{}, err
	}
	return s.result(templates.Enroll{Asking: asking, Key: key.Secret, URL: key.URL, Issuer: s.Issuer,
		Account: s.record.Subject.Name, ExpiresAt: p.ExpiresAt}, asking.Message), nil
}

// pendingKey returns the key that is shown, and makes one if there is none.
func (s *step) pendingKey(ctx context.Context) (Part, string, error) {
	p, ok := s.record.part(keyPart, s.now)
	if !ok {
		fresh, err := s.newKey()
		if err != nil {
			return p, "", err
		}
		if p, err = s.Challenges.KeepPart(ctx, s.record.ID, fresh, s.now); err != nil {
			return p, "", err
		}
	}
	secret, err := s.Ring.Open("pending", p.Data, s.record.partBinding(p)...)
	return p, string(secret), err
}

func (s *step) newKey() (Part, error) {
	key, err := totp.NewKey(s.Issuer, s.record.Subject.Name)
	if err != nil {
		return Part{}, err
	}
	p := Part{Name: keyPart, ID: NewID(), ExpiresAt: s.now.Add(keyLife)}
	p.Data = s.Ring.Seal("pending", []byte(key.Secret), s.record.partBinding(p)...)
	return p, nil
}

// bindKey takes two consecutive codes of the pending key.
func (s *step) bindKey(ctx context.Context, a Answer) (Result, error) {
	_, valid := s.record.part(keyPart, s.now)
	if !valid && a.Fresh {
		delete(s.record.Parts, keyPart)
	}
	if !valid {
		return s.bindPage(ctx, string(identity.TOTP), templates.Message{})
	}
	first, ok1 := digits(a.First)
	second, ok2 := digits(a.Second)
	if !ok1 || !ok2 {
		return s.bindPage(ctx, string(identity.TOTP), templates.Message{Kind: templates.NotDigits})
	}
	if over, err := s.attempt(ctx, bindAttempts); over != nil || err != nil {
		return deref(over), err
	}
	p, secret, err := s.pendingKey(ctx)
	if err != nil {
		return Result{}, err
	}
	step, ok := totp.CheckPair(secret, first, second, s.now)
	if !ok {
		return s.notBound(ctx, secret, first, second)
	}
	c := accounts.Credential{ID: p.ID, Factor: identity.TOTP, Name: s.appName(), LastStep: step}
	return s.confirm(ctx, c, secret)
}

// appName tells one app of the person's from the next, until the person calls
// it something. It is not what the app in whose place it comes was called: that
// may have been the old phone.
func (s *step) appName() string {
	const first = "Authenticator"
	taken := make(map[string]bool)
	for _, c := range s.account.Credentials {
		taken[c.Name] = c.ID != s.record.Instead || taken[c.Name]
	}
	name := first
	for n := 2; taken[name]; n++ {
		name = first + " " + strconv.Itoa(n)
	}
	return name
}

// notBound explains: two right codes in the wrong order or twice the same
// are another mistake than a wrong key or clock.
func (s *step) notBound(ctx context.Context, secret, first, second string) (Result, error) {
	message := templates.Message{Kind: templates.WrongCode}
	one, _ := totp.Check(secret, first, s.now, 0)
	two, back := totp.Check(secret, second, s.now, 0)
	switch {
	case one != totp.Wrong && two == totp.Stale:
		message.Kind, message.Ago = templates.StaleCode, time.Duration(totp.Step(s.now)-back)*totp.Period
	case one != totp.Wrong && two != totp.Wrong:
		message.Kind = templates.NotConsecutive
	}
	return s.refuse(ctx, identity.TOTP, message, policy.Reason{Code: policy.ReasonWrongCode})
}

// refuse says why nothing was bound.
func (s *step) refuse(ctx context.Context, f identity.Factor, m templates.Message, why policy.Reason) (Result, error) {
	if err := s.note(ctx, s.record, s.visitor, audit.BindingFailed, why); err != nil {
		return Result{}, err
	}
	return s.bindPage(ctx, string(f), m)
}
