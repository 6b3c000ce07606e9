package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// Service does what administrators ask for. All its fields are needed.
type Service struct {
	People   accounts.Passwords
	Accounts Accounts
	Sessions Sessions
	Contacts Contacts
	Budgets  limits.Store
	Trail    audit.Trail
	Past     audit.Reader
	// TicketKey is what tickets are digested with.
	TicketKey []byte
	// HasRealm tells whether a site has people of this realm.
	HasRealm func(realm string) bool
	// LinkTo makes a one-time link for somebody of a realm; ok is false where
	// no site of the realm has Stepgate's own sign-in page.
	LinkTo func(realm string, t accounts.Ticket) (link string, ok bool)
	// Backup writes all accounts, sealed.
	Backup func(ctx context.Context, to io.Writer) error
	Now    func() time.Time
}

// Accounts is what is stored of people, and how they are helped.
type Accounts interface {
	Account(ctx context.Context, s identity.Subject) (accounts.Account, error)
	Browsers(ctx context.Context, s identity.Subject) ([]accounts.Browser, error)
	PutContact(ctx context.Context, c accounts.Contact, old string, only ...identity.Enrollment) error
	accounts.Help
}

// Sessions are those of all sites. What ends here ends on every node.
type Sessions interface {
	List(ctx context.Context, who identity.Subject) ([]sessions.Record, error)
	End(ctx context.Context, live *sessions.Session) error
	EndSubject(ctx context.Context, who identity.Subject) error
}

// Contacts is how people are reached; *contacts.Book is one.
type Contacts interface {
	Mask(c accounts.Contact) (string, error)
	Seal(s identity.Subject, to contacts.Address) accounts.Contact
	Announce(ctx context.Context, cs []accounts.Contact, a contacts.Announcement) (within bool)
}

// Caller is who asks, as the operating system or a certificate names them.
type Caller string

// The refusals. Each says what helps.
var (
	ErrName       = errors.New("this name cannot be used")
	ErrRealm      = errors.New("no site of this realm has `first_factor password`")
	ErrNoRealm    = errors.New("no site has people of this realm; a site's default realm is its name")
	ErrExists     = errors.New("there is a person of this name")
	ErrNobody     = errors.New("there is no person of this name; see `stepgate users list`")
	ErrUnseen     = errors.New("nobody of this name was here yet; names are compared byte for byte. If this one is right, say so with --new")
	ErrTooSoon    = errors.New("links were sent for this person a moment ago")
	ErrWhy        = errors.New("say why, with --why: up to 500 bytes on one line, which go into the audit trail")
	ErrNeverBound = errors.New("this person has no factor that they bound")
	ErrNoFactor   = errors.New("this person has no factor of this id; see `stepgate users show`")
	ErrNoSession  = errors.New("this person has no session of this id, or no longer; see `stepgate users show`")
	ErrNoRequest  = errors.New("nobody filed a request of this reference; see `stepgate users requests`")
	ErrDecided    = errors.New("the request was decided before")
	ErrTheirOwn   = errors.New("this person bound a factor once: since then the contacts are their own, and nobody else changes them")
	ErrContact    = errors.New("this is no contact that a person can be reached by: a telephone number begins with + and the country")
	ErrShared     = errors.New("too many people have this contact")
)

// Whom is whom something is about.
type Whom struct {
	Realm string `json:"realm"`
	Name  Name   `json:"name"`
}

func (w Whom) subject() identity.Subject {
	return identity.Subject{Realm: w.Realm, Name: string(w.Name)}
}

func whom(who identity.Subject) Whom { return Whom{who.Realm, Name(who.Name)} }

// Change is a change, and why it is made.
type Change struct {
	Whom
	Why string `json:"why,omitempty"`
}

