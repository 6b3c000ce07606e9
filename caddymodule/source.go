package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/policy"
)

// Source is one way of the first factor; exactly one of its kinds is set.
type Source struct {
	// Console watches the console's own login.
	Console *firstfactor.Console `json:"console,omitempty"`
	// Password is Stepgate's own sign-in page, for consoles that have no login.
	Password *firstfactor.Password `json:"password,omitempty"`
	// OIDC has people sign in at an OpenID Connect provider.
	OIDC *firstfactor.OIDC `json:"oidc,omitempty"`
	// JWT proves people by a signed token that each of their requests carries.
	JWT *firstfactor.JWT `json:"jwt,omitempty"`
	// Header proves people by the word of an authenticating proxy in front.
	Header *firstfactor.Header `json:"header,omitempty"`
	// Caddy proves people by whatever auth handler ran before.
	Caddy *firstfactor.CaddyUser `json:"caddy,omitempty"`
	// Skip says whom of this source's people is not asked for a second factor.
	// Default: everybody whose assertion Stepgate itself validates, as the
	// clouds do it; nobody who is only said to be somebody.
	Skip *Skip `json:"skip,omitempty"`
}

// Skip is the evidence by which single sign-on needs no second factor here.
type Skip struct {
	// Mode is never, always, amr or acr.
	Mode string `json:"mode"`
	// Values are the methods (amr, RFC 8176) or classes (acr) of which one
	// suffices.
	Values []string `json:"values,omitempty"`
	// MaxAge is how long ago the person may have proved it. Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

func (s *Skip) check() error {
	if s == nil {
		return nil
	}
	lists := s.Mode == string(policy.SkipAMR) || s.Mode == string(policy.SkipACR)
	switch {
	case !lists && s.Mode != string(policy.SkipNever) && s.Mode != string(policy.SkipAlways):
		return fmt.Errorf("skip: %q is none of always, never, amr METHOD… and acr CLASS…", s.Mode)
	case lists && len(s.Values) == 0:
		return fmt.Errorf("skip: say which %s suffices, as `skip amr mfa hwk`", s.Mode)
	case !lists && len(s.Values) > 0:
		return fmt.Errorf("skip: %s takes no %q", s.Mode, s.Values[0])
	case s.Mode == string(policy.SkipNever) && s.MaxAge != 0:
		return errors.New("max_age: with `skip never` nobody is spared, whenever they signed in")
	case s.MaxAge < 0:
		return errors.New("max_age: give a time like 8h")
	}
	return nil
}

// or is the policy, with a default for who says nothing.
func (s *Skip) or(mode policy.SkipMode) policy.Skip {
	if s == nil {
		return policy.Skip{Mode: mode}
	}
	return policy.Skip{Mode: policy.SkipMode(s.Mode), Values: s.Values, MaxAge: time.Duration(s.MaxAge)}
}

// joinSources adds the ways of the first factor to a site.
func (h *Handler) joinSources(site *gateway.Site) error {
	if len(h.FirstFactor) == 0 {
		return errors.New("first_factor: say how people sign in, as `first_factor console PRESET`")
	}
	for i := range h.FirstFactor {
		if err := h.FirstFactor[i].join(site); err != nil {
			return err
		}
	}
	if err := h.checkOwnPage(); err != nil {
		return err
	}
	if site.Console.LoginPage != "" && len(site.SignIns) > 0 { // in the place that it has among them
		site.SignIns = h.withConsole(site.SignIns)
	}
	return nil
}

// join adds one way to a site.
func (s *Source) join(site *gateway.Site) error {
	if err := s.Skip.check(); err != nil {
		return err
	}
	switch {
	case s.Console != nil:
		return s.joinConsole(site)
	case s.OIDC != nil:
		return s.joinOIDC(site)
	case s.JWT != nil:
		return s.joinJWT(site)
	case s.Header != nil:
		return s.joinWord(site, s.Header, "header")
	case s.Caddy != nil:
		return s.joinCaddy(site)
	case s.Password != nil:
		return s.joinPassword(site)
	default:
		return errors.New("first_factor: say how people sign in, as `first_factor console PRESET`")
	}
}

func (s *Source) joinConsole(site *gateway.Site) error {
	if len(site.Console.Logins) > 0 {
		return errors.New("first_factor console stands twice: a site has one console; describe all its logins in one block")
	}
	console, err := s.Console.WithPreset()
	if err != nil {
		return err
	}
	if err := console.Prepare(); err != nil {
		return err
	}
	site.Console = &console
	return s.joinFederated(site)
}

// joinFederated says what holds for the people whom an issuer proves to the
// console itself: of how it did, Stepgate learns nothing.
func (s *Source) joinFederated(site *gateway.Site) error {
	if !site.Console.Federates() {
		if s.Skip != nil {
			return errors.New("skip: this console's people prove themselves to nobody else; it belongs to a `login` with `federated ISSUER`")
		}
		return nil
	}
	switch {
	case s.Skip != nil && len(s.Skip.Values) > 0:
		return errors.New("skip: of a console's own single sign-on nobody but the console learns how people signed in; use `skip always` or `skip never`")
	case s.Skip != nil && s.Skip.MaxAge != 0:
		return errors.New("max_age: of a console's own single sign-on nobody but the console learns when people signed in; leave it out, or use `skip never`")
	}
	site.Skips[firstfactor.SourceFederated] = s.Skip.or(policy.SkipAlways)
	return nil
}

// withConsole puts the console's own login page among the other ways.
func (h *Handler) withConsole(others []gateway.SignIn) (all []gateway.SignIn) {
	for _, s := range h.FirstFactor {
		switch {
		case s.Console != nil:
			all = append(all, gateway.ConsoleSignIn{Name: h.Name})
		case len(others) > 0 && s.signsIn():
			all, others = append(all, others[0]), others[1:]
		}
	}
	return all
}

// bringsGroups tells whether the source says which groups its people are in.
func (s Source) bringsGroups() bool {
	return s.OIDC != nil && s.OIDC.Groups != "" || s.JWT != nil && s.JWT.Groups != "" || s.Header != nil && s.Header.Groups != "" || s.Caddy != nil && s.Caddy.Groups != ""
}

// signsIn tells whether the source has a sign-in page.
func (s *Source) signsIn() bool { return s.Password != nil || s.OIDC != nil }

func checkOrigin(origin string) error {
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != strings.ToLower(origin) {
		return fmt.Errorf("origin: %q is not an address like https://wiki.example.com: scheme, host and, where it is another, port", origin)
	}
	if u.Scheme == "http" && !loopback(u.Host) {
		return fmt.Errorf("origin: %q is not https, over which alone a browser keeps the session", origin)
	}
	return nil
}
