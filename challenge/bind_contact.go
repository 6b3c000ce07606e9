package challenge

import (
	"context"
	"errors"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// A number or address is bound in two steps: a code that was sent there shows
// that the person reads it, and then the person says that it shall be a
// factor. Until then it is nobody's contact, so that who has a password alone
// leaves nothing behind. On the security page the first step is all.

// provedPart is a contact whose code was right, and which waits to be made a
// factor. It holds the sealed address.
func provedPart(f identity.Factor) string { return "proved-" + string(f) }

// contactPage asks for an address, for the code that went there, or whether it
// shall be a factor.
func (s *step) contactPage(f identity.Factor, asking templates.Asking) (Result, error) {
	if p, ok := s.record.part(provedPart(f), s.now); ok {
		to, err := s.openAddress(p.ID, f, p.Data)
		return s.result(templates.EnrollSent{Asking: asking, Kind: string(f), Masked: contacts.Mask(f, to.To)}, asking.Message), err
	}
	if w, ok := s.sent(whyBind, f); ok {
		to, err := s.openAddress(w.Contact, f, w.Address)
		return s.result(s.sentPage(whyBind, f, contacts.Mask(f, to.To), asking.Message, asking.Ways), asking.Message), err
	}
	return s.result(templates.EnrollContact{Asking: asking, Kind: string(f)}, asking.Message), nil
}

// bindContact takes an address, a code, or the word that it shall be a factor.
func (s *step) bindContact(ctx context.Context, f identity.Factor, a Answer) (Result, error) {
	w, waits := s.sent(whyBind, f)
	proved, ok := s.record.part(provedPart(f), s.now)
	switch {
	case ok && a.Enable:
		return s.enable(ctx, f, proved)
	case a.Again:
		return s.forgetAddress(ctx, f, w, waits, proved, ok)
	case ok, waits && !a.Send && a.Address == "":
		return s.takeBindCode(ctx, f, a)
	case waits && a.Address == "":
		to, err := s.openAddress(w.Contact, f, w.Address)
		if err != nil {
			return Result{}, err
		}
		return s.sendToNew(ctx, f, w.Contact, to)
	default:
		return s.takeAddress(ctx, f, a)
	}
}

// forgetAddress goes back to the question for an address.
func (s *step) forgetAddress(ctx context.Context, f identity.Factor, w waiting, waits bool, proved Part, isProved bool) (Result, error) {
	var err error
	if waits {
		_, err = s.Challenges.TakePart(ctx, s.record.ID, codePart(whyBind, f), w.ID, s.now)
		delete(s.record.Parts, codePart(whyBind, f))
	}
	if isProved {
		_, taken := s.Challenges.TakePart(ctx, s.record.ID, proved.Name, proved.ID, s.now)
		err = errors.Join(err, taken)
		delete(s.record.Parts, proved.Name)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Result{}, err
	}
	return s.bindPage(ctx, string(f), templates.Message{})
}

// takeAddress reads an address and sends a code there.
func (s *step) takeAddress(ctx context.Context, f identity.Factor, a Answer) (Result, error) {
	to, err := contacts.Read(f, a.Address, s.Book.Region)
	if m, refused := unreadable(err); refused {
		_, others := s.binds(string(f))
		return s.result(templates.EnrollContact{Asking: s.asking(m, others), Kind: string(f), Typed: a.Address}, m), nil
	}
	if err != nil {
		return Result{}, err
	}
	return s.sendToNew(ctx, f, NewID(), contacts.Address{Kind: f, To: to})
}

// unreadable is what was wrong with an address.
func unreadable(err error) (templates.Message, bool) {
	var refused contacts.Refusal
	if !errors.As(err, &refused) {
		return templates.Message{}, false
	}
	switch refused {
	case contacts.NotAddress:
		return templates.Message{Kind: templates.NotAnAddress}, true
	case contacts.NotMobile, contacts.HasExtension:
		return templates.Message{Kind: templates.NotMobile}, true
	default:
		return templates.Message{Kind: templates.NotANumber}, true
	}
}

func (s *step) sendToNew(ctx context.Context, f identity.Factor, id string, to contacts.Address) (Result, error) {
	sealed := s.Ring.Seal("pending", []byte(to.To), s.addressBinding(id, f)...)
	m, err := s.post(ctx, letter{why: whyBind, factor: f, contact: id, to: to, address: sealed})
	if err != nil {
		return Result{}, err
	}
	if _, ok := s.sent(whyBind, f); !ok {
		_, others := s.binds(string(f))
		return s.result(templates.EnrollContact{Asking: s.asking(m, others), Kind: string(f), Typed: to.To}, m), nil
	}
	return s.bindPage(ctx, string(f), m)
}

func (s *step) addressBinding(id string, f identity.Factor) []string {
	return []string{"challenges", "address", s.record.ID, id, string(f), s.record.Subject.String()}
}

func (s *step) openAddress(id string, f identity.Factor, sealed []byte) (contacts.Address, error) {
	to, err := s.Ring.Open("pending", sealed, s.addressBinding(id, f)...)
	return contacts.Address{Kind: f, To: string(to), Lang: s.visitor.Language}, err
}

// takeBindCode takes the code that went to the new address.
func (s *step) takeBindCode(ctx context.Context, f identity.Factor, a Answer) (Result, error) {
	if m, ok := readSent(a); !ok {
		return s.bindPage(ctx, string(f), m)
	}
	if over, err := s.attempt(ctx, codeAttempts); over != nil || err != nil {
		return deref(over), err
	}
	w, there := s.sent(whyBind, f)
	w, v := s.checkSent(whyBind, f, w.Contact, a.Code)
	if v.right {
		err := v.spend(ctx)
		if errors.Is(err, accounts.ErrSpent) {
			v.right, v.message = false, templates.SentGone
		} else if err != nil {
			return Result{}, err
		}
	}
	if !v.right || !there {
		return s.refuse(ctx, f, templates.Message{Kind: v.message, Left: s.left}, v.reason)
	}
	return s.proved(ctx, f, w)
}

// proved keeps the address until the person says that it shall be a factor;
// where only a contact was wanted, that is all.
func (s *step) proved(ctx context.Context, f identity.Factor, w waiting) (Result, error) {
	delete(s.record.Parts, codePart(whyBind, f))
	p := Part{Name: provedPart(f), ID: w.Contact, Data: w.Address, ExpiresAt: s.now.Add(keyLife)}
	if s.record.Purpose == Manage {
		return s.changeContact(ctx, f, p)
	}
	if err := s.Challenges.PutPart(ctx, s.record.ID, p, s.now); err != nil {
		return Result{}, err
	}
	s.record = s.record.with(p)
	return s.bindPage(ctx, string(f), templates.Message{})
}

// enable makes the contact the person's, and a factor.
func (s *step) enable(ctx context.Context, f identity.Factor, p Part) (Result, error) {
	c, m, err := s.putContact(ctx, f, p)
	if err != nil {
		return Result{}, err
	}
	if m.Any() {
		return s.refuse(ctx, f, m, policy.Reason{Code: policy.ReasonShared, Detail: string(f)})
	}
	masked, err := s.Book.Mask(c)
	if err != nil {
		return Result{}, err
	}
	return s.confirm(ctx, accounts.Credential{ID: c.ID, Factor: f, Name: masked}, "")
}

// putContact stores a contact that was proved in place of the one there is. The
// credential of that, if it is one, is the new one's.
func (s *step) putContact(ctx context.Context, f identity.Factor, p Part) (accounts.Contact, templates.Message, error) {
	to, err := s.openAddress(p.ID, f, p.Data)
	if err != nil || !s.mayReplace(f) {
		return accounts.Contact{}, templates.Message{Kind: templates.SentGone}, err
	}
	c, old := s.Book.Seal(s.record.Subject, to), ""
	if before, ok := s.account.Contact(f); ok {
		old = before.ID
	}
	err = s.Accounts.PutContact(ctx, c, old, s.account.State) // who is overtaken leaves nothing behind
	switch {
	case errors.Is(err, accounts.ErrShared):
		return c, templates.Message{Kind: templates.SharedContact}, nil
	case errors.Is(err, accounts.ErrNoContact), errors.Is(err, accounts.ErrAlreadyBound):
		return c, templates.Message{Kind: templates.SentGone}, nil
	}
	for i := range s.account.Credentials {
		if old == s.account.Credentials[i].ID {
			s.account.Credentials[i].ID = c.ID
		}
	}
	return c, templates.Message{}, err
}

// changeContact ends a challenge that was about a contact alone. The old
// contact hears of it as well.
func (s *step) changeContact(ctx context.Context, f identity.Factor, p Part) (Result, error) {
	if err := s.spend(ctx, s.record); errors.Is(err, accounts.ErrSpent) {
		return spent, nil
	} else if err != nil {
		return Result{}, err
	}
	c, m, err := s.putContact(ctx, f, p)
	if err != nil {
		return Result{}, err
	}
	switch m.Kind {
	case "":
	case templates.SharedContact:
		return Result{View: templates.Notice{Kind: templates.NoticeSharedContact}, Status: 409}, nil
	default:
		return gone, nil
	}
	event, kind := audit.ContactBound, templates.AnnounceContactBound
	if _, ok := s.account.Contact(f); ok {
		event, kind = audit.ContactChanged, templates.AnnounceContactChanged
	}
	masked, err := s.Book.Mask(c)
	s.account.Contacts = append(s.account.Contacts, c)
	s.announce(ctx, kind, masked)
	err = errors.Join(err, s.note(ctx, s.record, s.visitor, event, policy.Reason{Code: policy.ReasonFactor, Detail: string(f)}))
	return Result{Passed: err == nil, Factor: f}, err
}
