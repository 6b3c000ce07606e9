package caddymodule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Realm is a directory of people that several sites may share.
type Realm struct {
	// Groups are the realm's people by the name of a group. What a source says
	// of a person's groups is added.
	Groups map[string][]string `json:"groups,omitempty"`
}

// members are the groups of a realm's people, by name.
func (a *App) members(realm string) map[string][]string {
	by := make(map[string][]string)
	if r := a.Realms[realm]; r != nil {
		for group, people := range r.Groups {
			for _, name := range people {
				by[name] = append(by[name], group)
			}
		}
	}
	return by
}

func (a *App) checkRealms() error {
	var errs []error
	for name, r := range a.Realms {
		errs = append(errs, checkName(name))
		if r == nil {
			errs = append(errs, fmt.Errorf("realm %s: say what is in it, or leave it out", name))
		}
	}
	return errors.Join(errs...)
}

// parseRealm reads:
//
//	realm NAME {
//		group NAME PERSON…
//	}
func parseRealm(d *caddyfile.Dispenser, app *App) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Err("realm takes its name and a block, as `realm staff {`")
	}
	if err := checkName(args[0]); err != nil {
		return d.WrapErr(err)
	}
	if app.Realms[args[0]] != nil {
		return d.Errf("realm %s stands twice; keep one", args[0])
	}
	r := new(Realm)
	if app.Realms == nil {
		app.Realms = make(map[string]*Realm)
	}
	app.Realms[args[0]] = r
	return block(d, "realm "+args[0], words{
		"group": func(d *caddyfile.Dispenser) error { return parseGroup(d, r) },
	})
}

func parseGroup(d *caddyfile.Dispenser, r *Realm) error {
	args := d.RemainingArgs()
	if len(args) < 2 || slices.Contains(args, "") {
		return d.Err("group takes its name and the people in it, as `group admins alice bob`")
	}
	if r.Groups == nil {
		r.Groups = make(map[string][]string)
	}
	r.Groups[args[0]] = append(r.Groups[args[0]], args[1:]...)
	return nil
}

// parseAllow reads `allow group NAME…`.
func parseAllow(d *caddyfile.Dispenser, site *Handler) error {
	args := d.RemainingArgs()
	if len(args) < 2 || args[0] != "group" || slices.Contains(args, "") {
		return d.Err("allow takes the word group and the groups whose people may come, as `allow group admins it`")
	}
	site.AllowGroups = append(site.AllowGroups, args[1:]...)
	return nil
}
