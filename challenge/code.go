package challenge

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/totp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// check takes a code of a bound authenticator: charge, compare, spend.
func (f *Flow) check(ctx context.Context, r Record, a Answer, v Visitor) (Result, error) {
	account, err := f.Accounts.Account(ctx, r.Subject)
	if err != nil {
		return Result{}, err
	}
	if stale(r, account) {
		return f.end(ctx, r, gone)
	}
	code, ok := digits(a.Code)
	if !ok {
		return f.ask(r, account, templates.Message{Kind: templates.NotDigits}, limits.Balance{Allowed: true}), nil
	}
	left, over, err := f.attempt(ctx, r)
	if over != nil || err != nil {
		return deref(over), err
	}
	balance, err := f.Budgets.Charge(ctx, budgetKey(r.Subject, v), budget, f.Now())
	if err != nil {
		return Result{}, err
	}
	found, err := f.compare(account, code)
	if err != nil {
		return Result{}, err
	}
	return f.conclude(ctx, r, account, found, balance, left, v)
}

func deref(r *Result) Result {
	if r == nil {
		return Result{}
	}
	return *r
}

// found is the best that a code is for any of the person's authenticators.
type found struct {
	result     totp.Result
	step       int64
	credential accounts.Credential
}

// compare compares the code with every authenticator, whatever the first one
// says: it takes the same time for right, wrong and locked.
func (f *Flow) compare(a accounts.Account, code string) (best found, err error) {
	for _, c := range a.Credentials {
		if c.Factor != identity.TOTP {
			continue
		}
		secret, err := f.Ring.Open("credential", c.Secret, c.SecretBinding()...)
		if err != nil {
			return found{}, err
		}
		result, step := totp.Check(string(secret), code, f.Now(), c.LastStep)
		if result == totp.Right || best.result == totp.Wrong {
			best = found{result, step, c}
		}
	}
	return best, nil
}

// conclude spends what the code reveals and says what it was. A locked
// subject learns nothing, and spends nothing.
func (f *Flow) conclude(ctx context.Context, r Record, a accounts.Account, c found, b limits.Balance, left int, v Visitor) (Result, error) {
	if !b.Allowed {
		err := f.note(ctx, r, v, audit.ChallengeLocked, policy.Reason{Code: policy.ReasonBudget})
		return f.ask(r, a, templates.Message{}, b), err
	}
	if c.result != totp.Wrong {
		err := f.Accounts.AdvanceStep(ctx, c.credential.ID, c.step, c.result == totp.Right, f.Now())
		switch {
		case errors.Is(err, accounts.ErrSpent) && c.result == totp.Right:
			c.result = totp.Spent // in parallel, a moment ago
		case err != nil && !errors.Is(err, accounts.ErrSpent):
			return Result{}, err
		}
	}
	if c.result == totp.Right {
		return f.passed(ctx, r, v)
	}
	return f.failed(ctx, r, a, c, b, left, v)
}

// passed spends the challenge, gives the attempt back and lets through.
func (f *Flow) passed(ctx context.Context, r Record, v Visitor) (Result, error) {
	err := f.spend(ctx, r)
	if errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	}
	if err != nil {
		return Result{}, err
	}
	if err := f.Budgets.Refund(ctx, budgetKey(r.Subject, v), budget, f.Now()); err != nil {
		return Result{}, err
	}
	if err := f.note(ctx, r, v, audit.ChallengePassed, policy.Reason{Code: policy.ReasonFactorPassed, Detail: string(identity.TOTP)}); err != nil {
		return Result{}, err
	}
	return Result{Passed: true, AMR: []string{identity.TOTP.AMR(), "mfa"}}, nil
}

func (f *Flow) failed(ctx context.Context, r Record, a accounts.Account, c found, b limits.Balance, left int, v Visitor) (Result, error) {
	message := templates.Message{Kind: templates.WrongCode, Left: min(left, b.Remaining)}
	reason := policy.ReasonWrongCode
	switch c.result {
	case totp.Spent:
		message.Kind, reason = templates.SpentCode, policy.ReasonSpentCode
	case totp.Stale:
		message.Kind, reason = templates.StaleCode, policy.ReasonStaleCode
		message.Ago = time.Duration(totp.Step(f.Now())-c.step) * totp.Period
	}
	if err := f.note(ctx, r, v, audit.ChallengeFailed, policy.Reason{Code: reason}); err != nil {
		return Result{}, err
	}
	switch {
	case b.Remaining == 0:
		b.Allowed = false // this was the last for long: say so now
	case left == 0:
		return exhausted, nil
	}
	return f.ask(r, a, message, b), nil
}
