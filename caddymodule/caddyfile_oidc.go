package caddymodule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/policy"
)

// parseOIDC reads:
//
//	first_factor oidc ISSUER {
//		client_id     NAME
//		client_secret {file./run/secrets/oidc}
//		scopes        openid profile…
//		groups        CLAIM
//		name          CLAIM
//		label         TEXT
//		id            NAME
//		skip          always|never|amr METHOD…|acr CLASS…
//		max_age       8h
//	}
func parseOIDC(h httpcaddyfile.Helper) (Source, error) {
	d, o := h.Dispenser, new(firstfactor.OIDC)
	s := Source{OIDC: o}
	args := d.RemainingArgs()
	if len(args) != 1 {
		return s, d.Errf("first_factor oidc takes the provider's issuer, as `first_factor oidc https://id.example.com {`, not %s", count(args))
	}
	o.Issuer = args[0]
	at := *d
	known := words{
		"client_id":     one(&o.ClientID),
		"client_secret": one(&o.ClientSecret),
		"scopes":        some(&o.Scopes, "profile groups"),
		"groups":        one(&o.Groups),
		"name":          one(&o.Name),
		"label":         one(&o.Label),
		"id":            one(&o.ID),
	}
	maps.Copy(known, skipWords(&s.Skip))
	if err := block(d, "first_factor oidc", known); err != nil {
		return s, err
	}
	if s.unfilled() {
		return s, nil
	}
	if _, err := o.Prepared(); err != nil {
		return s, at.WrapErr(err)
	}
	return s, nil
}

// joinOIDC adds a provider that people sign in at.
func (s *Source) joinOIDC(site *gateway.Site) error {
	prepared, err := s.OIDC.Prepared()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(site.SignIns, func(other gateway.SignIn) bool { return other.ID() == prepared.ID }) {
		return fmt.Errorf("id: two sources of this site are called %q: give the second one a name of its own, as `id %s2`, which becomes "+
			"a part of the addresses that the provider has to know", prepared.ID, prepared.ID)
	}
	site.SignIns = append(site.SignIns, gateway.OIDC{Issuer: firstfactor.NewIssuer(prepared)})
	site.Skips[prepared.ID] = s.Skip.or(policy.SkipAlways)
	return nil
}
