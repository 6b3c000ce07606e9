package selfservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// RemovalDelay is how long a factor stays that is removed by a weaker one: time
// for its owner to read the announcement.
const RemovalDelay = 72 * time.Hour

// MaxFactors is how many credentials a person may have.
const MaxFactors = 20

// Errors that are answers, not faults; with accounts.ErrNoCredential,
// accounts.ErrNoContact and accounts.ErrLast.
var (
	// ErrNotManageable: an administrator manages the factors of this person.
	ErrNotManageable = errors.New("selfservice: people do not manage their factors here")
	// ErrTooWeak: what the session was proved by is weaker than what would go.
	ErrTooWeak = errors.New("selfservice: the session was proved by something weaker")
	// ErrNotOffered: there is no such thing to add, enable or prefer here.
	ErrNotOffered = errors.New("selfservice: not offered")
	// ErrTooOften: the person could not be told of it once more.
	ErrTooOften = errors.New("selfservice: too many messages about this were sent")
	// ErrNoName: nothing of a name is left that can be seen.
	ErrNoName = errors.New("selfservice: no name")
	// ErrNoSession: the person has no such session.
	ErrNoSession = errors.New("selfservice: no such session")
)

// Accounts is the store of what people have.
type Accounts interface {
	accounts.Factors
	Account(ctx context.Context, s identity.Subject) (accounts.Account, error)
	ForgetPasses(ctx context.Context, s identity.Subject) error
}

// Service does what people ask for. All its fields are needed.
type Service struct {
	Accounts Accounts
	Sessions *sessions.Sessions
	Trail    audit.Trail
	Past     audit.Reader
	Ring     *seal.Ring
	Book     *contacts.Book
	Now      func() time.Time
}

// Person is who asks: in a verified session, from a place, and what holds for
// them at its site.
type Person struct {
	*sessions.Session
	Place accounts.Place
	Rules policy.Rules
}

// managing is the account of a person who may manage it.
func (s *Service) managing(ctx context.Context, p Person) (accounts.Account, error) {
	if !p.Rules.Manage {
		return accounts.Account{}, ErrNotManageable
	}
	a, err := s.Accounts.Account(ctx, p.Subject)
	if err == nil && a.State != identity.Bound {
		err = accounts.ErrNotBound
	}
	return a, err
}

// mine finds a credential that the person may manage.
func (s *Service) mine(ctx context.Context, p Person, id string) (accounts.Account, accounts.Credential, error) {
	a, err := s.managing(ctx, p)
	if err != nil {
		return a, accounts.Credential{}, err
	}
	c, ok := find(a.Usable(s.Now()), id)
	if !ok {
		return a, c, accounts.ErrNoCredential
	}
	return a, c, nil
}

func find(all []accounts.Credential, id string) (accounts.Credential, bool) {
	i := slices.IndexFunc(all, func(c accounts.Credential) bool { return c.ID == id })
	if i < 0 {
		return accounts.Credential{}, false
	}
	return all[i], true
}

// counts tells whether the person can be known by a factor alone, now.
func (s *Service) counts(p Person, f identity.Factor) bool {
	return p.Rules.Counts(f) && (!f.Sent() || s.Book.Has(f))
}

// spares tells whether enough is left without a credential: something that
// counts, and is not about to go as well.
func (s *Service) spares(a accounts.Account, p Person, without accounts.Credential) bool {
	return !s.counts(p, without.Factor) || slices.ContainsFunc(a.Usable(s.Now()), func(c accounts.Credential) bool {
		return c.ID != without.ID && c.RemoveAt.IsZero() && s.counts(p, c.Factor)
	})
}

// done tells the person, at all contacts of the account as it was, and the
// trail. What was done stays done if neither hears of it.
func (s *Service) done(ctx context.Context, p Person, a accounts.Account, e audit.Event, f identity.Factor, told contacts.Announcement) error {
	if told.Kind != "" {
		s.tell(ctx, p, a, told)
	}
	return s.note(ctx, p, e, f)
}

func (s *Service) tell(ctx context.Context, p Person, a accounts.Account, told contacts.Announcement) (within bool) {
	told.Site, told.Address, told.Browser = p.Site, p.Place.Address, p.Place.Browser
	return s.Book.Announce(ctx, a.Contacts, told)
}

func (s *Service) note(ctx context.Context, p Person, e audit.Event, f identity.Factor) error {
	r := audit.Record{At: s.Now(), Event: e, Site: p.Site, Subject: p.Subject, Address: p.Place.Address, Browser: p.Place.Browser}
	if f != "" {
		r.Reasons = []policy.Reason{{Code: policy.ReasonFactor, Detail: string(f)}}
	}
	if err := s.Trail.Append(ctx, r); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// announced is an announcement about a credential.
func announced(k templates.AnnouncementKind, c accounts.Credential) contacts.Announcement {
	return contacts.Announcement{Kind: k, Detail: c.Name}
}
