package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// RealmPolicy is the policy for a realm's people.
type RealmPolicy struct {
	Policy
	// Groups are what is asked of the people in a group, by its name. Of
	// several, the strictest holds.
	Groups map[string]*GroupPolicy `json:"groups,omitempty"`
}

// GroupPolicy is what is asked of the people in a group.
type GroupPolicy struct {
	Demands
	// Locked says that no site's policy makes it weaker: a site can only ask
	// for more. Codes by mail never count; browsers are trusted, and a touch of a
	// passkey suffices, only if the group's own policy says so.
	Locked bool `json:"locked,omitempty"`
}

func (g *GroupPolicy) check() error {
	if g.Locked && slices.Contains(g.Factors, string(identity.Email)) {
		return errors.New("login_protection: email never counts for a locked group; leave it out, or `locked`")
	}
	return g.Demands.check()
}

// check looks at a realm's policy by itself.
func (p *RealmPolicy) check() error {
	errs := []error{p.Policy.check()}
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) {
		g := p.Groups[name]
		if g == nil {
			errs = append(errs, fmt.Errorf("group %s: say what is asked of its people, or leave it out", name))
		} else if err := g.check(); err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// policies are those of a site's people: the site's own above the realm's above
// the one of all.
func (a *App) policies(h *Handler) (own Policy, realm RealmPolicy) {
	if r := a.Realms[h.realm()]; r != nil {
		realm = r.Policy
	}
	return h.Policy.under(a.wider(realm)), realm
}

// wider is a realm's policy with what it leaves out.
func (a *App) wider(realm RealmPolicy) Policy {
	return realm.Policy.under(a.Policy).under(defaults)
}

// groupRules are the rules at a site for the people in groups that have some. A
// group's policy stands between the site's and the realm's; a locked one above
// both, and the stricter holds.
func (a *App) groupRules(h *Handler) (all policy.Groups) {
	own, realm := a.policies(h)
	for _, name := range slices.Sorted(maps.Keys(realm.Groups)) {
		g := realm.Groups[name]
		within := g.Demands.under(a.wider(realm).Demands)
		rules := a.rules(h.Policy.Demands.under(within))
		if g.Locked {
			rules = a.locked(g, within).Stricter(a.rules(own.Demands))
		}
		all = append(all, policy.GroupRules{Group: name, Rules: rules})
	}
	return all
}

// locked are the least that a locked group's people are asked for.
func (a *App) locked(g *GroupPolicy, within Demands) policy.Rules {
	within.TrustBrowser, within.Passkeys = g.TrustBrowser, g.Passkeys
	r := a.rules(within)
	r.Factors = slices.DeleteFunc(r.Factors, func(f identity.Factor) bool { return f == identity.Email })
	return r
}

// checkRules finds people of a site for whom nothing would count.
func (a *App) checkRules(h *Handler) error {
	if err := a.checkDemands(h.Policy.Demands); err != nil {
		return err
	}
	own, _ := a.policies(h)
	if len(a.rules(own.Demands).Countable()) == 0 {
		return errors.New("login_protection: no factor counts here, since email counts only where it is named: write `login_protection required email`, " +
			"or add another factor to `factors`")
	}
	for _, g := range a.groupRules(h) {
		if len(g.Rules.Countable()) == 0 {
			return fmt.Errorf("login_protection: no factor counts for the people in group %s, since email never counts for a locked one; "+
				"add another factor to `factors`, and name it", g.Group)
		}
	}
	return nil
}
