package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// Reset is which factors to remove.
type Reset struct {
	Change
	Factor string `json:"factor,omitempty"` // its id; empty: all
}

// ResetFactors removes a person's factors and ends their sessions. Contacts
// stay. Who has no factor left needs a ticket to bind one, issued afterwards.
func (s *Service) ResetFactors(ctx context.Context, by Caller, in Reset) (Done, error) {
	who, err := s.somebody(ctx, in.Whom)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.FactorsReset, tell: templates.AnnounceFactorsReset}
	return s.carryOut(ctx, a, func() error {
		if err := s.everBound(ctx, who); err != nil {
			return err
		}
		if err := s.Accounts.VoidTicket(ctx, who); err != nil { // who has one from before could bind by it
			return err
		}
		return s.removeFactors(ctx, who, in.ids()...)
	})
}

func (r Reset) ids() []string {
	if r.Factor == "" {
		return nil
	}
	return []string{r.Factor}
}

func (s *Service) everBound(ctx context.Context, who identity.Subject) error {
	a, err := s.Accounts.Account(ctx, who)
	if err == nil && a.State != identity.Bound && a.State != identity.Reset {
		err = ErrNeverBound
	}
	return err
}

// removeFactors ends the sessions last: one that is begun with a factor
// meanwhile ends with the others.
func (s *Service) removeFactors(ctx context.Context, who identity.Subject, ids ...string) error {
	err := s.Accounts.ResetFactors(ctx, who, ids...)
	if errors.Is(err, accounts.ErrNoCredential) {
		return ErrNoFactor
	}
	if err != nil {
		return err
	}
	return s.Sessions.EndSubject(ctx, who)
}

// Expected is a change for somebody who perhaps was never here.
type Expected struct {
	Change
	New bool `json:"new,omitempty"` // the name is right, although nobody of it was here
}

// Lock keeps a person out of all sites of the realm, and ends their sessions.
func (s *Service) Lock(ctx context.Context, by Caller, in Expected) (Done, error) {
	who, err := s.expected(ctx, in.Whom, in.New)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.PersonLocked, tell: templates.AnnounceLocked}
	return s.carryOut(ctx, a, func() error {
		if err := s.Accounts.SetLocked(ctx, who, s.Now()); err != nil {
			return err
		}
		return s.Sessions.EndSubject(ctx, who)
	})
}

// Unlock lets a person in again, with the factors that they have.
func (s *Service) Unlock(ctx context.Context, by Caller, in Change) (Done, error) {
	who, err := s.somebody(ctx, in.Whom)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.PersonUnlocked, tell: templates.AnnounceUnlocked}
	return s.carryOut(ctx, a, func() error { return s.Accounts.SetLocked(ctx, who, time.Time{}) })
}

// Ending is which sessions to end.
type Ending struct {
	Change
	Session string `json:"session,omitempty"` // its id; empty: all
}

// EndSessions ends a person's sessions, or one of them. Factors stay.
func (s *Service) EndSessions(ctx context.Context, by Caller, in Ending) (Done, error) {
	who, err := s.somebody(ctx, in.Whom)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.SessionsEnded, tell: templates.AnnounceSessionsEnded}
	return s.carryOut(ctx, a, func() error {
		if in.Session == "" {
			return s.Sessions.EndSubject(ctx, who)
		}
		return s.endSession(ctx, who, in.Session)
	})
}

func (s *Service) endSession(ctx context.Context, who identity.Subject, id string) error {
	all, err := s.Sessions.List(ctx, who)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(r sessions.Record) bool { return sessionID(r) == id })
	if i < 0 {
		return ErrNoSession
	}
	return s.Sessions.End(ctx, &sessions.Session{Record: all[i]})
}

// sessionID tells the sessions of one person apart, and is short enough to
// type.
func sessionID(r sessions.Record) string { return hex.EncodeToString(r.ID[1:7]) }

