package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/match"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("stepgate", parseGlobal)
	httpcaddyfile.RegisterDirective("stepgate", parseSite)
	// After encode, so that Caddy's own auth handlers have run.
	httpcaddyfile.RegisterDirectiveOrder("stepgate", httpcaddyfile.After, "encode")
}

// words maps each word of a block to what reads it. The reader stands on the
// word; its arguments and block are next.
type words map[string]func(d *caddyfile.Dispenser) error

// block reads a block of words. A misspelt one is an error that lists them.
func block(d *caddyfile.Dispenser, within string, known words) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		read, ok := known[d.Val()]
		if !ok {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			return d.Errf("%s has no word %q; it has %s", within, d.Val(), strings.Join(names, ", "))
		}
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

// one reads the only argument of a word.
func one(into *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		word := d.Val()
		if *into != "" {
			return d.Errf("%s stands twice; keep one", word)
		}
		args := d.RemainingArgs()
		if len(args) != 1 || args[0] == "" {
			return d.Errf("%s takes one argument, not %d", word, len(args))
		}
		*into = args[0]
		return nil
	}
}

// some reads one or more arguments.
func some(into *[]string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		word, args := d.Val(), d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("%s takes at least one argument", word)
		}
		*into = append(*into, args...)
		return nil
	}
}

func duration(into *caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var text string
		word := d.Val()
		if err := one(&text)(d); err != nil {
			return err
		}
		v, err := caddy.ParseDuration(text)
		if err != nil {
			return d.Errf("%s: %q is not a duration like 15m, 1h or 30d", word, text)
		}
		*into = caddy.Duration(v)
		return nil
	}
}

// parseGlobal reads the global option:
//
//	stepgate {
//		brand   NAME
//		factors totp
//		keys    DIRECTORY
//		help    TEXT
//		overlay DIRECTORY
//		policy {…}
//	}
func parseGlobal(d *caddyfile.Dispenser, before any) (any, error) {
	d.Next()
	if before != nil {
		return nil, d.Err("the global option stepgate stands twice; keep one")
	}
	if d.NextArg() {
		return nil, d.Errf("the global option stepgate takes a block and no argument; a site's name stands in the site's own stepgate")
	}
	app := new(App)
	err := block(d, "the global option stepgate", words{
		"brand": one(&app.Brand), "factors": checked(some(&app.Factors), func() error { return checkFactors(app.Factors) }), "keys": one(&app.Keys),
		"help": one(&app.Help), "overlay": one(&app.Overlay),
		"policy": func(d *caddyfile.Dispenser) error { return parsePolicy(d, &app.Policy) },
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "stepgate", Value: httpJSON(app)}, nil
}

// parsePolicy reads:
//
//	policy {
//		login_protection required [FACTOR…]
//		session_idle     1h
//		session_lifetime 24h
//	}
func parsePolicy(d *caddyfile.Dispenser, p *Policy) error {
	if d.NextArg() {
		return d.Errf("policy takes a block and no argument %q", d.Val())
	}
	return block(d, "policy", words{
		"login_protection": func(d *caddyfile.Dispenser) error { return parseProtection(d, p) },
		"session_idle":     checked(duration(&p.SessionIdle), func() error { return p.check() }),
		"session_lifetime": checked(duration(&p.SessionLifetime), func() error { return p.check() }),
	})
}

// checked reports what a word broke while its line is still known.
func checked(read func(*caddyfile.Dispenser) error, check func() error) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		if err := check(); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

func parseProtection(d *caddyfile.Dispenser, p *Policy) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("login_protection takes a mode: required")
	}
	p.LoginProtection, p.Factors = args[0], args[1:]
	if err := p.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseMatch reads `[METHOD…] /path…`, `*` or `@name`.
func parseMatch(h httpcaddyfile.Helper, word string) (m match.Match, err error) {
	d := h.Dispenser
	for d.NextArg() {
		arg := d.Val()
		switch {
		case strings.HasPrefix(arg, "@"):
			return named(h, word)
		case strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "*"):
			m.Paths = append(m.Paths, arg)
		case len(m.Paths) == 0 && strings.ToUpper(arg) == arg:
			m.Methods = append(m.Methods, arg)
		default:
			return m, d.Errf("%s: %q is neither a METHOD, which is in capitals and comes first, nor a /path, * or @matcher", word, arg)
		}
	}
	if len(m.Paths) == 0 {
		return m, d.Errf("%s: say which requests: a /path, * or a @matcher", word)
	}
	if err := m.Validate(); err != nil {
		return m, d.WrapErr(err)
	}
	return m, nil
}

// named reads a named matcher, which stands alone.
func named(h httpcaddyfile.Helper, word string) (m match.Match, err error) {
	d := h.Dispenser
	name := d.Val()
	d.Prev()
	set, ok, err := h.MatcherToken()
	if err != nil || !ok {
		return m, d.Errf("%s: %s: %v; define the matcher in this site, before or after", word, name, err)
	}
	if len(set) == 0 {
		return m, d.Errf("%s: the matcher %s is empty, and would match everything", word, name)
	}
	if d.NextArg() {
		return m, d.Errf("%s: a named matcher stands alone; put %q into it", word, d.Val())
	}
	m.Matcher = set
	return m, nil
}
