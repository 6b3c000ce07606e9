package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
)

// linkRates are how often one person's link is sent.
var linkRates = []limits.Rate{
	{Count: 1, Period: time.Minute},
	{Count: 5, Period: 15 * time.Minute},
}

// Invitation is a person's one-time link.
type Invitation struct {
	Whom
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Creation is whom to make, and what is known of how to reach them.
type Creation struct {
	Change
	OnFile
}

// CreateUser makes a person, who chooses the password by the link. A contact
// that cannot be one keeps the person from being made.
func (s *Service) CreateUser(ctx context.Context, by Caller, in Creation) (Invitation, error) {
	who, err := s.newName(ctx, in.Realm, string(in.Name))
	if err != nil {
		return Invitation{}, err
	}
	if err := s.mayLink(ctx, who); err != nil {
		return Invitation{}, err
	}
	a := act{by: by, who: who, why: in.Why, event: audit.PersonCreated}
	if err := s.note(ctx, a); err != nil {
		return Invitation{}, err
	}
	if err := s.create(ctx, who, in.OnFile); err != nil {
		return Invitation{}, errors.Join(err, s.noteFailure(ctx, a, err))
	}
	return s.link(ctx, a)
}

func (s *Service) create(ctx context.Context, who identity.Subject, reached OnFile) error {
	if err := s.file(ctx, who, reached); err != nil {
		return err
	}
	err := s.People.CreatePerson(ctx, who, s.Now())
	if errors.Is(err, accounts.ErrPersonExists) {
		return ErrExists
	}
	return err
}

// RenewLink gives a person another link in place of the last one: for the
// first password, or in place of a forgotten one. The old password stays until
// the link is used.
func (s *Service) RenewLink(ctx context.Context, by Caller, in Change) (Invitation, error) {
	who := in.subject()
	if _, ok := s.LinkTo(in.Realm, ""); !ok {
		return Invitation{}, ErrRealm
	}
	if _, err := s.People.Person(ctx, who); errors.Is(err, accounts.ErrNoPerson) {
		return Invitation{}, ErrNobody
	} else if err != nil {
		return Invitation{}, err
	}
	if err := s.mayLink(ctx, who); err != nil {
		return Invitation{}, err
	}
	return s.link(ctx, act{by: by, who: who, why: in.Why})
}

// newName refuses names that people would take for another one's. Sign-in
// compares byte for byte: one person, one spelling.
func (s *Service) newName(ctx context.Context, realm, name string) (identity.Subject, error) {
	if _, ok := s.LinkTo(realm, ""); !ok {
		return identity.Subject{}, ErrRealm
	}
	who, err := identity.NewSubject(realm, name)
	if err != nil || !norm.NFKC.IsNormalString(name) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, invisible) {
		return identity.Subject{}, fmt.Errorf("%w: use 1 to %d bytes of UTF-8 in the form NFKC, without blanks around them or characters that nobody sees", ErrName, identity.MaxName)
	}
	people, err := s.People.People(ctx, realm)
	for _, p := range people {
		switch {
		case p.Subject == who:
			return identity.Subject{}, ErrExists
		case strings.EqualFold(p.Subject.Name, name):
			return identity.Subject{}, fmt.Errorf("%w: %q differs in capitals only", ErrExists, p.Subject.Name)
		}
	}
	return who, err
}

func invisible(r rune) bool {
	return !unicode.IsPrint(r) || r == utf8.RuneError ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func (s *Service) mayLink(ctx context.Context, who identity.Subject) error {
	balance, err := s.Budgets.Charge(ctx, "links/"+who.String(), linkRates, s.Now())
	if err == nil && !balance.Allowed {
		return fmt.Errorf("%w: try again after %s", ErrTooSoon, balance.RetryAt.UTC().Format(time.RFC3339))
	}
	return err
}

// link issues a link. It is noted before anybody has it.
func (s *Service) link(ctx context.Context, a act) (Invitation, error) {
	ticket := accounts.NewTicket()
	expires := s.Now().Add(accounts.LinkLife)
	a.event = audit.LinkIssued
	if err := s.note(ctx, a); err != nil {
		return Invitation{}, err
	}
	if err := s.People.IssueLink(ctx, a.who, ticket.Digest(), expires); err != nil {
		return Invitation{}, errors.Join(err, s.noteFailure(ctx, a, err))
	}
	link, _ := s.LinkTo(a.who.Realm, ticket)
	return Invitation{Whom: whom(a.who), Link: link, ExpiresAt: expires}, nil
}
