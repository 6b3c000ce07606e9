package admin

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// Shown is all that administrators see of a person. No secret, no address.
type Shown struct {
	Realm string `json:"realm"`
	User
	Rebinding bool            `json:"rebinding"` // another factor has to be bound
	Preferred identity.Factor `json:"preferred,omitempty"`
	Bound     []Factor        `json:"bound"`
	Contacts  []Contact       `json:"contacts"`
	Browsers  []Browser       `json:"browsers"`
	Sessions  []Session       `json:"sessions"`
	Request   *Request        `json:"request,omitempty"` // the one that is open
	Activity  []Activity      `json:"activity"`          // newest first
}

// Factor is one that somebody bound.
type Factor struct {
	ID       string          `json:"id"`
	Factor   identity.Factor `json:"factor"`
	Name     string          `json:"name,omitempty"`
	Strength string          `json:"strength"`
	BoundAt  time.Time       `json:"bound_at"`
	UsedAt   time.Time       `json:"used_at,omitzero"`
	RemoveAt time.Time       `json:"remove_at,omitzero"`
	Address  string          `json:"address,omitempty"` // where it was bound
	Browser  string          `json:"browser,omitempty"`
	Left     int             `json:"left,omitempty"` // unspent recovery codes
}

// Contact is a person's, masked.
type Contact struct {
	Kind    identity.Factor `json:"kind"`
	Masked  string          `json:"masked"`
	BoundAt time.Time       `json:"bound_at"`
}

// Browser is one in which the person passed.
type Browser struct {
	FirstAt      time.Time `json:"first_at,omitzero"`
	SeenAt       time.Time `json:"seen_at,omitzero"`
	TrustedUntil time.Time `json:"trusted_until,omitzero"`
	Address      string    `json:"address,omitempty"`
	Browser      string    `json:"browser,omitempty"`
}

// Session is one that goes on.
type Session struct {
	ID        string    `json:"id"`
	Site      string    `json:"site"`
	Level     string    `json:"level"`
	Source    string    `json:"source"`
	BeganAt   time.Time `json:"began_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Address   string    `json:"address,omitempty"`
	Browser   string    `json:"browser,omitempty"`
}

// Activity is something in the trail.
type Activity struct {
	At        time.Time       `json:"at"`
	Event     audit.Event     `json:"event"`
	Site      string          `json:"site,omitempty"`
	Reasons   []policy.Reason `json:"reasons,omitempty"`
	Reference string          `json:"reference,omitempty"`
	Address   string          `json:"address,omitempty"`
	Browser   string          `json:"browser,omitempty"`
}

// recent is how much of the trail is shown.
const recent = 10

// Show shows a person.
func (s *Service) Show(ctx context.Context, in Whom) (Shown, error) {
	who, err := s.somebody(ctx, in)
	if err != nil {
		return Shown{}, err
	}
	shown := Shown{Realm: who.Realm}
	err = errors.Join(s.showAccount(ctx, who, &shown), s.showPlaces(ctx, who, &shown), s.showPast(ctx, who, &shown))
	return shown, err
}

func (s *Service) showAccount(ctx context.Context, who identity.Subject, shown *Shown) (err error) {
	if shown.User, err = s.user(ctx, who); err != nil {
		return err
	}
	a, err := s.Accounts.Account(ctx, who)
	shown.Rebinding, shown.Preferred, shown.Bound, shown.Contacts = a.Rebinding(), a.Preferred, []Factor{}, []Contact{}
	for _, c := range a.Usable(s.Now()) {
		shown.Bound = append(shown.Bound, Factor{ID: c.ID, Factor: c.Factor, Name: c.Name, Strength: strengths[c.Strength], BoundAt: c.BoundAt, UsedAt: c.UsedAt,
			RemoveAt: c.RemoveAt, Address: c.Bound.Address, Browser: c.Bound.Browser, Left: c.Left})
	}
	for _, c := range a.Contacts {
		masked, unreadable := s.Contacts.Mask(c)
		if unreadable != nil { // its key was lost, which is no reason to show nothing
			masked = "unreadable"
		}
		shown.Contacts = append(shown.Contacts, Contact{c.Kind, masked, c.BoundAt})
	}
	return err
}

// strengths are the words for what factors are worth.
var strengths = map[identity.Strength]string{
	identity.Unproved:  "none",
	identity.Mailbox:   "mailbox",
	identity.Telephone: "telephone",
	identity.Device:    "device",
	identity.Key:       "key",
}

func (s *Service) showPlaces(ctx context.Context, who identity.Subject, shown *Shown) error {
	browsers, err := s.Accounts.Browsers(ctx, who)
	shown.Browsers, shown.Sessions = []Browser{}, []Session{}
	for _, b := range browsers {
		shown.Browsers = append(shown.Browsers, Browser{b.FirstAt, b.SeenAt, b.TrustedUntil, b.Place.Address, b.Place.Browser})
	}
	if err != nil {
		return err
	}
	all, err := s.Sessions.List(ctx, who)
	for _, r := range all {
		shown.Sessions = append(shown.Sessions, Session{sessionID(r), r.Site, r.Level.String(), r.Source, r.BeganAt, r.SeenAt, r.ExpiresAt, r.Address, r.Browser})
	}
	return err
}

func (s *Service) showPast(ctx context.Context, who identity.Subject, shown *Shown) (err error) {
	if shown.Request, err = s.openRequest(ctx, who); err != nil {
		return err
	}
	past, err := s.Past.Find(ctx, who, "", recent)
	shown.Activity = []Activity{}
	for _, r := range past {
		shown.Activity = append(shown.Activity, Activity{r.At, r.Event, r.Site, r.Reasons, r.Reference, r.Address, r.Browser})
	}
	return err
}
