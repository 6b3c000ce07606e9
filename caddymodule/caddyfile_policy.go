package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// wholly are the checks that need all that sites share, which may stand further
// down: each knows the line that it is about.
type wholly []func(*App) error

// later notes a check of the word that was just read.
func (w *wholly) later(d *caddyfile.Dispenser, check func(*App) error) {
	word := d.Token()
	*w = append(*w, func(a *App) error { return atWord(word, check(a)) })
}

func (w wholly) check(a *App) error {
	for _, check := range w {
		if err := check(a); err != nil {
			return err
		}
	}
	return nil
}

// sharedBy is what the global option says, for a site to be checked against.
func sharedBy(h httpcaddyfile.Helper) (*App, error) {
	app := new(App)
	option, there := h.Option("stepgate").(httpcaddyfile.App)
	if !there {
		return app, nil
	}
	return app, json.Unmarshal(option.Value, app)
}

// parseFactors reads `factors FACTOR…`.
func parseFactors(d *caddyfile.Dispenser, app *App, all *wholly) error {
	if err := some(&app.Factors, "totp passkey recovery")(d); err != nil {
		return err
	}
	if err := checkKinds("factors", app.Factors); err != nil {
		return d.WrapErr(err)
	}
	all.later(d, (*App).checkFactors)
	return nil
}

// parsePolicy reads:
//
//	policy {
//		login_protection required [FACTOR…]
//		enroll           at_login|contact|ticket
//		passkeys         verified|present
//		trust_browser    off|30d
//		manage_factors   on|off
//		session_idle     1h
//		session_lifetime 24h
//	}
func parsePolicy(d *caddyfile.Dispenser, p *Policy, all *wholly) error {
	if d.NextArg() {
		return d.Errf("policy takes a block and no argument %q", d.Val())
	}
	return block(d, "policy", policyWords(p, all))
}

func policyWords(p *Policy, all *wholly) words {
	soFar := func() error { return p.check() }
	known := demandWords(&p.Demands, all, soFar)
	known["session_idle"] = checked(duration(&p.SessionIdle), soFar)
	known["session_lifetime"] = checked(duration(&p.SessionLifetime), soFar)
	return known
}

// demandWords are those of every policy. check is of the policy that they are
// in, by itself.
func demandWords(p *Demands, all *wholly, check func() error) words {
	return words{
		"login_protection": func(d *caddyfile.Dispenser) error { return parseProtection(d, p, all, check) },
		"enroll": func(d *caddyfile.Dispenser) error {
			all.later(d, func(a *App) error { return a.checkDemands(Demands{Enroll: p.Enroll}) })
			return checked(one(&p.Enroll), check)(d)
		},
		"passkeys":       checked(one(&p.Passkeys), check),
		"trust_browser":  checked(one(&p.TrustBrowser), check),
		"manage_factors": checked(one(&p.ManageFactors), check),
	}
}

func parseProtection(d *caddyfile.Dispenser, p *Demands, all *wholly, check func() error) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("login_protection takes a mode, as `login_protection required`")
	}
	p.LoginProtection, p.Factors = args[0], args[1:]
	all.later(d, func(a *App) error { return a.checkDemands(Demands{Factors: p.Factors}) })
	if err := check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseRealmPolicy reads a policy with the words above, and:
//
//	group NAME {
//		login_protection required [FACTOR…]
//		enroll           at_login|contact|ticket
//		passkeys         verified|present
//		trust_browser    off|30d
//		manage_factors   on|off
//		locked
//	}
func parseRealmPolicy(d *caddyfile.Dispenser, r *Realm, all *wholly) error {
	if d.NextArg() {
		return d.Errf("policy takes a block and no argument %q", d.Val())
	}
	known := policyWords(&r.Policy.Policy, all)
	known["group"] = func(d *caddyfile.Dispenser) error { return parseGroupPolicy(d, r, all) }
	return block(d, "the policy of a realm", known)
}

func parseGroupPolicy(d *caddyfile.Dispenser, r *Realm, all *wholly) error {
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Err("group takes the name of one group and a block with what is asked of its people, as `group admins {`")
	}
	name, g := args[0], new(GroupPolicy)
	if r.Policy.Groups[name] != nil {
		return d.Errf("group %s stands twice in the policy; keep one", name)
	}
	all.later(d, func(*App) error { return r.knows(name) })
	known := demandWords(&g.Demands, all, g.check)
	known["locked"] = checked(none(&g.Locked), g.check)
	if r.Policy.Groups == nil {
		r.Policy.Groups = make(map[string]*GroupPolicy)
	}
	r.Policy.Groups[name] = g
	return block(d, "group "+name, known)
}
