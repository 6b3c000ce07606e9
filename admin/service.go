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
	"github.com/stepgate/stepgate/policy"
)

// Service does what administrators ask for. All its fields are needed.
type Service struct {
	People  accounts.Passwords
	Budgets limits.Store
	Trail   audit.Trail
	// LinkTo makes a one-time link for somebody of a realm; ok is false where
	// no site of the realm has Stepgate's own sign-in page.
	LinkTo func(realm string, t accounts.Ticket) (link string, ok bool)
	Now    func() time.Time
}

// Caller is who asks, as the operating system knows it.
type Caller string

// Invitation is a person's one-time link.
type Invitation struct {
	Realm     string    `json:"realm"`
	Name      string    `json:"name"`
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expires_at"`
}

// User is a person as administrators see it.
type User struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	// PasswordSetAt is zero where none was set yet.
	PasswordSetAt time.Time `json:"password_set_at,omitzero"`
	// LinkExpiresAt is zero where no link can be used.
	LinkExpiresAt time.Time `json:"link_expires_at,omitzero"`
}

// The refusals. Each says what helps.
var (
	ErrName    = errors.New("this name cannot be used")
	ErrRealm   = errors.New("no site of this realm has `first_factor password`")
	ErrExists  = errors.New("there is a person of this name")
	ErrNobody  = errors.New("there is no person of this name; see `stepgate users list`")
	ErrTooSoon = errors.New("links were sent for this person a moment ago")
)

// linkRates are how often one person's link is sent.
var linkRates = []limits.Rate{
	{Count: 1, Period: time.Minute},
	{Count: 5, Period: 15 * time.Minute},
}

// CreateUser makes a person, who chooses the password by the link.
func (s *Service) CreateUser(ctx context.Context, by Caller, realm, name string) (Invitation, error) {
	who, err := s.newName(ctx, realm, name)
	if err != nil {
		return Invitation{}, err
	}
	if err := s.mayLink(ctx, who); err != nil {
		return Invitation{}, err
	}
	if err := s.note(ctx, audit.PersonCreated, by, who); err != nil {
		return Invitation{}, err
	}
	err = s.People.CreatePerson(ctx, who, s.Now())
	if errors.Is(err, accounts.ErrPersonExists) {
		return Invitation{}, ErrExists
	}
	if err != nil {
		return Invitation{}, err
	}
	return s.link(ctx, by, who)
}

// RenewLink gives a person another link in place of the last one: for the
// first password, or in place of a forgotten one. The old password stays until
// the link is used.
func (s *Service) RenewLink(ctx context.Context, by Caller, realm, name string) (Invitation, error) {
	who := identity.Subject{Realm: realm, Name: name}
	if _, ok := s.LinkTo(realm, ""); !ok {
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
	return s.link(ctx, by, who)
}

// Users lists the people of a realm.
func (s *Service) Users(ctx context.Context, realm string) ([]User, error) {
	people, err := s.People.People(ctx, realm)
	users := make([]User, 0, len(people))
	for _, p := range people {
		u := User{Name: p.Subject.Name, CreatedAt: p.CreatedAt, PasswordSetAt: p.SetAt}
		if s.Now().Before(p.LinkExpiresAt) {
			u.LinkExpiresAt = p.LinkExpiresAt
		}
		users = append(users, u)
	}
	return users, err
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
func (s *Service) link(ctx context.Context, by Caller, who identity.Subject) (Invitation, error) {
	ticket := accounts.NewTicket()
	expires := s.Now().Add(accounts.LinkLife)
	if err := s.note(ctx, audit.LinkIssued, by, who); err != nil {
		return Invitation{}, err
	}
	if err := s.People.IssueLink(ctx, who, ticket.Digest(), expires); err != nil {
		return Invitation{}, err
	}
	link, _ := s.LinkTo(who.Realm, ticket)
	return Invitation{Realm: who.Realm, Name: who.Name, Link: link, ExpiresAt: expires}, nil
}

func (s *Service) note(ctx context.Context, e audit.Event, by Caller, who identity.Subject) error {
	return s.Trail.Append(ctx, audit.Record{At: s.Now(), Event: e, Subject: who,
		Reasons: []policy.Reason{{Code: policy.ReasonAdministrator, Detail: string(by)}}})
}
