package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/policy"
)

// asserter is a source that proves people by each of their requests.
type asserter interface {
	firstfactor.Asserter
	Prepare(realm string) error
}

func (s *Source) joinJWT(site *gateway.Site) error {
	site.Skips[s.JWT.ID()] = s.Skip.or(policy.SkipAlways)
	return joinAsserter(site, s.JWT, "jwt "+s.JWT.Issuer)
}

func (s *Source) joinCaddy(site *gateway.Site) error {
	s.Caddy.Value = caddyUser
	return s.joinWord(site, s.Caddy, "caddy")
}

// joinWord adds a source that says who somebody is and nothing of how they
// proved it: it is no single sign-on unless the operator says so.
func (s *Source) joinWord(site *gateway.Site, a asserter, name string) error {
	if s.Skip != nil && (s.Skip.MaxAge != 0 || s.Skip.Mode != "always" && s.Skip.Mode != "never") {
		return fmt.Errorf("skip: first_factor %s does not say how or when people proved who they are: it is always or never", name)
	}
	if s.Skip != nil && s.Skip.Mode == "always" {
		site.Skips[a.ID()] = s.Skip.or(policy.SkipAlways)
	}
	return joinAsserter(site, a, name)
}

func joinAsserter(site *gateway.Site, a asserter, name string) error {
	if slices.ContainsFunc(site.Asserted, func(other firstfactor.Asserter) bool { return other.ID() == a.ID() }) {
		return fmt.Errorf("first_factor %s stands twice; keep one", name)
	}
	if err := a.Prepare(site.Realm); err != nil {
		return err
	}
	site.Asserted = append(site.Asserted, a)
	return nil
}

// caddyUser is what the auth handler that ran before says of a request's
// person.
func caddyUser(r *http.Request, name string) string {
	known, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	value, _ := known.GetString("http.auth.user." + name)
	return value
}

// texts are the values of the source that may hold placeholders.
func (s *Source) texts() (values []value) {
	if s.JWT != nil {
		values = append(values, value{"issuer", &s.JWT.Issuer}, value{"jwks", &s.JWT.JWKS})
		for i := range s.JWT.Audience {
			values = append(values, value{"audience", &s.JWT.Audience[i]})
		}
	}
	if s.OIDC != nil {
		values = append(values, value{"first_factor oidc", &s.OIDC.Issuer}, value{"client_id", &s.OIDC.ClientID})
	}
	if s.Header != nil {
		for i := range s.Header.TrustedProxies {
			values = append(values, value{"trusted_proxies", &s.Header.TrustedProxies[i]})
		}
	}
	return values
}

// unfilled tells whether a value is known only where the configuration is
// loaded.
func (s *Source) unfilled() bool {
	return slices.ContainsFunc(s.texts(), func(v value) bool { return strings.ContainsRune(*v.text, '{') })
}

// fillSources puts in what placeholders stand for.
func (h *Handler) fillSources() error {
	var errs []error
	for _, s := range h.FirstFactor {
		errs = append(errs, fill(caddy.NewReplacer(), s.texts()))
		if s.OIDC != nil {
			errs = append(errs, fillSecrets(caddy.NewReplacer(), []value{{"client_secret", &s.OIDC.ClientSecret}}))
		}
		if s.JWT != nil {
			s.JWT.Log = h.log
		}
	}
	return errors.Join(errs...)
}

// openSources reads the files that sources name.
func (h *Handler) openSources(ctx caddy.Context) error {
	for _, s := range h.FirstFactor {
		if s.JWT == nil {
			continue
		}
		if err := s.JWT.Open(ctx); err != nil {
			return err
		}
	}
	return nil
}
