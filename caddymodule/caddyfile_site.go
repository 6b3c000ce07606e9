package caddymodule

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
)

// parseSite reads a site's directive:
//
//	stepgate NAME {
//		realm   NAME
//		protect MATCH
//		public  MATCH
//		logout  MATCH
//		refuse  MATCH
//		bypass  NAME MATCH
//		observe 2026-12-01
//		origin  https://HOST
//		allow group NAME…
//		first_factor console [PRESET] {…}
//		policy {…}
//	}
func parseSite(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	d := h.Dispenser
	d.Next()
	site, all := new(Handler), wholly(nil)
	if err := siteName(d, site); err != nil {
		return nil, err
	}
	if err := block(d, "stepgate "+site.Name, siteWords(h, site, &all)); err != nil {
		return nil, err
	}
	if err := site.checkWhole(); err != nil {
		return nil, located(d, err)
	}
	if err := site.checkShared(h, all); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, site), nil
}

// checkWhole finds what only the whole can tell. A preset in a file is not
// opened: a Caddyfile can be adapted on a machine that does not have it, nor
// what placeholders stand for.
func (h *Handler) checkWhole() error {
	if slices.ContainsFunc(h.FirstFactor, func(s Source) bool { return s.unfilled() || s.Console != nil && isFile(s.Console.Preset) }) {
		return nil
	}
	_, err := h.build()
	return err
}

// checkShared finds what the site and the global option contradict each other
// in.
func (h *Handler) checkShared(helper httpcaddyfile.Helper, all wholly) error {
	app, err := sharedBy(helper)
	if err != nil {
		return helper.WrapErr(err)
	}
	if err := all.check(app); err != nil {
		return err
	}
	if err := app.checkWithin(h); err != nil {
		return located(helper.Dispenser, err)
	}
	return nil
}

func isFile(preset string) bool {
	return strings.ContainsRune(preset, '/') || strings.HasSuffix(preset, ".json")
}

// located adds file and line to errors about the whole: they begin with the
// word that they are about.
func located(d *caddyfile.Dispenser, err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range several.Unwrap() {
			errs = append(errs, located(d, e))
		}
		return errors.Join(errs...)
	}
	about := strings.TrimSuffix(strings.Fields(err.Error())[0], ":")
	for _, word := range []string{about, "first_factor", "stepgate"} {
		for d.Reset(); d.Next(); {
			if d.Val() == word {
				return d.WrapErr(err)
			}
		}
	}
	return err
}

func siteName(d *caddyfile.Dispenser, site *Handler) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.Err("stepgate needs a name for the site, as `stepgate wiki {`: sessions are keyed by it")
	case isMatcher(args[0]):
		return d.Errf("stepgate takes no matcher %q: what it does not see it cannot protect; use `protect` and `public` inside", args[0])
	case len(args) > 1:
		return d.Errf("stepgate takes one name, not %q as well", args[1])
	}
	site.Name = args[0]
	if err := checkName(site.Name); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func isMatcher(arg string) bool {
	return strings.HasPrefix(arg, "@") || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "*")
}

func siteWords(h httpcaddyfile.Helper, site *Handler, all *wholly) words {
	rule := func(into *match.Matches) reader { return matches(h, into) }
	return words{
		"realm":   checked(once(&site.Realm), func() error { return checkName(site.Realm) }),
		"protect": rule(&site.Protect), "public": rule(&site.Public), "logout": rule(&site.Logout),
		"refuse":       rule(&site.Refuse),
		"bypass":       func(d *caddyfile.Dispenser) error { return parseBypass(h, site) },
		"observe":      checked(one(&site.Observe), func() error { _, err := site.observeUntil(); return err }),
		"origin":       checked(one(&site.Origin), func() error { return checkOrigin(site.Origin) }),
		"allow":        func(d *caddyfile.Dispenser) error { return parseAllow(d, site) },
		"first_factor": func(d *caddyfile.Dispenser) error { return parseFirstFactor(h, site) },
		"policy":       func(d *caddyfile.Dispenser) error { return parsePolicy(d, &site.Policy, all) },
	}
}

// matches reads a rule that may stand several times.
func matches(h httpcaddyfile.Helper, into *match.Matches) reader {
	return func(d *caddyfile.Dispenser) error {
		m, err := parseMatch(h, d.Val())
		*into = append(*into, m)
		return err
	}
}

func parseBypass(h httpcaddyfile.Helper, site *Handler) error {
	if !h.NextArg() || h.Val() == "" || isMatcher(h.Val()) {
		return h.Err("bypass takes a name for the audit trail and then what it is for, as `bypass ci @ci`")
	}
	b := Bypass{Name: h.Val()}
	var err error
	b.Match, err = parseMatch(h, "bypass")
	site.Bypass = append(site.Bypass, b)
	return err
}

