package caddymodule

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

// compileAll turns the named matchers of a site's rules into functions.
func compileAll(ctx caddy.Context, site *gateway.Site) error {
	c := site.Console
	for _, rules := range []match.Matches{site.Protect, site.Public, site.Logout, site.Refuse, c.Public, c.Logout, c.PasswordChange, c.Refuse} {
		for i := range rules {
			if err := compile(ctx, &rules[i]); err != nil {
				return err
			}
		}
	}
	for i := range site.Bypass {
		if err := compile(ctx, &site.Bypass[i].Match); err != nil {
			return err
		}
	}
	for i := range site.Console.Logins {
		if err := compile(ctx, &site.Console.Logins[i].Match); err != nil {
			return err
		}
	}
	return nil
}

func compile(ctx caddy.Context, m *match.Match) error {
	if len(m.Matcher) == 0 {
		return nil
	}
	var set caddyhttp.MatcherSet
	for name, raw := range m.Matcher {
		mod, err := ctx.LoadModuleByID("http.matchers."+name, raw)
		if err != nil {
			return fmt.Errorf("matcher %s: %w", name, err)
		}
		matcher, ok := mod.(caddyhttp.RequestMatcherWithError)
		if !ok {
			return fmt.Errorf("matcher %s cannot report errors, and one that fails must not open a door", name)
		}
		set = append(set, matcher)
	}
	m.Func = func(r *http.Request) (bool, error) { return set.MatchWithError(r) }
	return nil
}
