package challenge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// The attempts of one challenge. Codes are guesses; pairs that bind are not,
// since the key is on the page, but they must end somewhere.
const (
	codeAttempts = 5
	bindAttempts = 20
)

// budget is the failures that a subject has, all factors together: one bucket
// for strangers, one for browsers in which the subject passed before, so that
// outsiders cannot lock the owner out.
var budget = []limits.Rate{
	{Count: 10, Period: 24 * time.Hour},
	{Count: 100, Period: 30 * 24 * time.Hour},
}

// step is one request of a person to a challenge, and all it rests on.
type step struct {
	*Flow
	record  Record
	visitor Visitor
	account accounts.Account
	held    []accounts.Credential // those that count now
	now     time.Time
	left    int            // attempts of the challenge
	balance limits.Balance // attempts of the subject
	trust   bool           // the person wants this browser to be trusted
}

// step begins one. over is the result when the person's state no longer is
// what the challenge was made for: somebody bound a factor meanwhile, or an
// administrator reset it.
func (f *Flow) step(ctx context.Context, r Record, v Visitor) (st *step, over *Result, err error) {
	account, err := f.Accounts.Account(ctx, r.Subject)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(r.states(), account.State) || !account.LockedAt.IsZero() {
		result, err := f.end(ctx, r, gone)
		return nil, &result, err
	}
	now := f.Now()
	return &step{Flow: f, record: r, visitor: v, account: account, held: worthy(account.Usable(now), v.Rules), now: now,
		balance: limits.Balance{Allowed: true}}, nil, nil
}

// states are those in which a challenge means something.
func (r Record) states() []identity.Enrollment {
	switch {
	case !r.Enroll, r.Gate == policy.ByOldFactor, r.Purpose == Manage:
		return []identity.Enrollment{identity.Bound}
	case r.Gate == policy.ByTicket: // who is Bound has nothing that can be used here
		return []identity.Enrollment{identity.NeverBound, identity.Federated, identity.Reset, identity.Bound}
	case r.Purpose == SignOn:
		return []identity.Enrollment{identity.NeverBound, identity.Federated, identity.Reset}
	default:
		return []identity.Enrollment{identity.NeverBound}
	}
}

// raises tells whether a pass makes a session verified.
func (p Purpose) raises() bool { return p == Login || p == SignOn }

// stage is where a challenge stands.
type stage uint8

// The stages: docs/factors.md draws them.
const (
	proving   stage = iota // any factor that is held and counts
	ticketed               // a ticket, before anything is bound
	contacted              // a code to a contact on file, before anything is bound
	binding                // something new
)

func (r Record) stage() stage {
	switch {
	case !r.Enroll, r.Gate == policy.ByOldFactor && r.Opened == "":
		return proving
	case r.Gate == policy.ByTicket && r.Opened == "":
		return ticketed
	case r.Gate == policy.ByContact && r.Opened == "":
		return contacted
	default:
		return binding
	}
}

func (s *step) attempts() int {
	if s.record.stage() == binding {
		return bindAttempts
	}
	return codeAttempts
}

// show is the page of a way.
func (s *step) show(ctx context.Context, way string, m templates.Message) (Result, error) {
	if err := s.peek(ctx); err != nil {
		return Result{}, err
	}
	return s.page(ctx, way, m)
}

// page is the page of a way; what is left of attempts is known.
func (s *step) page(ctx context.Context, way string, m templates.Message) (Result, error) {
	if way == WayStuck && s.mayBeStuck() {
		return s.stuckPage(m), nil
	}
	switch s.record.stage() {
	case ticketed:
		return s.result(templates.Ticket{Asking: s.asking(m, nil)}, m), nil
	case contacted:
		return s.gatePage(ctx, way, m)
	case binding:
		return s.bindPage(ctx, way, m)
	default:
		return s.provePage(ctx, way, m)
	}
}

func (s *step) submit(ctx context.Context, a Answer) (Result, error) {
	if a.Way == WayStuck && s.mayBeStuck() {
		return s.stuck(ctx, a)
	}
	switch s.record.stage() {
	case ticketed:
		return s.prove(ctx, a, ticketWay{s})
	case contacted:
		return s.throughContact(ctx, a)
	case binding:
		return s.bind(ctx, a)
	default:
		way := s.wayOf(a.Way)
		if way == nil {
			return s.show(ctx, "", templates.Message{})
		}
		return s.prove(ctx, a, way)
	}
}

// result is a page with the status that says what it is.
func (s *step) result(v templates.View, m templates.Message) Result {
	switch {
	case !s.balance.Allowed:
		return Result{View: v, Status: 429}
	case m.Any():
		return Result{View: v, Status: 422}
	default:
		return Result{View: v, Status: 200}
	}
}

// asking is what all pages have in common. A locked page says nothing of the
// last attempt.
func (s *step) asking(m templates.Message, ways []templates.FactorWay) templates.Asking {
	a := templates.Asking{ID: s.record.ID, Purpose: s.record.Purpose.shown(), Message: m, Ways: ways, Stuck: s.mayBeStuck()}
	if s.record.stage() == proving && s.record.Purpose.raises() && !s.record.Enroll {
		a.Trust, a.TrustChosen = s.visitor.Rules.TrustBrowser, s.trust
	}
	if !s.balance.Allowed {
		a.LockedUntil, a.Message = s.balance.RetryAt, templates.Message{}
	}
	return a
}

// shown is what pages call a purpose: how somebody signed in makes no
// difference to them.
func (p Purpose) shown() string {
	if p == SignOn {
		return string(Login)
	}
	return string(p)
}

// peek tells how many failures the subject has left.
func (s *step) peek(ctx context.Context) (err error) {
	if s.record.stage() == binding {
		return nil // nothing is guessed
	}
	s.balance, err = s.Budgets.Peek(ctx, s.budgetKey(), budget, s.now)
	return err
}

// attempt spends one of the challenge's own attempts. over is the result when
// none is left.
func (s *step) attempt(ctx context.Context, max int) (over *Result, err error) {
	s.left, err = s.Challenges.Attempt(ctx, s.record.ID, max, s.now)
	switch {
	case errors.Is(err, ErrNotFound):
		return &spent, nil
	case errors.Is(err, ErrExhausted):
		return &exhausted, nil
	}
	return nil, err
}

// exhausted is for who has no attempt left: the next one needs the password
// again. It ends nothing yet, since an answer that was sent earlier may still
// turn out to be right. Show does.
var exhausted = Result{View: templates.Notice{Kind: templates.NoticeTooManyAttempts}, Status: 429}

func (s *step) budgetKey() string {
	if s.visitor.Known {
		return "factors/known/" + s.record.Subject.String()
	}
	return "factors/strangers/" + s.record.Subject.String()
}

// digits reads a code as people write and paste it: with blanks and hyphens,
// and in the full-width digits of Chinese input methods.
func digits(s string) (string, bool) {
	var out strings.Builder
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			out.WriteRune(c)
		case c >= '０' && c <= '９':
			out.WriteRune(c - '０' + '0')
		case c == ' ' || c == '-' || c == '\t' || c == '\u00a0' || c == '\u3000' || c == '\u2009' || c == '\u202f':
		default:
			return "", false
		}
	}
	return out.String(), out.Len() == 6
}
