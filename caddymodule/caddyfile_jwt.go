package caddymodule

import (
	"maps"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/go-jose/go-jose/v4"

	"github.com/stepgate/stepgate/firstfactor"
)

// parseJWT reads:
//
//	first_factor jwt {
//		issuer     https://id.example.com
//		audience   NAME…
//		jwks       https://id.example.com/keys | /path
//		algorithms RS256…
//		header     NAME
//		cookie     NAME
//		subject    CLAIM
//		groups     CLAIM
//		skip       always|never|amr METHOD…|acr CLASS…
//		max_age    8h
//	}
func parseJWT(h httpcaddyfile.Helper) (Source, error) {
	d, j := h.Dispenser, new(firstfactor.JWT)
	s := Source{JWT: j}
	if d.NextArg() {
		return s, d.Errf("first_factor jwt takes a block and no %q: say in it who signs the tokens, as `issuer %s`", d.Val(), d.Val())
	}
	known := words{
		"issuer":     one(&j.Issuer),
		"audience":   some(&j.Audience, "wiki"),
		"jwks":       one(&j.JWKS),
		"algorithms": func(d *caddyfile.Dispenser) error { return parseAlgorithms(d, &j.Algorithms) },
		"header":     once(&j.Header),
		"cookie":     one(&j.Cookie),
		"subject":    one(&j.Subject),
		"groups":     one(&j.Groups),
	}
	maps.Copy(known, skipWords(&s.Skip))
	err := block(d, "first_factor jwt", known)
	return s, err
}

func parseAlgorithms(d *caddyfile.Dispenser, into *[]jose.SignatureAlgorithm) error {
	var names []string
	if err := some(&names, "ES256")(d); err != nil {
		return err
	}
	for _, name := range names {
		*into = append(*into, jose.SignatureAlgorithm(name))
	}
	return nil
}
