package challenge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/passkey"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// Lifetime is how long a challenge can be passed. It outlives a pending key
// (10 minutes), so that a fresh one can be had in place.
const Lifetime = 30 * time.Minute

// Flow runs challenges. All its fields are needed.
type Flow struct {
	Accounts   accounts.Directory
	Challenges Store
	Budgets    limits.Store
	Trail      audit.Trail
	Ring       *seal.Ring
	Book       *contacts.Book
	Issuer     string       // as the authenticator app shows it
	Log        *slog.Logger // has of a refused passkey what the trail leaves out
	Now        func() time.Time
}

// NewID makes the id of a challenge.
func NewID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Visitor is who stands before a challenge, and what holds there.
type Visitor struct {
	accounts.Place
	Known    bool          // the subject passed in this browser before
	Language string        // BCP 47, to write to the person in
	Host     string        // of the site, as the operator names it; "" where nobody did
	Party    passkey.Party // to passkeys
	Rules    policy.Rules  // for this person at this site
}

// Answer is what a person sent from the page of a factor.
type Answer struct {
	Way           string // a factor, or WayStuck; "" is the first that is offered
	Code          string // of an app, a message, a paper or a ticket
	First, Second string // to bind an app
	Fresh         bool   // asks for a new key instead
	Send          bool   // asks for a code to be sent
	Kind          string // to which contact, where the way does not say
	Address       string // a number or address to bind
	Again         bool   // asks for another address
	Enable        bool   // makes a contact a factor
	Passkey       []byte // what the browser says, JSON
	Name          string // what to call it
	Trust         bool   // this browser needs no second factor for a while
	File          bool   // files a request without a check
}

// WayStuck is the way of who can use none of the factors.
const WayStuck = "stuck"

// Result is how a step ended: with a page, or with a pass.
type Result struct {
	View   templates.View
	Status int
	// Passed: the challenge is spent, and the session may be raised.
	Passed   bool
	AMR      []string // what was added to the first factor's
	Strength identity.Strength
	Factor   identity.Factor // that was passed or bound; "" where another site vouched
	// Unnoticed: something was bound in another browser, and the person was not
	// told so yet.
	Unnoticed bool
	Trust     bool // the person wants this browser to be trusted, and may
	// Over: the challenge is spent without a pass; the session must end.
	Over bool
	// Anew: there is nothing to see; the person signs in again.
	Anew bool
}

// Begin stores a challenge, and notes that it was asked.
func (f *Flow) Begin(ctx context.Context, r Record, v Visitor, reasons []policy.Reason) error {
	if err := f.note(ctx, r, v, audit.ChallengeAsked, reasons...); err != nil {
		return err
	}
	return f.Challenges.Create(ctx, r)
}

// Show says what a person who opens the challenge sees, by this way.
func (f *Flow) Show(ctx context.Context, r Record, way string, v Visitor) (Result, error) {
	st, over, err := f.step(ctx, r, v)
	if over != nil || err != nil {
		return deref(over), err
	}
	if r.Attempts >= st.attempts() {
		return f.end(ctx, r, Result{Over: true, Anew: true})
	}
	return st.show(ctx, way, templates.Message{})
}

// Submit takes an answer.
func (f *Flow) Submit(ctx context.Context, r Record, a Answer, v Visitor) (Result, error) {
	st, over, err := f.step(ctx, r, v)
	if over != nil || err != nil {
		return deref(over), err
	}
	return st.submit(ctx, a)
}

// spent is for who comes second with the same challenge: the session is the
// first one's, and goes on.
var spent = Result{View: templates.Notice{Kind: templates.NoticeChallengeGone}, Status: 403}

var gone = Result{View: templates.Notice{Kind: templates.NoticeChallengeGone}, Status: 403, Over: true}

func deref(r *Result) Result {
	if r == nil {
		return Result{}
	}
	return *r
}

// Linked passes a challenge by the word of another site of the realm, where
// the person passed before.
func (f *Flow) Linked(ctx context.Context, r Record, v Visitor, site string) (Result, error) {
	_, over, err := f.step(ctx, r, v)
	if over != nil || err != nil {
		return deref(over), err
	}
	if r.Enroll || !r.Purpose.raises() {
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
	why.Over = why.Over && r.Purpose.raises()
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

// announce tells the person at all contacts, those that were there before as
// well. A message that is lost undoes nothing.
func (s *step) announce(ctx context.Context, kind templates.AnnouncementKind, detail string) {
	s.Book.Announce(ctx, s.account.Contacts, contacts.Announcement{Kind: kind, Site: s.record.Site,
		Address: s.visitor.Address, Browser: s.visitor.Browser, Detail: detail})
}
