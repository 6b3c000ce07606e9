package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/firstfactor"
)

// parsePassword reads:
//
//	first_factor password {
//		min_length 12
//		label      TEXT
//	}
func parsePassword(h httpcaddyfile.Helper) (Source, error) {
	d := h.Dispenser
	if d.NextArg() {
		return Source{}, d.Errf("first_factor password takes a block and no argument %q: people and their passwords are made by `stepgate users`", d.Val())
	}
	p := new(firstfactor.Password)
	err := block(d, "first_factor password", words{
		"min_length": checked(number(&p.MinLength), func() error { return p.Validate() }),
		"label":      one(&p.Label),
	})
	return Source{Password: p}, err
}
