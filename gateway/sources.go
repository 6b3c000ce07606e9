package gateway

import (
	"slices"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

// sources are the realms whose people each source of a site proves.
func (s Site) sources() map[string]string {
	all := make(map[string]string)
	if len(s.Console.Logins) > 0 {
		all[firstfactor.SourceConsole] = s.Realm
	}
	if s.Console.Federates() {
		all[firstfactor.SourceFederated] = s.Realm
	}
	for _, a := range s.Asserted {
		all[a.ID()] = a.Realm()
	}
	for _, w := range s.SignIns {
		all[w.ID()] = s.Realm
		if o, ok := w.(OIDC); ok {
			all[w.ID()] = identity.IssuedBy(s.Realm, o.Issuer.Issuer)
		}
	}
	return all
}

// counts tells whether a session could have begun by today's configuration,
// which is perhaps another than when it did: its source is still believed to
// name people of its realm, and to spare them a second factor if it did, and
// the person may still come.
func (g *Gateway) counts(live *sessions.Session) bool {
	if realm, ok := g.sources[live.Source]; !ok || realm != live.Subject.Realm {
		return false
	}
	spared := live.Level == identity.Verified && !live.Passed
	return (!spared || g.spares(live.Source)) && g.allows(live.Subject, live.Groups)
}

// spares tells whether people of a source may need no second factor.
func (g *Gateway) spares(source string) bool {
	mode := g.site.Skips[source].Mode
	return mode != "" && mode != policy.SkipNever
}

// allows tells whether a person is in a group that may come.
func (g *Gateway) allows(who identity.Subject, said []string) bool {
	may := func(group string) bool { return slices.Contains(g.site.Allow, group) }
	return len(g.site.Allow) == 0 || slices.ContainsFunc(said, may) || slices.ContainsFunc(g.memberships(who), may)
}

// said are the groups that a source says, in order.
func said(who firstfactor.Identity) []string {
	all := who.Groups()
	slices.Sort(all)
	return slices.Compact(all)
}

// memberships are the groups of which the operator says that a person is in
// them, who knows the realm's own people by name.
func (g *Gateway) memberships(who identity.Subject) []string {
	if who.Realm != g.site.Realm {
		return nil
	}
	return g.site.Members[who.Name]
}

// groups are those and what the source says.
func (g *Gateway) groups(who identity.Subject, said []string) []string {
	more := g.memberships(who)
	if len(more) == 0 {
		return said
	}
	all := slices.Concat(said, more)
	slices.Sort(all)
	return slices.Compact(all)
}