// parseConsole reads `first_factor console [PRESET] {…}`.
func parseConsole(h httpcaddyfile.Helper) (Source, error) {
	d, c := h.Dispenser, new(firstfactor.Console)
	args := d.RemainingArgs()
	if len(args) > 1 {
		return Source{}, d.Errf("first_factor console takes one preset, not %q as well", args[1])
	}
	if len(args) == 1 {
		c.Preset = args[0]
	}
	if !isFile(c.Preset) {
		if _, err := c.WithPreset(); err != nil {
			return Source{}, d.WrapErr(err)
		}
	}
	source := Source{Console: c}
	known := consoleWords(h, c)
	maps.Copy(known, skipWords(&source.Skip))
	err := block(d, "first_factor console", known)
	return source, err
}

func consoleWords(h httpcaddyfile.Helper, c *firstfactor.Console) words {
	return words{
		"login_page":      one(&c.LoginPage),
		"login":           func(d *caddyfile.Dispenser) error { return parseLogin(h, c) },
		"subject":         func(d *caddyfile.Dispenser) error { return parseSubject(d, c) },
		"session_cookie":  some(&c.SessionCookies, "PHPSESSID"),
		"session_header":  some(&c.SessionHeaders, "Authorization"),
		"session_token":   func(d *caddyfile.Dispenser) error { return parseToken(d, c) },
		"session_field":   some(&c.SessionFields, "access_token"),
		"session_message": some(&c.SessionMessages, "auth"),
		"problem":         func(d *caddyfile.Dispenser) error { return parseProblem(d, c) },
		"rolling":         none(&c.Rolling),
		"password_change": matches(h, &c.PasswordChange),
	}
}

// parseLogin reads:
//
//	login MATCH {
//		username form FIELD [anywhere]
//		username json /pointer
//		username basic
//		field    NAME VALUE
//		federated ISSUER…
//		success  CONDITION
//		failure  CONDITION
//		hold     all|cookies
//	}
func parseLogin(h httpcaddyfile.Helper, c *firstfactor.Console) error {
	d := h.Dispenser
	var l firstfactor.Login
	var err error
	if l.Match, err = parseMatch(h, "login"); err != nil {
		return err
	}
	at := *d
	err = block(d, "login", words{
		"federated": func(d *caddyfile.Dispenser) error { return parseFederated(d, &l) },
		"username":  func(d *caddyfile.Dispenser) error { return parseUsername(d, &l.Username) },
		"field":     func(d *caddyfile.Dispenser) error { return parseField(d, &l) },
		"success":   func(d *caddyfile.Dispenser) error { return parseCondition(d, &l.Success) },
		"failure":   func(d *caddyfile.Dispenser) error { return parseCondition(d, &l.Failure) },
		"hold":      func(d *caddyfile.Dispenser) error { return parseHold(d, &l.Hold) },
	})
	if err != nil {
		return err
	}
	if err := l.Check(); err != nil {
		return at.Errf("login: %w", err)
	}
	c.Logins = append(c.Logins, l)
	return nil
}

func parseHold(d *caddyfile.Dispenser, into *firstfactor.Hold) error {
	var what string
	if err := one(&what)(d); err != nil {
		return err
	}
	if *into = firstfactor.Hold(what); *into != firstfactor.HoldAll && *into != firstfactor.HoldCookies {
		return d.Errf("hold %q: it is `all` or `cookies`", what)
	}
	return nil
}

func parseUsername(d *caddyfile.Dispenser, f *firstfactor.Field) error {
	args := d.RemainingArgs()
	if len(args) == 1 && args[0] == "basic" {
		f.Basic = true
		return nil
	}
	if len(args) == 3 && args[0] == "form" && args[2] == "anywhere" {
		f.Anywhere, args = true, args[:2]
	}
	if len(args) != 2 || args[1] == "" || args[0] != "form" && args[0] != "json" {
		return d.Err("username takes the kind and the field, as `username form user` or `username json /user`; or `username basic`")
	}
	if args[0] == "form" {
		f.Form = args[1]
	} else {
		f.JSON = args[1]
	}
	return nil
}

func parseField(d *caddyfile.Dispenser, l *firstfactor.Login) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] == "" {
		return d.Err("field takes a name and the value that makes the request a login, as `field do login`")
	}
	if _, twice := l.Fields[args[0]]; twice {
		return d.Errf("field %s stands twice; keep one", args[0])
	}
	if l.Fields == nil {
		l.Fields = make(map[string]string)
	}
	l.Fields[args[0]] = args[1]
	return nil
}

func parseToken(d *caddyfile.Dispenser, c *firstfactor.Console) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] != "json" || !strings.HasPrefix(args[1], "/") {
		return d.Err("session_token takes a pointer into the login's answer, as `session_token json /access_token`")
	}
	c.SessionTokens = append(c.SessionTokens, args[1])
	return nil
}

func httpJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs of strings and numbers
	}
	return raw
}
