package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/stepgate/stepgate/identity"
)

// Realm is a directory of people that several sites may share.
type Realm struct {
	// Groups are the realm's people by the name of a group. What a source says
	// of a person's groups is added.
	Groups map[string][]string `json:"groups,omitempty"`
	// Link lets a person who passed at one site of the realm be passed at
	// another, by a redirect there and back. All its sites need an origin.
	Link bool `json:"link,omitempty"`
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

// links are the addresses of the other sites of a linked realm, by name.
func (a *App) links(h *Handler) map[string]string {
	if r := a.Realms[h.realm()]; r == nil || !r.Link {
		return nil
	}
	others := make(map[string]string)
	for name, place := range a.places {
		if name != h.Name && place.realm == h.realm() {
			others[name] = place.origin
		}
	}
	return others
}

// place is where a site is.
type place struct{ realm, origin string }

// checkGroups finds a group that nobody could be in.
func (a *App) checkGroups(h *Handler) error {
	if slices.ContainsFunc(h.FirstFactor, Source.bringsGroups) {
		return nil
	}
	known := make(map[string][]string)
	if r := a.Realms[h.realm()]; r != nil {
		known = r.Groups
	}
	for _, group := range h.AllowGroups {
		if _, ok := known[group]; !ok {
			return fmt.Errorf("allow: nobody can be in group %s: no source of this site says groups, and realm %s has none of that name; "+
				"add `group %s PERSON…` there, or `groups` to the source", group, h.realm(), group)
		}
	}
	return nil
}

// checkNaming wants one claim for the people of an issuer in a realm: of two,
// who may choose the one, as a user name, could choose what another person is
// called by the other.
func (a *App) checkNaming(h *Handler) error {
	for _, s := range h.FirstFactor {
		issuer, claim := s.naming()
		if issuer == "" {
			continue
		}
		people := identity.IssuedBy(h.realm(), issuer)
		if before := cmp.Or(a.naming[people], claim); before != claim {
			return fmt.Errorf("realm %s: people of %s are named by %s here and by %s elsewhere, so that one could be taken for another; "+
				"use one claim, or a realm of its own", h.realm(), issuer, claim, before)
		}
		a.naming[people] = claim
	}
	return nil
}

// naming is the claim by which a source's issuer names people.
func (s *Source) naming() (issuer, claim string) {
	switch {
	case s.OIDC != nil:
		return s.OIDC.Issuer, cmp.Or(s.OIDC.Name, "sub")
	case s.JWT != nil:
		return s.JWT.Issuer, cmp.Or(strings.TrimPrefix(s.JWT.Subject, "/"), "sub")
	}
	return "", ""
}

// note keeps where a site is.
func (a *App) note(h *Handler) error {
	if err := errors.Join(a.checkGroups(h), a.checkNaming(h)); err != nil {
		return err
	}
	if r := a.Realms[h.realm()]; r != nil && r.Link && h.Origin == "" {
		return fmt.Errorf("origin: the sites of realm %s are linked, so say where this one is, as `origin https://wiki.example.com`", h.realm())
	}
	a.places[h.Name] = place{h.realm(), h.Origin}
	return nil
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
//		link  on
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
		"link":  func(d *caddyfile.Dispenser) error { return parseLink(d, r) },
		"group": func(d *caddyfile.Dispenser) error { return parseGroup(d, r) },
	})
}

func parseLink(d *caddyfile.Dispenser, r *Realm) error {
	var how string
	if err := one(&how)(d); err != nil {
		return err
	}
	if r.Link = how == "on"; !r.Link && how != "off" {
		return d.Errf("link %q: it is `on` or `off`", how)
	}
	return nil
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