// Done is what came of a change.
type Done struct {
	Whom
	// Ticket is the person's, in clear for the only time.
	Ticket    string    `json:"ticket,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // the ticket
	// Untold is why the person could not be told.
	Untold string `json:"untold,omitempty"`
}

// act is a change about to be made.
type act struct {
	by        Caller
	who       identity.Subject
	why       string
	event     audit.Event
	reference string // of a request
	tell      templates.AnnouncementKind
}

// carryOut notes a change, makes it and tells the person: in this order, so
// that after a crash the trail has rather more than was done, and the same
// command again does what is missing.
func (s *Service) carryOut(ctx context.Context, a act, do func() error) (Done, error) {
	if err := checkWhy(a.why); err != nil {
		return Done{}, err
	}
	if err := s.note(ctx, a); err != nil {
		return Done{}, err
	}
	if err := do(); err != nil {
		return Done{}, errors.Join(err, s.noteFailure(ctx, a, err))
	}
	return s.told(ctx, a), nil
}

// told tells the person. A message that cannot be sent undoes nothing.
func (s *Service) told(ctx context.Context, a act) Done {
	done := Done{Whom: whom(a.who)}
	if a.tell == "" {
		return done
	}
	account, err := s.Accounts.Account(ctx, a.who)
	if err != nil {
		done.Untold = err.Error()
		return done
	}
	s.Contacts.Announce(ctx, account.Contacts, contacts.Announcement{Kind: a.tell, Detail: a.reference})
	return done
}

func (s *Service) note(ctx context.Context, a act, more ...policy.Reason) error {
	reasons := []policy.Reason{{Code: policy.ReasonAdministrator, Detail: string(a.by)}}
	if a.why != "" {
		reasons = append(reasons, policy.Reason{Code: policy.ReasonWhyGiven, Detail: a.why})
	}
	return s.Trail.Append(ctx, audit.Record{At: s.Now(), Event: a.event, Subject: a.who, Reference: a.reference, Reasons: append(reasons, more...)})
}

// noteTimeout is for a note that has to be written although the time for what
// it is about is over.
const noteTimeout = 2 * time.Second

func (s *Service) noteFailure(ctx context.Context, a act, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	meant := a.event
	a.event = audit.HelpFailed
	return s.note(ctx, a, policy.Reason{Code: policy.ReasonNotDone, Detail: fmt.Sprintf("%s: %v", meant, why)})
}

// longestWhy is enough for a sentence or two, and a ticket's number.
const longestWhy = 500

func checkWhy(why string) error {
	if strings.TrimSpace(why) == "" || len(why) > longestWhy || !utf8.ValidString(why) || strings.ContainsFunc(why, unicode.IsControl) {
		return ErrWhy
	}
	return nil
}

// somebody finds a person who is known. A name that is not is mostly a
// mistake, and to lock that one out would be worse than nothing.
func (s *Service) somebody(ctx context.Context, w Whom) (identity.Subject, error) {
	who, err := s.anybody(w)
	if err != nil {
		return who, err
	}
	known, err := s.known(ctx, who)
	if err == nil && !known {
		err = ErrNobody
	}
	return who, err
}

// anybody is a person who may never have been here.
func (s *Service) anybody(w Whom) (identity.Subject, error) {
	if base, _, _ := strings.Cut(w.Realm, "@"); !s.HasRealm(base) {
		return identity.Subject{}, ErrNoRealm
	}
	who, err := identity.NewSubject(w.Realm, string(w.Name))
	if err != nil {
		return who, fmt.Errorf("%w: %w", ErrName, err)
	}
	return who, nil
}

// expected is a person who is known, or of whom the administrator says to be
// sure of the name.
func (s *Service) expected(ctx context.Context, w Whom, sure bool) (identity.Subject, error) {
	if sure {
		return s.anybody(w)
	}
	who, err := s.somebody(ctx, w)
	if errors.Is(err, ErrNobody) {
		err = ErrUnseen
	}
	return who, err
}

// known tells whether anything is known of a subject: an account, a password,
// or that they once came with the first factor.
func (s *Service) known(ctx context.Context, who identity.Subject) (bool, error) {
	a, err := s.Accounts.Account(ctx, who)
	if err != nil || kept(a) {
		return true, err
	}
	if _, err := s.People.Person(ctx, who); !errors.Is(err, accounts.ErrNoPerson) {
		return true, err
	}
	past, err := s.Past.Find(ctx, who, "", 1)
	return len(past) > 0, err
}

// kept tells whether the store has more of an account than its name.
func kept(a accounts.Account) bool {
	return a.State != identity.NeverBound || !a.LockedAt.IsZero() || len(a.Contacts) > 0
}
