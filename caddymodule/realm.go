package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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
	// RPID is the domain to which the realm's passkeys belong: that of its
	// sites, or one above all of them. Default: each site's own host.
	RPID string `json:"rp_id,omitempty"`
	// Policy for the realm's people; a site's own is above it.
	Policy RealmPolicy `json:"policy,omitzero"`
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
		if len(known[group]) == 0 {
			return fmt.Errorf("allow: nobody can be in group %s: no source of this site says groups, and realm %s puts nobody into it; "+
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
	if err := errors.Join(a.checkNaming(h), a.checkWithin(h)); err != nil {
		return err
	}
	a.places[h.Name] = place{h.realm(), h.Origin}
	return nil
}

// checkWithin finds what a site and what all share contradict each other in.
func (a *App) checkWithin(h *Handler) error {
	err := errors.Join(a.checkGroups(h), a.checkRules(h))
	r := a.Realms[h.realm()]
	if r == nil {
		return err
	}
	if r.Link && h.Origin == "" {
		err = errors.Join(err, fmt.Errorf("origin: the sites of realm %s are linked, so say where this one is, as `origin https://wiki.example.com`", h.realm()))
	}
	return errors.Join(err, r.checkOriginUnder(h))
}

func (a *App) checkRealms() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a.Realms)) {
		errs = append(errs, checkName(name))
		if r := a.Realms[name]; r == nil {
			errs = append(errs, fmt.Errorf("realm %s: say what is in it, or leave it out", name))
		} else if err := a.checkRealm(r); err != nil {
			errs = append(errs, fmt.Errorf("realm %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (a *App) checkRealm(r *Realm) error {
	if err := errors.Join(checkRPID(r.RPID), r.Policy.check(), a.checkDemands(r.Policy.Demands)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.Policy.Groups)) {
		if err := r.knows(name); err != nil {
			return err
		}
		if err := a.checkDemands(r.Policy.Groups[name].Demands); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
	}
	return nil
}

// knows finds a misspelt group.
func (r *Realm) knows(group string) error {
	if _, ok := r.Groups[group]; !ok {
		return fmt.Errorf("group %s: the realm has none of that name; write `group %s PERSON…` beside its policy, "+
			"or `group %s` alone if a source says who is in it", group, group, group)
	}
	return nil
}

// rpID is the domain of a realm's passkeys; "": each site's host.
func (a *App) rpID(realm string) string {
	if r := a.Realms[realm]; r != nil {
		return r.RPID
	}
	return ""
}

// parseRealm reads:
//
//	realm NAME {
//		group  NAME [PERSON…]
//		link   on
//		rp_id  example.com
//		policy {…}
//	}
func parseRealm(d *caddyfile.Dispenser, app *App, all *wholly) error {
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
		"link":   func(d *caddyfile.Dispenser) error { return parseLink(d, r) },
		"group":  func(d *caddyfile.Dispenser) error { return parseGroup(d, r) },
		"rp_id":  checked(one(&r.RPID), func() error { return checkRPID(r.RPID) }),
		"policy": func(d *caddyfile.Dispenser) error { return parseRealmPolicy(d, r, all) },
	})
}

func parseLink(d *caddyfile.Dispenser, r *Realm) error {
	var how string
	if err := one(&how)(d); err != nil {
		return err
	}
	if r.Link = how == on; !r.Link && how != off {
		return d.Errf("link %q: it is `on` or `off`", how)
	}
	return nil
}

// parseGroup reads a group's people: nobody, where a source says who they are.
func parseGroup(d *caddyfile.Dispenser, r *Realm) error {
	args := d.RemainingArgs()
	if len(args) < 1 || slices.Contains(args, "") {
		return d.Err("group takes its name and the people in it, as `group admins alice bob`; the name alone, if a source says who is in it")
	}
	if r.Groups == nil {
		r.Groups = make(map[string][]string)
	}
	if r.Groups[args[0]] == nil {
		r.Groups[args[0]] = []string{}
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
