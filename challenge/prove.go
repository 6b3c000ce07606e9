package challenge

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// way is one way to prove who one is: a factor that is held, or a ticket.
type way interface {
	// name is the factor's, or what the gate is opened by.
	name() string
	// read refuses what cannot be an answer, before it costs an attempt.
	read(a Answer) (templates.Message, bool)
	// check compares. It takes the same time whatever comes out.
	check(ctx context.Context, a Answer) (verdict, error)
	// page asks.
	page(ctx context.Context, m templates.Message) (templates.View, error)
}

// sender is a way whose code has to be sent first.
type sender interface {
	send(ctx context.Context) (templates.Message, error)
}

// verdict is what an answer turned out to be.
type verdict struct {
	right    bool
	strength identity.Strength
	message  templates.MessageKind // says what was wrong
	reason   policy.Reason
	detail   templates.Message
	// spend makes the answer worthless for the next one: of parallel answers
	// one gets nil. It may also find out that it is worthless already.
	spend func(context.Context) error
	// spentAs is what the answer was if spend says accounts.ErrSpent, and
	// wrongAs if it says accounts.ErrNoCredential or ErrNoTicket.
	spentAs, wrongAs templates.MessageKind
}

// wayOf is the way of a factor that is offered; of the first if there is none
// of this name.
func (s *step) wayOf(name string) way {
	offered := s.offered()
	if len(offered) == 0 {
		return nil
	}
	f := offered[0]
	if slices.Contains(offered, identity.Factor(name)) {
		f = identity.Factor(name)
	}
	switch f {
	case identity.TOTP:
		return totpWay{s}
	case identity.Passkey:
		return passkeyWay{s}
	case identity.Recovery:
		return recoveryWay{s}
	default:
		return s.sentWay(f)
	}
}

// provePage asks for a factor, or says that there is none.
func (s *step) provePage(ctx context.Context, name string, m templates.Message) (Result, error) {
	w := s.wayOf(name)
	if w == nil {
		return s.stuckPage(m), nil
	}
	return s.ask(ctx, w, m)
}

func (s *step) ask(ctx context.Context, w way, m templates.Message) (Result, error) {
	view, err := w.page(ctx, m)
	if errors.Is(err, ErrNotFound) {
		return gone, nil
	}
	return s.result(view, m), err
}

// prove takes an answer: charge, compare, spend.
func (s *step) prove(ctx context.Context, a Answer, w way) (Result, error) {
	s.trust = a.Trust
	if sends, ok := w.(sender); ok && a.Send {
		return s.sendBy(ctx, w, sends)
	}
	if m, ok := w.read(a); !ok {
		if err := s.peek(ctx); err != nil {
			return Result{}, err
		}
		return s.ask(ctx, w, m)
	}
	v, over, err := s.try(ctx, a, w)
	if over != nil || err != nil {
		return deref(over), err
	}
	return s.conclude(ctx, a, w, v)
}

// try compares what is to prove a person, after it was paid for: by the
// challenge, and by the subject over all challenges. over is the result when
// the challenge has no attempt left.
func (s *step) try(ctx context.Context, a Answer, w way) (v verdict, over *Result, err error) {
	if over, err = s.attempt(ctx, codeAttempts); over != nil || err != nil {
		return v, over, err
	}
	if s.balance, err = s.Budgets.Charge(ctx, s.budgetKey(), budget, s.now); err != nil {
		return v, nil, err
	}
	v, err = w.check(ctx, a)
	return v, nil, err
}

// sendBy sends a code, unless the person may not try one.
func (s *step) sendBy(ctx context.Context, w way, sends sender) (Result, error) {
	if err := s.peek(ctx); err != nil {
		return Result{}, err
	}
	var m templates.Message
	if s.balance.Allowed {
		var err error
		if m, err = sends.send(ctx); err != nil {
			return Result{}, err
		}
	}
	return s.ask(ctx, w, m)
}

