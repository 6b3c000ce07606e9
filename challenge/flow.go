package challenge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// Lifetime is how long a challenge can be passed. It outlives a pending key
// (10 minutes), so that a fresh one can be had in place.
const Lifetime = 30 * time.Minute

// pendingLife is how long a key that is shown can be bound.
const pendingLife = 10 * time.Minute

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

// Flow runs challenges. All its fields are needed.
type Flow struct {
	Accounts   accounts.Store
	Challenges Store
	Budgets    limits.Store
	Trail      audit.Trail
	Ring       *seal.Ring
	Issuer     string // as the authenticator app shows it
	Now        func() time.Time
}

// NewID makes the id of a challenge.
func NewID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Visitor is who stands before a challenge: what the audit trail notes, and
// whether the subject passed in this browser before.
type Visitor struct {
	Address string
	Browser string
	Known   bool
}

// Answer is what a person sent.
type Answer struct {
	Code          string // to pass
	First, Second string // to bind
	Fresh         bool   // asks for a new key instead
}

// Result is how a step ended: with a page, or with a pass.
type Result struct {
	View   templates.View
	Status int
	// Passed: the challenge is spent, and the session may be raised.
	Passed bool
	AMR    []string // what was added to the first factor's
	// Over: the challenge is spent without a pass; the session must end.
	Over bool
	// Anew: there is nothing to see; the person signs in again.
	Anew bool
}

// Begin stores a challenge, with the key to bind if it is one, and notes that
// it was asked.
func (f *Flow) Begin(ctx context.Context, r Record, v Visitor, reasons []policy.Reason) error {
	if err := f.note(ctx, r, v, audit.ChallengeAsked, reasons...); err != nil {
		return err
	}
	if r.Enroll {
		var err error
		if r.Pending, err = f.newPending(r, f.Now()); err != nil {
			return err
		}
	}
	return f.Challenges.Create(ctx, r)
}

// Show says what a person who opens the challenge sees.
func (f *Flow) Show(ctx context.Context, r Record, v Visitor) (Result, error) {
	account, err := f.Accounts.Account(ctx, r.Subject)
	if err != nil {
		return Result{}, err
	}
	if stale(r, account) {
		return f.end(ctx, r, gone)
	}
	if r.Attempts >= r.attempts() {
		return f.end(ctx, r, Result{Over: true, Anew: true})
	}
	if r.Enroll {
		return f.showEnroll(ctx, r, templates.Message{}, 200)
	}
	balance, err := f.Budgets.Peek(ctx, budgetKey(r.Subject, v), budget, f.Now())
	if err != nil {
		return Result{}, err
	}
	return f.ask(r, account, templates.Message{}, balance), nil
}

// spent is for who comes second with the same challenge: the session is the
// first one's, and goes on.
var spent = Result{View: templates.Notice{Kind: templates.NoticeChallengeGone}, Status: 403}

var gone = Result{View: templates.Notice{Kind: templates.NoticeChallengeGone}, Status: 403, Over: true}

// stale tells that the person's state no longer is what the challenge was
// made for: somebody bound a factor meanwhile, or an administrator reset it.
func stale(r Record, a accounts.Account) bool {
	if r.Enroll {
		return a.State != identity.NeverBound && !slices.Contains(r.Purpose.bindable(), a.State)
	}
	return a.State != identity.Bound
}

// ask is the page that takes a code.
func (f *Flow) ask(r Record, a accounts.Account, m templates.Message, b limits.Balance) Result {
	view := templates.Challenge{ID: r.ID, Message: m}
	if len(a.Credentials) > 0 {
		view.Credential, view.BoundAt = a.Credentials[0].Name, a.Credentials[0].BoundAt
	}
	status := 200
	if m.Any() {
		status = 422
	}
	if !b.Allowed {
		view.LockedUntil, view.Message, status = b.RetryAt, templates.Message{}, 429
	}
	return Result{View: view, Status: status}
}

// Submit takes an answer.
func (f *Flow) Submit(ctx context.Context, r Record, a Answer, v Visitor) (Result, error) {
	if r.Enroll {
		return f.bind(ctx, r, a, v)
	}
	return f.check(ctx, r, a, v)
}

// Linked passes a challenge by the word of another site of the realm, where
// the person passed before.
func (f *Flow) Linked(ctx context.Context, r Record, v Visitor, site string) (Result, error) {
	account, err := f.Accounts.Account(ctx, r.Subject)
	if err != nil {
		return Result{}, err
	}
	if stale(r, account) || r.Enroll {
		return f.end(ctx, r, gone)
	}
	err = f.spend(ctx, r)
	if errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	}
	if err == nil {
		err = f.note(ctx, r, v, audit.ChallengeLinked, policy.Reason{Code: policy.ReasonLinked, Detail: site})
	}
	return Result{Passed: err == nil}, err
}

// Cancel spends a challenge that the person does not want.
func (f *Flow) Cancel(ctx context.Context, r Record, v Visitor) error {
	_, err := f.Challenges.Take(ctx, r.ID, f.Now())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return errors.Join(err, f.note(ctx, r, v, audit.ChallengeLeft, policy.Reason{Code: policy.ReasonPersonCanceled}))
}

// attempt spends one of the challenge's own attempts. over is the result when
// none is left.
func (f *Flow) attempt(ctx context.Context, r Record) (left int, over *Result, err error) {
	left, err = f.Challenges.Attempt(ctx, r.ID, r.attempts(), f.Now())
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, &spent, nil
	case errors.Is(err, ErrExhausted):
		return 0, &exhausted, nil
	}
	return left, nil, err
}

// exhausted is for who has no attempt left: the next one needs the password
// again. It ends nothing yet, since an answer that was sent earlier may still
// turn out to be right. Show does.
var exhausted = Result{View: templates.Notice{Kind: templates.NoticeTooManyAttempts}, Status: 429}

// attempts is how many a challenge has.
func (r Record) attempts() int {
	if r.Enroll {
		return bindAttempts
	}
	return codeAttempts
}

// end spends a challenge that nobody can pass any more. Who has passed with it
// a moment ago keeps the session, although it still has to be raised.
func (f *Flow) end(ctx context.Context, r Record, why Result) (Result, error) {
	err := f.spend(ctx, r)
	if errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	}
	if err == nil {
		_, err = f.Challenges.Take(ctx, r.ID, f.Now())
	}
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return why, err
}

// spend makes a challenge unusable: of two parallel passes one gets
// accounts.ErrSpent. Its record may stay until it expires, and be there again
// after a failover: what counts lies in accounts.
func (f *Flow) spend(ctx context.Context, r Record) error {
	return f.Accounts.SpendID(ctx, "challenge/"+r.ID, r.ExpiresAt)
}

func (f *Flow) note(ctx context.Context, r Record, v Visitor, e audit.Event, reasons ...policy.Reason) error {
	err := f.Trail.Append(ctx, audit.Record{At: f.Now(), Event: e, Site: r.Site, Subject: r.Subject,
		Reasons: reasons, Reference: r.Reference, Address: v.Address, Browser: v.Browser})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

func budgetKey(s identity.Subject, v Visitor) string {
	if v.Known {
		return "factors/known/" + s.String()
	}
	return "factors/strangers/" + s.String()
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
