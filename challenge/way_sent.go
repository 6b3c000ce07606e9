package challenge

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// What a code is sent for. A code for one is wrong for the others.
const (
	whyPass  = "pass"
	whyBind  = "bind"
	whyGate  = "gate"
	whyCheck = "check"
)

// waiting is a code that was sent, as it lies in the challenge. Address is
// sealed, and there only as long as it is nobody's contact.
type waiting struct {
	otp.Sent
	Address []byte `json:"address,omitempty"`
}

// codePart is the part in which the code of a contact waits. There is one for
// each use: another send of it voids the one before.
func codePart(why string, f identity.Factor) string { return "code-" + why + "-" + string(f) }

// codeBinding is all that a code is for.
func (r Record) codeBinding(why string) []string {
	return []string{r.ID, string(r.Session[:]), r.Subject.String(), r.Site, string(r.Purpose), why}
}

// letter is a code on its way to a contact.
type letter struct {
	why     string
	factor  identity.Factor
	contact string // id
	to      contacts.Address
	address []byte // sealed, where it is nobody's contact yet
}

// post sends a code. Only the newest counts; the counter of attempts goes on.
// Something that can be said to the person is no error.
func (s *step) post(ctx context.Context, l letter) (templates.Message, error) {
	if m, err := s.maySend(ctx); m.Any() || err != nil {
		return m, err
	}
	code := otp.New()
	sent := waiting{otp.Seal(s.Ring.Derive("otp")[0], code, l.contact, l.factor, s.now, s.record.codeBinding(l.why)...), l.address}
	data, err := json.Marshal(sent)
	if err != nil {
		return templates.Message{}, err
	}
	l.to.Lang = s.visitor.Language
	err = s.Book.SendCode(ctx, l.to, code, s.purposeOf(l.why), s.record.Site, s.visitor.Host)
	if m, told := notSent(err); told {
		return m, s.note(ctx, s.record, s.visitor, audit.CodeNotSent, sentBy(l))
	}
	if err != nil {
		return templates.Message{}, err
	}
	p := Part{Name: codePart(l.why, l.factor), ID: sent.ID, Data: data, ExpiresAt: sent.ExpiresAt}
	if err := s.Challenges.PutPart(ctx, s.record.ID, p, s.now); err != nil {
		return templates.Message{}, err
	}
	s.record = s.record.with(p)
	return templates.Message{}, s.note(ctx, s.record, s.visitor, audit.CodeSent, sentBy(l))
}

// sendings is how many codes one person may have sent, to whatever contacts:
// who has a password could let them rain on others' telephones.
var sendings = []limits.Rate{{Count: 10, Period: time.Hour}, {Count: 30, Period: 24 * time.Hour}}

func (s *step) maySend(ctx context.Context) (templates.Message, error) {
	b, err := s.Budgets.Charge(ctx, "send/subject/"+s.record.Subject.String(), sendings, s.now)
	if err != nil || b.Allowed {
		return templates.Message{}, err
	}
	return templates.Message{Kind: templates.SendLater, Until: b.RetryAt}, nil
}

// notSent is why no code could be sent, as the person is told.
func notSent(err error) (templates.Message, bool) {
	var limited contacts.TooMany
	switch {
	case errors.As(err, &limited):
		return templates.Message{Kind: templates.SendLater, Until: limited.RetryAt}, true
	case errors.Is(err, notify.ErrUnavailable):
		return templates.Message{Kind: templates.NotSent}, true
	}
	return templates.Message{}, false
}

func sentBy(l letter) policy.Reason {
	return policy.Reason{Code: policy.ReasonFactor, Detail: string(l.factor)}
}

func (s *step) purposeOf(why string) templates.CodePurpose {
	switch {
	case why == whyBind:
		return templates.CodeContact
	case why == whyCheck:
		return templates.CodeIdentity
	case s.record.Purpose == StepUp:
		return templates.CodeChange
	default:
		return templates.CodeSignIn
	}
}

// sent is the code that waits.
func (s *step) sent(why string, f identity.Factor) (w waiting, ok bool) {
	p, ok := s.record.part(codePart(why, f), s.now)
	return w, ok && json.Unmarshal(p.Data, &w) == nil
}