// conclude spends what the answer reveals and says what it was. A locked
// subject learns nothing, and spends nothing.
func (s *step) conclude(ctx context.Context, a Answer, w way, v verdict) (Result, error) {
	if !s.balance.Allowed {
		err := s.note(ctx, s.record, s.visitor, audit.ChallengeLocked, policy.Reason{Code: policy.ReasonBudget})
		if err != nil {
			return Result{}, err
		}
		return s.ask(ctx, w, templates.Message{})
	}
	if v.spend != nil {
		err := v.spend(ctx)
		switch {
		case errors.Is(err, accounts.ErrSpent) && v.right:
			v.right, v.message = false, v.spentAs // in parallel, a moment ago
			v.reason = policy.Reason{Code: policy.ReasonSpentCode}
		case errors.Is(err, accounts.ErrNoCredential), errors.Is(err, accounts.ErrNoTicket):
			v.right, v.message = false, v.wrongAs
		case err != nil && !errors.Is(err, accounts.ErrSpent):
			return Result{}, err
		}
	}
	if v.right {
		return s.passed(ctx, a, w, v)
	}
	return s.failed(ctx, w, v)
}

// passed gives the attempt back, and lets through: past the gate, or past the
// challenge, which is spent.
func (s *step) passed(ctx context.Context, a Answer, w way, v verdict) (Result, error) {
	if s.record.Enroll {
		return s.open(ctx, w.name(), v.strength)
	}
	err := s.spend(ctx, s.record)
	if errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	}
	if err != nil {
		return Result{}, err
	}
	if err := s.Budgets.Refund(ctx, s.budgetKey(), budget, s.now); err != nil {
		return Result{}, err
	}
	if err := s.note(ctx, s.record, s.visitor, audit.ChallengePassed, policy.Reason{Code: policy.ReasonFactorPassed, Detail: w.name()}); err != nil {
		return Result{}, err
	}
	f := identity.Factor(w.name())
	return Result{Passed: true, AMR: []string{f.AMR(), "mfa"}, Factor: f, Strength: v.strength, Unnoticed: s.unnoticed(),
		Trust: a.Trust && s.asking(templates.Message{}, nil).Trust > 0}, nil
}

// unnoticed tells whether something was bound in another browser, of which the
// person has not been told in this one.
func (s *step) unnoticed() bool {
	return slices.ContainsFunc(s.held, func(c accounts.Credential) bool {
		return !c.Noticed && !bytes.Equal(c.Bound.Mark, s.visitor.Mark)
	})
}

// open passes the gate and goes on to the binding.
func (s *step) open(ctx context.Context, by string, strength identity.Strength) (Result, error) {
	err := s.Challenges.Open(ctx, s.record.ID, by, strength, s.now)
	if errors.Is(err, ErrNotFound) {
		return spent, nil
	}
	if err != nil {
		return Result{}, err
	}
	if err := s.Budgets.Refund(ctx, s.budgetKey(), budget, s.now); err != nil {
		return Result{}, err
	}
	if err := s.note(ctx, s.record, s.visitor, audit.GateOpened, policy.Reason{Code: policy.ReasonFactorPassed, Detail: by}); err != nil {
		return Result{}, err
	}
	s.record.Opened, s.record.Strength = by, strength
	return s.bindPage(ctx, "", templates.Message{})
}

// failed says what was wrong, and how much is left.
func (s *step) failed(ctx context.Context, w way, v verdict) (Result, error) {
	m := v.detail
	m.Kind, m.Left = v.message, min(s.left, s.balance.Remaining)
	if err := s.note(ctx, s.record, s.visitor, audit.ChallengeFailed, v.reason); err != nil {
		return Result{}, err
	}
	switch {
	case s.balance.Remaining == 0:
		s.balance.Allowed = false // this was the last for long: say so now
	case s.left == 0:
		return exhausted, nil
	}
	return s.ask(ctx, w, m)
}
