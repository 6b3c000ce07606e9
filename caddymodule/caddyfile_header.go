package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/firstfactor"
)

// parseHeader reads:
//
//	first_factor header NAME {
//		groups          NAME
//		trusted_proxies ADDRESS…
//		skip            always|never
//	}
func parseHeader(h httpcaddyfile.Helper) (Source, error) {
	d, c := h.Dispenser, new(firstfactor.Header)
	s := Source{Header: c}
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return s, d.Err("first_factor header takes the header by which your proxy says who somebody is, as `first_factor header Remote-User {`")
	}
	c.Name = args[0]
	err := block(d, "first_factor header", words{
		"groups":          one(&c.Groups),
		"trusted_proxies": some(&c.TrustedProxies, "10.1.2.3"),
		"skip":            func(d *caddyfile.Dispenser) error { return parseSkip(d, &s.Skip) },
	})
	return s, err
}

// parseCaddy reads:
//
//	first_factor caddy {
//		groups NAME
//		skip   always|never
//	}
func parseCaddy(h httpcaddyfile.Helper) (Source, error) {
	d, c := h.Dispenser, new(firstfactor.CaddyUser)
	s := Source{Caddy: c}
	if d.NextArg() {
		return s, d.Errf("first_factor caddy takes no %q: it asks whatever auth handler runs before, as basic_auth", d.Val())
	}
	err := block(d, "first_factor caddy", words{
		"groups": one(&c.Groups),
		"skip":   func(d *caddyfile.Dispenser) error { return parseSkip(d, &s.Skip) },
	})
	return s, err
}
