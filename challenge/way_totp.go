package challenge

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/totp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// totpWay takes a code of any of the person's authenticator apps.
type totpWay struct{ *step }

func (totpWay) name() string { return string(identity.TOTP) }

func (w totpWay) page(_ context.Context, m templates.Message) (templates.View, error) {
	view := templates.Challenge{Asking: w.asking(m, w.ways(w.name()))}
	for _, c := range w.held {
		if c.Factor == identity.TOTP {
			view.Credential, view.BoundAt = c.Name, c.BoundAt
			break
		}
	}
	return view, nil
}

func (totpWay) read(a Answer) (templates.Message, bool) {
	_, ok := digits(a.Code)
	return templates.Message{Kind: templates.NotDigits}, ok
}

// found is the best that a code is for any of the person's authenticators.
type found struct {
	result     totp.Result
	step       int64
	credential accounts.Credential
}

func (w totpWay) check(_ context.Context, a Answer) (verdict, error) {
	code, _ := digits(a.Code)
	best, err := w.compare(code)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{right: best.result == totp.Right, strength: best.credential.Strength, spentAs: templates.SpentCode,
		message: templates.WrongCode, reason: policy.Reason{Code: policy.ReasonWrongCode}}
	switch best.result {
	case totp.Spent:
		v.message, v.reason.Code = templates.SpentCode, policy.ReasonSpentCode
	case totp.Stale:
		v.message, v.reason.Code = templates.StaleCode, policy.ReasonStaleCode
		v.detail.Ago = time.Duration(totp.Step(w.now)-best.step) * totp.Period
	}
	if best.result != totp.Wrong { // a hint spends the step that it reveals
		v.spend = func(ctx context.Context) error {
			return w.Accounts.AdvanceStep(ctx, best.credential.ID, best.step, best.result == totp.Right, w.now)
		}
	}
	return v, nil
}

// compare compares the code with every authenticator, whatever the first one
// says: it takes the same time for right, wrong and locked.
func (w totpWay) compare(code string) (best found, err error) {
	for _, c := range w.held {
		if c.Factor != identity.TOTP {
			continue
		}
		secret, err := w.Ring.Open("credential", c.Secret, c.SecretBinding()...)
		if err != nil {
			return found{}, err
		}
		result, step := totp.Check(string(secret), code, w.now, c.LastStep)
		if result == totp.Right || best.result == totp.Wrong {
			best = found{result, step, c}
		}
	}
	return best, nil
}
