package caddymodule

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/argon"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/seal"
)

// joinPassword adds our own sign-in page to a site.
func (s *Source) joinPassword(site *gateway.Site) error {
	if slices.ContainsFunc(site.SignIns, func(other gateway.SignIn) bool { return other.ID() == firstfactor.SourcePassword }) {
		return errors.New("first_factor password stands twice; keep one")
	}
	if err := s.Password.Validate(); err != nil {
		return err
	}
	if s.Skip != nil {
		return errors.New("skip: a password is one factor, and skips no second one")
	}
	site.SignIns = append(site.SignIns, gateway.PasswordSignIn{Password: *s.Password})
	return nil
}

// checkOwnPage wants the address that one-time links lead to. The host of a
// request is the client's choice.
func (h *Handler) checkOwnPage() error {
	if h.hasOwnPage() && h.Origin == "" {
		return errors.New("origin: the links by which people choose their first password need the site's address: add `origin https://wiki.example.com`")
	}
	return nil
}

func (h *Handler) hasOwnPage() bool {
	return slices.ContainsFunc(h.FirstFactor, func(s Source) bool { return s.Password != nil })
}

// ownPages are the addresses of the sites with our own sign-in page, by realm.
type ownPages struct {
	mu      sync.Mutex
	origins map[string][]string
}

func (o *ownPages) add(h *Handler) {
	if !h.hasOwnPage() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.origins == nil {
		o.origins = make(map[string][]string)
	}
	realm := cmp.Or(h.Realm, h.Name)
	o.origins[realm] = append(o.origins[realm], h.Origin)
}

// hashing is the hasher as the pool wants it: one for the process, which
// bounds what all configurations take together.
type hashing struct{ *argon.Hasher }

// Close implements io.Closer.
func (hashing) Close() error { return nil }

func (a *App) openPasswords(s stores, ring *seal.Ring) (*firstfactor.Passwords, error) {
	h, err := hold(a, "passwords", func() (hashing, error) { return hashing{argon.New()}, nil })
	return &firstfactor.Passwords{Store: s.accounts, Budgets: s.accounts.Budgets(), Hasher: h, Ring: ring, Now: time.Now}, err
}
