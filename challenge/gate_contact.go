package challenge

import (
	"context"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/templates"
)

// onFile is the way by the contact of this kind, or by the first that can be
// reached; nil if there is none.
func (s *step) onFile(kind, why string) way {
	reach := s.reachable()
	if len(reach) == 0 {
		return nil
	}
	use := reach[0]
	for _, c := range reach {
		if string(c.Kind) == kind {
			use = c
		}
	}
	return sentWay{s, why, use}
}

// reachable are the contacts to which something can be sent.
func (s *step) reachable() (all []accounts.Contact) {
	for _, kind := range []identity.Factor{identity.SMS, identity.Email} {
		if c, ok := s.account.Contact(kind); ok && s.Book.Has(kind) {
			all = append(all, c)
		}
	}
	return all
}

// contactWays are all of them as a choice.
func (s *step) contactWays(but identity.Factor) (ways []templates.FactorWay) {
	for _, c := range s.reachable() {
		if c.Kind != but {
			ways = append(ways, templates.FactorWay{Factor: string(c.Kind), Detail: s.called(c.Kind)})
		}
	}
	return ways
}

// gatePage asks for a code to a contact on file.
func (s *step) gatePage(ctx context.Context, way string, m templates.Message) (Result, error) {
	w := s.onFile(way, whyGate)
	if w == nil { // there was one when the challenge began
		return s.stuckPage(m), nil
	}
	view, err := w.page(ctx, m)
	return s.result(view, m), err
}

func (s *step) throughContact(ctx context.Context, a Answer) (Result, error) {
	w := s.onFile(a.Way, whyGate)
	if w == nil {
		return s.show(ctx, "", templates.Message{})
	}
	return s.prove(ctx, a, w)
}
