package challenge

import (
	"context"
	"encoding/base32"
	"errors"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/totp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// pendingBinding is the associated data of a key that is not yet bound.
func (r Record) pendingBinding(p Pending) []string {
	return []string{"challenges", "pending", r.ID, p.ID, r.Subject.String()}
}

// showEnroll shows the one pending key: the same on reload, back and in a
// second tab.
func (f *Flow) showEnroll(ctx context.Context, r Record, m templates.Message, status int) (Result, error) {
	now := f.Now()
	if r.Pending.ID != "" && !now.Before(r.Pending.ExpiresAt) {
		return Result{View: templates.Enroll{ID: r.ID, Expired: true}, Status: status}, nil
	}
	pending, secret, err := f.pending(ctx, r, now)
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
	key, err := totp.KeyOf(raw, f.Issuer, r.Subject.Name)
	if err != nil {
		return Result{}, err
	}
	return Result{Status: status, View: templates.Enroll{ID: r.ID, Key: key.Secret, URL: key.URL,
		Issuer: f.Issuer, Account: r.Subject.Name, ExpiresAt: pending.ExpiresAt, Message: m}}, nil
}

// pending returns the key that is shown, and makes one if there is none.
func (f *Flow) pending(ctx context.Context, r Record, now time.Time) (Pending, string, error) {
	p := r.Pending
	if p.ID == "" || !now.Before(p.ExpiresAt) {
		fresh, err := f.newPending(r, now)
		if err != nil {
			return p, "", err
		}
		if p, err = f.Challenges.SetPendingIfAbsent(ctx, r.ID, fresh, now); err != nil {
			return p, "", err
		}
	}
	secret, err := f.Ring.Open("pending", p.Key, r.pendingBinding(p)...)
	return p, string(secret), err
}

func (f *Flow) newPending(r Record, now time.Time) (Pending, error) {
	key, err := totp.NewKey(f.Issuer, r.Subject.Name)
	if err != nil {
		return Pending{}, err
	}
	p := Pending{ID: NewID(), ExpiresAt: now.Add(pendingLife)}
	p.Key = f.Ring.Seal("pending", []byte(key.Secret), r.pendingBinding(p)...)
	return p, nil
}

// bind takes two consecutive codes of the pending key. Binding is passing. A
// person who was enrolled meanwhile is shown no key again.
func (f *Flow) bind(ctx context.Context, r Record, a Answer, v Visitor) (Result, error) {
	account, err := f.Accounts.Account(ctx, r.Subject)
	if err != nil {
		return Result{}, err
	}
	if stale(r, account) {
		return f.end(ctx, r, gone)
	}
	now := f.Now()
	void := r.Pending.ID == "" || !now.Before(r.Pending.ExpiresAt)
	if void && a.Fresh {
		r.Pending = Pending{}
	}
	if void {
		return f.showEnroll(ctx, r, templates.Message{}, 200)
	}
	first, ok1 := digits(a.First)
	second, ok2 := digits(a.Second)
	if !ok1 || !ok2 {
		return f.showEnroll(ctx, r, templates.Message{Kind: templates.NotDigits}, 422)
	}
	if _, over, err := f.attempt(ctx, r); over != nil || err != nil {
		return deref(over), err
	}
	_, secret, err := f.pending(ctx, r, now)
	if err != nil {
		return Result{}, err
	}
	step, ok := totp.CheckPair(secret, first, second, now)
	if !ok {
		return f.notBound(ctx, r, secret, first, second, v)
	}
	return f.confirm(ctx, r, secret, step, v)
}

// notBound explains: two right codes in the wrong order or twice the same
// are another mistake than a wrong key or clock.
func (f *Flow) notBound(ctx context.Context, r Record, secret, first, second string, v Visitor) (Result, error) {
	message := templates.Message{Kind: templates.WrongCode}
	one, _ := totp.Check(secret, first, f.Now(), 0)
	two, back := totp.Check(secret, second, f.Now(), 0)
	switch {
	case one != totp.Wrong && two == totp.Stale:
		message.Kind, message.Ago = templates.StaleCode, time.Duration(totp.Step(f.Now())-back)*totp.Period
	case one != totp.Wrong && two != totp.Wrong:
		message.Kind = templates.NotConsecutive
	}
	if err := f.note(ctx, r, v, audit.BindingFailed, policy.Reason{Code: policy.ReasonWrongCode}); err != nil {
		return Result{}, err
	}
	return f.showEnroll(ctx, r, message, 422)
}

// confirm spends the challenge and binds: of two tabs, browsers or nodes that
// confirm at once, one binds.
func (f *Flow) confirm(ctx context.Context, r Record, secret string, step int64, v Visitor) (Result, error) {
	if err := f.spend(ctx, r); errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	} else if err != nil {
		return Result{}, err
	}
	c := accounts.Credential{ID: r.Pending.ID, Subject: r.Subject, Factor: identity.TOTP,
		Name: "Authenticator", LastStep: step, BoundAt: f.Now()}
	c.Secret = f.Ring.Seal("credential", []byte(secret), c.SecretBinding()...)
	err := f.Accounts.BindFirst(ctx, c, r.Purpose.bindable()...)
	if errors.Is(err, accounts.ErrAlreadyBound) {
		return gone, nil
	}
	if err != nil {
		return Result{}, err
	}
	if err := f.note(ctx, r, v, audit.FactorBound, policy.Reason{Code: policy.ReasonFactorBound, Detail: string(identity.TOTP)}); err != nil {
		return Result{}, err
	}
	return Result{Passed: true, AMR: []string{identity.TOTP.AMR(), "mfa"}}, nil
}