// RequireRebinding lets a person in once more with each factor, and has them
// bind another in its place.
func (s *Service) RequireRebinding(ctx context.Context, by Caller, in Change) (Done, error) {
	who, err := s.somebody(ctx, in.Whom)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.RebindingRequired, tell: templates.AnnounceRebindingRequired}
	return s.carryOut(ctx, a, func() error {
		err := s.Accounts.RequireRebinding(ctx, who, s.Now())
		if errors.Is(err, accounts.ErrNotBound) {
			return ErrNeverBound
		}
		return err
	})
}

// IssueTicket makes a ticket, by which a person binds a factor once. The
// administrator hands it over: it is never sent.
func (s *Service) IssueTicket(ctx context.Context, by Caller, in Expected) (Done, error) {
	who, err := s.expected(ctx, in.Whom, in.New)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.TicketIssued, tell: templates.AnnounceTicketIssued}
	return s.withTicket(ctx, a, func() error { return nil })
}

// withTicket carries out a change that ends in a ticket.
func (s *Service) withTicket(ctx context.Context, a act, do func() error) (Done, error) {
	code, expires := recovery.New(), s.Now().Add(accounts.TicketLife)
	done, err := s.carryOut(ctx, a, func() error {
		if err := do(); err != nil {
			return err
		}
		return s.Accounts.IssueTicket(ctx, a.who, code.TicketDigest(s.TicketKey, a.who), expires)
	})
	if err != nil {
		return Done{}, err
	}
	done.Ticket, done.ExpiresAt = string(code), expires
	return done, nil
}

// Ruling is what is decided on a request.
type Ruling struct {
	Reference string `json:"reference"`
	Why       string `json:"why"`
}

// Approve believes who filed a request: their factors are gone, their sessions
// end, and a ticket lets them bind again. The request is decided when nothing
// of the old is left, so that it stays open if anything fails before. Of two
// administrators one gets a ticket.
func (s *Service) Approve(ctx context.Context, by Caller, in Ruling) (Done, error) {
	r, err := s.request(ctx, in.Reference)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: r.Subject, why: in.Why, reference: r.Reference, event: audit.HelpApproved, tell: templates.AnnounceRequestApproved}
	return s.withTicket(ctx, a, func() error {
		if r.Decision != accounts.RequestOpen {
			return decided(r)
		}
		if err := s.removeFactors(ctx, r.Subject); err != nil {
			return err
		}
		return s.decide(ctx, a, accounts.RequestApproved)
	})
}

// Refuse leaves everything as it is.
func (s *Service) Refuse(ctx context.Context, by Caller, in Ruling) (Done, error) {
	r, err := s.request(ctx, in.Reference)
	if err != nil {
		return Done{}, err
	}
	a := act{by: by, who: r.Subject, why: in.Why, reference: r.Reference, event: audit.HelpRefused, tell: templates.AnnounceRequestRefused}
	return s.carryOut(ctx, a, func() error { return s.decide(ctx, a, accounts.RequestRefused) })
}

func (s *Service) request(ctx context.Context, reference string) (accounts.Request, error) {
	r, err := s.Accounts.Request(ctx, reference)
	if errors.Is(err, accounts.ErrNoRequest) {
		err = ErrNoRequest
	}
	return r, err
}

func (s *Service) decide(ctx context.Context, a act, d accounts.RequestDecision) error {
	_, err := s.Accounts.Decide(ctx, a.reference, d, string(a.by), a.why, s.Now())
	if !errors.Is(err, accounts.ErrDecided) {
		return err
	}
	r, err := s.Accounts.Request(ctx, a.reference)
	if err != nil {
		return err
	}
	return decided(r)
}

// decided says what became of a request.
func decided(r accounts.Request) error {
	remedy := ""
	if r.Decision == accounts.RequestApproved {
		remedy = "; if the ticket was lost, make another with `stepgate users ticket`"
	}
	return fmt.Errorf("%w: %s by %s at %s%s", ErrDecided, r.Decision, r.DecidedBy, r.DecidedAt.UTC().Format(time.RFC3339), remedy)
}
