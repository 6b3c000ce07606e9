package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/templates"
)

func (s *security) kind() identity.Factor   { return identity.Factor(s.asked("kind")) }
func (s *security) factor() identity.Factor { return identity.Factor(s.asked("factor")) }

// ask shows what a change would do.
func (s *security) ask(do templates.ChangeKind, field string, c templates.Change) error {
	c.Token, c.Do, c.Field = s.token(), do, field
	if field != "" {
		c.Value = s.asked(field)
	}
	return s.write(http.StatusOK, c)
}

func (s *security) askAdd(ctx context.Context) error {
	if err := s.addableHere(ctx); err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeAdd, "factor", templates.Change{Kind: s.asked("factor")})
}

func (s *security) add(ctx context.Context) error {
	if err := s.addableHere(ctx); err != nil {
		return err
	}
	return s.manage(ctx, s.v, s.factor(), "", s.pageSaying(templates.DoneAdded))
}

// addableHere is Addable where the browser can do it.
func (s *security) addableHere(ctx context.Context) error {
	if s.factor() == identity.Passkey && !s.party(s.v).Usable() {
		return selfservice.ErrNotOffered
	}
	return s.Addable(ctx, s.person, s.factor())
}

func (s *security) askRename(ctx context.Context) error {
	c, err := s.Renamable(ctx, s.person, s.asked("id"))
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeRename, "id", templates.Change{Kind: string(c.Factor), Name: c.Name})
}

func (s *security) rename(ctx context.Context) error {
	err := s.Rename(ctx, s.person, s.asked("id"), s.asked("name"))
	if errors.Is(err, selfservice.ErrNoName) {
		return s.write(http.StatusUnprocessableEntity, templates.Change{Token: s.token(), Do: templates.ChangeRename, Field: "id", Value: s.asked("id"), Error: true})
	}
	return s.said(err, templates.DoneRenamed)
}

// said leads to the page if nothing stood in the way.
func (s *security) said(err error, done templates.DoneKind) error {
	if err != nil {
		return err
	}
	return s.toPage(done)
}

func (s *security) askReplace(ctx context.Context) error {
	c, err := s.Replaceable(ctx, s.person, s.asked("id"))
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeReplace, "id", templates.Change{Kind: string(c.Factor), Name: c.Name})
}

func (s *security) replace(ctx context.Context) error {
	c, err := s.Replaceable(ctx, s.person, s.asked("id"))
	if err != nil {
		return err
	}
	return s.manage(ctx, s.v, c.Factor, c.ID, s.pageSaying(templates.DoneReplaced))
}

func (s *security) askRemove(ctx context.Context) error {
	c, at, err := s.Removing(ctx, s.person, s.asked("id"))
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeRemove, "id", templates.Change{Kind: string(c.Factor), Name: c.Name, At: at})
}

func (s *security) remove(ctx context.Context) error {
	at, err := s.Remove(ctx, s.person, s.asked("id"))
	return s.said(err, removed(at, templates.DoneRemoved))
}

// removed is what became of something that was to go.
func removed(at time.Time, now templates.DoneKind) templates.DoneKind {
	if at.IsZero() {
		return now
	}
	return templates.DonePlanned
}

func (s *security) keep(ctx context.Context) error {
	return s.said(s.Keep(ctx, s.person, s.asked("id")), templates.DoneKept)
}

func (s *security) askPrefer(ctx context.Context) error {
	if err := s.Preferable(ctx, s.person, s.factor()); err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangePrefer, "factor", templates.Change{Kind: s.asked("factor"), Name: ""})
}

func (s *security) prefer(ctx context.Context) error {
	return s.said(s.Prefer(ctx, s.person, s.factor()), templates.DonePreferred)
}

func (s *security) askCodes(ctx context.Context) error {
	left, err := s.CodesMakeable(ctx, s.person)
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeCodes, "", templates.Change{Left: left})
}

func (s *security) makeCodes(ctx context.Context) error {
	codes, err := s.MakeCodes(ctx, s.person)
	if err != nil {
		return err
	}
	view := templates.NewCodes{}
	for _, code := range codes {
		view.Codes = append(view.Codes, string(code))
	}
	return s.write(http.StatusOK, view)
}

func (s *security) askContact(ctx context.Context) error {
	err := s.ContactChangeable(ctx, s.person, s.kind())
	if errors.Is(err, selfservice.ErrTooWeak) { // its removal can be planned
		return s.askRemoveContact(ctx)
	}
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeContact, "kind", templates.Change{Kind: s.asked("kind")})
}

func (s *security) contact(ctx context.Context) error {
	if err := s.ContactChangeable(ctx, s.person, s.kind()); err != nil {
		return err
	}
	return s.manage(ctx, s.v, s.kind(), "", s.pageSaying(templates.DoneContact))
}

func (s *security) askRemoveContact(ctx context.Context) error {
	masked, at, err := s.RemovingContact(ctx, s.person, s.kind())
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeRemoveContact, "kind", templates.Change{Name: masked, At: at})
}

func (s *security) removeContact(ctx context.Context) error {
	at, err := s.RemoveContact(ctx, s.person, s.kind())
	return s.said(err, removed(at, templates.DoneContactGone))
}

func (s *security) askEnable(ctx context.Context) error {
	masked, err := s.Enabling(ctx, s.person, s.kind())
	if err != nil {
		return s.answer(err)
	}
	return s.ask(templates.ChangeEnable, "kind", templates.Change{Kind: s.asked("kind"), Name: masked})
}

func (s *security) enable(ctx context.Context) error {
	return s.said(s.Enable(ctx, s.person, s.kind()), templates.DoneEnabled)
}

func (s *security) forget(ctx context.Context) error {
	return s.said(s.ForgetBrowser(ctx, s.person, s.asked("id")), templates.DoneForgotten)
}

func (s *security) endSession(ctx context.Context) error {
	return s.said(s.EndSession(ctx, s.person, s.asked("id")), templates.DoneSessionEnded)
}

func (s *security) endOthers(ctx context.Context) error {
	return s.said(s.EndOthers(ctx, s.person), templates.DoneOthersEnded)
}
