package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/firstfactor"
)

// sourceKinds read what follows `first_factor KIND`: the rest of the line, and
// the block. The dispenser stands on KIND.
var sourceKinds = map[string]func(h httpcaddyfile.Helper) (Source, error){
	"console":  parseConsole,
	"password": parsePassword,
	"oidc":     parseOIDC,
	"jwt":      parseJWT,
	"header":   parseHeader,
	"caddy":    parseCaddy,
}

// parseFirstFactor reads `first_factor KIND …`.
func parseFirstFactor(h httpcaddyfile.Helper, site *Handler) error {
	if !h.NextArg() {
		return h.Errf("first_factor takes a source, which is one of %s, as `first_factor console dokuwiki`", kinds())
	}
	read, ok := sourceKinds[h.Val()]
	if !ok {
		return h.Errf("first_factor has no source %q in this version; %s", h.Val(), instead(h.Val()))
	}
	source, err := read(h)
	site.FirstFactor = append(site.FirstFactor, source)
	return err
}

// instead is what to write for a source that is called otherwise, or that there
// is not.
func instead(kind string) string {
	if slices.Contains(firstfactor.Presets(), kind) {
		return "that is a preset: write `first_factor console " + kind + "`"
	}
	switch strings.ToLower(kind) {
	case "openid", "openid_connect", "oauth", "oauth2", "sso":
		return "an OpenID provider is `first_factor oidc https://id.example.com {`"
	case "token", "bearer":
		return "a signed token in each request is `first_factor jwt {`"
	case "proxy", "forward_auth", "remote_user", "remote-user":
		return "an authenticating proxy in front is `first_factor header Remote-User {`"
	case "basic", "basic_auth", "basicauth":
		return "Caddy's own basic_auth is `first_factor caddy`; for a console that asks for Basic credentials itself, " +
			"write `first_factor console {` and in its login `username basic`"
	}
	return "it has " + kinds()
}

func kinds() string { return strings.Join(slices.Sorted(maps.Keys(sourceKinds)), ", ") }

// skipWords are the words of every source by which nobody but the source
// itself proves people.
func skipWords(into **Skip) words {
	return words{
		"skip":    func(d *caddyfile.Dispenser) error { return parseSkip(d, into) },
		"max_age": func(d *caddyfile.Dispenser) error { return parseMaxAge(d, into) },
	}
}

// parseSkip reads `skip always|never`, `skip amr METHOD…` or `skip acr CLASS…`.
func parseSkip(d *caddyfile.Dispenser, into **Skip) error {
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return d.Err("skip takes what suffices, as `skip always`, `skip amr mfa hwk`, `skip acr CLASS` or `skip never`")
	}
	s := skipOf(into)
	if s.Mode, s.Values = args[0], args[1:]; s.MaxAge != 0 && s.Mode == "never" {
		return d.Err("skip never and max_age contradict each other; keep one")
	}
	if err := s.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func parseMaxAge(d *caddyfile.Dispenser, into **Skip) error {
	var age caddy.Duration
	if err := duration(&age)(d); err != nil {
		return err
	}
	if age <= 0 {
		return d.Err("max_age takes a time like 8h, which is how old a single sign-on may be")
	}
	s := skipOf(into)
	if s.MaxAge = age; s.Mode == "never" {
		return d.Err("skip never and max_age contradict each other; keep one")
	}
	return nil
}

func skipOf(into **Skip) *Skip {
	if *into == nil {
		*into = &Skip{Mode: "always"}
	}
	return *into
}
