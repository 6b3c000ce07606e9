package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

// Search is which people to list.
type Search struct {
	Realm string `json:"realm"`
	Part  Name   `json:"part,omitempty"`  // of their names; empty: everybody
	After Name   `json:"after,omitempty"` // behind this one
}

// Page is some people of a realm, in the order of their names' bytes.
type Page struct {
	Users []User `json:"users"`
	// After is where the next page begins; empty: there is none.
	After Name `json:"after,omitempty"`
}

// User is a person as administrators see it.
type User struct {
	Name     Name              `json:"name"`
	State    string            `json:"state"`
	Factors  []identity.Factor `json:"factors"`
	LockedAt time.Time         `json:"locked_at,omitzero"`
	// CreatedAt is zero for who was not made by an administrator.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// PasswordSetAt is zero where none was set yet.
	PasswordSetAt time.Time `json:"password_set_at,omitzero"`
	// LinkExpiresAt is zero where no link can be used.
	LinkExpiresAt time.Time `json:"link_expires_at,omitzero"`
}

// pageSize is how many people are listed at once.
const pageSize = 100

// Users lists the people of a realm: who has an account, and who was made by
// an administrator and has none yet.
func (s *Service) Users(ctx context.Context, in Search) (Page, error) {
	if _, err := s.anybody(Whom{in.Realm, "anybody"}); err != nil {
		return Page{}, err
	}
	found, err := s.Accounts.Search(ctx, in.Realm, string(in.Part), string(in.After), pageSize+1)
	if err != nil {
		return Page{}, err
	}
	page := Page{Users: []User{}}
	for _, who := range found[:min(len(found), pageSize)] {
		u, err := s.user(ctx, who)
		if err != nil {
			return Page{}, err
		}
		page.Users = append(page.Users, u)
	}
	if len(found) > pageSize {
		page.After = Name(found[pageSize-1].Name)
	}
	return page, nil
}

func (s *Service) user(ctx context.Context, who identity.Subject) (User, error) {
	p, err := s.People.Person(ctx, who)
	if err != nil && !errors.Is(err, accounts.ErrNoPerson) {
		return User{}, err
	}
	a, err := s.Accounts.Account(ctx, who)
	u := User{Name: Name(who.Name), State: states[a.State], Factors: []identity.Factor{}, LockedAt: a.LockedAt, CreatedAt: p.CreatedAt, PasswordSetAt: p.SetAt}
	for _, c := range a.Usable(s.Now()) {
		u.Factors = append(u.Factors, c.Factor)
	}
	if s.Now().Before(p.LinkExpiresAt) {
		u.LinkExpiresAt = p.LinkExpiresAt
	}
	return u, err
}

// states are the words for where somebody stands.
var states = map[identity.Enrollment]string{
	identity.Unknown:    "unknown",
	identity.NeverBound: "never_bound",
	identity.Bound:      "bound",
	identity.Reset:      "reset",
	identity.Federated:  "federated",
}

// Pile is which requests to list.
type Pile struct {
	Realm string `json:"realm"`
	Open  string `json:"open,omitempty"` // anything: only those that are not decided
}

// Request is one that a person filed, who can use none of their factors.
type Request struct {
	Whom
	Reference string          `json:"reference"`
	Site      string          `json:"site"`
	At        time.Time       `json:"at"`
	Address   string          `json:"address"`
	Browser   string          `json:"browser"`
	Checked   identity.Factor `json:"checked,omitempty"` // by which contact the person proved to be who they say
	Decision  string          `json:"decision"`
	DecidedBy string          `json:"decided_by,omitempty"`
	DecidedAt time.Time       `json:"decided_at,omitzero"`
	Why       string          `json:"why,omitempty"`
}

// maxRequests is how many requests are looked at.
const maxRequests = 1000

// Requests lists those of a realm, newest first.
func (s *Service) Requests(ctx context.Context, in Pile) ([]Request, error) {
	if _, err := s.anybody(Whom{in.Realm, "anybody"}); err != nil {
		return nil, err
	}
	var only accounts.RequestDecision
	if in.Open != "" {
		only = accounts.RequestOpen
	}
	found, err := s.Accounts.Requests(ctx, in.Realm, only, maxRequests)
	all := make([]Request, 0, len(found))
	for _, r := range found {
		all = append(all, shownRequest(r))
	}
	return all, err
}

func shownRequest(r accounts.Request) Request {
	return Request{Whom: whom(r.Subject), Reference: r.Reference, Site: r.Site, At: r.At, Address: r.From.Address, Browser: r.From.Browser,
		Checked: r.Checked, Decision: string(r.Decision), DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt, Why: r.Why}
}

// openRequest is the person's, if there is one.
func (s *Service) openRequest(ctx context.Context, who identity.Subject) (*Request, error) {
	all, err := s.Accounts.Requests(ctx, who.Realm, accounts.RequestOpen, maxRequests)
	i := slices.IndexFunc(all, func(r accounts.Request) bool { return r.Subject == who })
	if i < 0 {
		return nil, err
	}
	r := shownRequest(all[i])
	return &r, err
}