// sentPage asks for a code that was sent, or whether to send one.
func (s *step) sentPage(why string, f identity.Factor, masked string, m templates.Message, ways []templates.FactorWay) templates.View {
	view := templates.SentCode{Asking: s.asking(m, ways), Kind: string(f), Why: why, Masked: masked}
	if w, ok := s.sent(why, f); ok {
		view.Sent, view.ResendAt, view.ExpiresAt = true, w.Again(), w.ExpiresAt
	}
	if m.Kind == templates.SendLater && m.Until.After(view.ResendAt) {
		view.ResendAt = m.Until
	}
	return view
}

// readSent refuses what is no code of ours.
func readSent(a Answer) (templates.Message, bool) {
	_, ok := digits(a.Code)
	return templates.Message{Kind: templates.NotDigits}, ok
}

// checkSent compares a code with the one that waits for this contact.
func (s *step) checkSent(why string, f identity.Factor, contact, typed string) (w waiting, v verdict) {
	code, _ := digits(typed)
	w, there := s.sent(why, f)
	right := false
	for _, key := range s.Ring.Derive("otp") {
		if w.Right(key, code, s.now, s.record.codeBinding(why)...) {
			right = true
		}
	}
	v = verdict{right: right && there && w.Contact == contact, message: templates.SentWrong, spentAs: templates.SentGone,
		reason: policy.Reason{Code: policy.ReasonWrongCode}}
	if !there {
		v.message, v.reason.Code = templates.SentGone, policy.ReasonStaleCode
	}
	if v.right {
		v.spend = func(ctx context.Context) error { return s.spendSent(ctx, why, w) }
	}
	return w, v
}

// spendSent spends a code where it stays spent although the challenge comes
// back.
func (s *step) spendSent(ctx context.Context, why string, w waiting) error {
	if err := s.Accounts.SpendID(ctx, "code/"+w.ID, w.ExpiresAt); err != nil {
		return err
	}
	_, err := s.Challenges.TakePart(ctx, s.record.ID, codePart(why, w.Factor), w.ID, s.now)
	if errors.Is(err, ErrNotFound) {
		return accounts.ErrSpent
	}
	return err
}

// sentWay takes a code that was sent to a contact on file: one that is a
// factor, or, at the gate before a first binding and to see who files a
// request, any.
type sentWay struct {
	*step
	why     string
	contact accounts.Contact
}

func (s *step) sentWay(f identity.Factor) way {
	contact, _ := s.account.Contact(f)
	return sentWay{s, whyPass, contact}
}

func (w sentWay) name() string                          { return string(w.contact.Kind) }
func (sentWay) read(a Answer) (templates.Message, bool) { return readSent(a) }

func (w sentWay) page(_ context.Context, m templates.Message) (templates.View, error) {
	others := w.contactWays(w.contact.Kind)
	if w.why == whyPass {
		others = w.ways(w.name())
	}
	masked, err := w.Book.Mask(w.contact)
	return w.sentPage(w.why, w.contact.Kind, masked, m, others), err
}

func (w sentWay) send(ctx context.Context) (templates.Message, error) {
	to, err := w.Book.Open(w.contact)
	if err != nil {
		return templates.Message{}, err
	}
	return w.post(ctx, letter{why: w.why, factor: w.contact.Kind, contact: w.contact.ID, to: to})
}

func (w sentWay) check(_ context.Context, a Answer) (verdict, error) {
	_, v := w.checkSent(w.why, w.contact.Kind, w.contact.ID, a.Code)
	if w.why != whyPass { // no factor is used
		return v, nil
	}
	for _, c := range w.held {
		if c.ID == w.contact.ID {
			v.strength = c.Strength
		}
	}
	if spend := v.spend; spend != nil {
		v.spend = func(ctx context.Context) error {
			if err := spend(ctx); err != nil {
				return err
			}
			return w.Accounts.NoteUse(ctx, w.contact.ID, w.now)
		}
	}
	return v, nil
}
