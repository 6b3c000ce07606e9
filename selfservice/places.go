package selfservice

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// handle names something on a page without telling its id. It is found only
// among what the person has.
func (s *Service) handle(p Person, what string, id []byte) string {
	return base64.RawURLEncoding.EncodeToString(seal.Digest(s.Ring.Derive("handle")[0], what, p.Subject.String(), string(id))[:12])
}

// Browser is one in which the person passed before.
type Browser struct {
	accounts.Browser
	Handle string
	This   bool
}

func (s *Service) browsers(ctx context.Context, p Person) (all []Browser, err error) {
	known, err := s.Accounts.Browsers(ctx, p.Subject)
	for _, b := range known {
		all = append(all, Browser{Browser: b, Handle: s.handle(p, "browser", b.Place.Mark), This: bytes.Equal(b.Place.Mark, p.Place.Mark)})
	}
	return all, err
}

// ForgetBrowser makes a browser a stranger.
func (s *Service) ForgetBrowser(ctx context.Context, p Person, handle string) error {
	all, err := s.browsers(ctx, p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(b Browser) bool { return b.Handle == handle })
	if i < 0 {
		return accounts.ErrNoBrowser
	}
	if err := s.Accounts.ForgetBrowser(ctx, p.Subject, all[i].Place.Mark); err != nil {
		return err
	}
	return s.note(ctx, p, audit.BrowserForgotten, "")
}

// Session is one of the person's, at any site of the realm.
type Session struct {
	sessions.Record
	Handle string
	This   bool
}

// list are the person's sessions, last seen first.
func (s *Service) list(ctx context.Context, p Person) (all []Session, err error) {
	records, err := s.Sessions.List(ctx, p.Subject)
	for _, r := range records {
		all = append(all, Session{Record: r, Handle: s.handle(p, "session", r.Family[:]), This: p.Same(r)})
	}
	slices.SortStableFunc(all, func(a, b Session) int { return b.SeenAt.Compare(a.SeenAt) })
	return all, err
}

// EndSession ends one session of the person, though it passed again since it
// was shown. Its browser is asked again at the next login, however short ago it
// passed.
func (s *Service) EndSession(ctx context.Context, p Person, handle string) error {
	if err := s.end(ctx, p, handle); err != nil {
		return err
	}
	if err := s.end(ctx, p, handle); err != nil && !errors.Is(err, ErrNoSession) { // it was under way to a new id
		return err
	}
	if err := s.Accounts.ForgetPasses(ctx, p.Subject); err != nil {
		return err
	}
	return s.note(ctx, p, audit.SessionEnded, "")
}

func (s *Service) end(ctx context.Context, p Person, handle string) error {
	all, err := s.list(ctx, p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(r Session) bool { return r.Handle == handle })
	if i < 0 {
		return ErrNoSession
	}
	return s.Sessions.EndRecord(ctx, all[i].Record)
}

// EndOthers ends all sessions of the person but this one, and the trust in all
// browsers: one of them may be lost.
func (s *Service) EndOthers(ctx context.Context, p Person) error {
	a, err := s.Accounts.Account(ctx, p.Subject)
	if err != nil {
		return err
	}
	if err := s.Sessions.EndOthers(ctx, p.Session); err != nil {
		return err
	}
	if err := errors.Join(s.Accounts.ForgetPasses(ctx, p.Subject), s.Accounts.DistrustBrowsers(ctx, p.Subject)); err != nil {
		return err
	}
	return s.done(ctx, p, a, audit.OthersEnded, "", contacts.Announcement{Kind: templates.AnnounceSessionsEnded})
}
