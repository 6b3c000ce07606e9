package caddymodule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
	"pgregory.net/rapid"
)

// everything is an app with all factors.
func everything() *App {
	return &App{Factors: []string{"passkey", "totp", "sms", "email", "recovery"}, Mail: &Mail{SMTP: notify.SMTP{}}, SMS: &SMS{}}
}

func asFactors(text string) (list []identity.Factor) {
	for _, word := range strings.Fields(text) {
		list = append(list, identity.Factor(word))
	}
	return list
}

// TestFactorsThatCount: which do where nothing is said, where a policy names
// some, and where they do not exist.
func TestFactorsThatCount(t *testing.T) {
	for name, c := range map[string]struct{ there, policy, want string }{
		"nothing said":           {"", "", "totp passkey recovery"},
		"mail unless named":      {"email totp sms", "", "totp sms"},
		"mail where named":       {"email totp recovery", "email", "email recovery"},
		"the order of policy":    {"totp passkey sms", "sms totp", "sms totp"},
		"no codes where none":    {"totp", "totp", "totp"},
		"codes beside the named": {"", "passkey", "passkey recovery"},
	} {
		a := &App{Factors: strings.Fields(c.there)}
		if got := a.rules(Demands{Factors: strings.Fields(c.policy)}).Factors; !slices.Equal(got, asFactors(c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestRulesInherited: the site's word is above the group's, the realm's, and
// that of all; what nobody says has its default.
func TestRulesInherited(t *testing.T) {
	a := everything()
	h := &Handler{Name: "wiki", Realm: "staff"}
	mustBe := func(what string, got policy.Rules, enroll policy.Enrolling, trust time.Duration, manage bool) {
		t.Helper()
		if got.Enroll != enroll || got.TrustBrowser != trust || got.Manage != manage || got.LoginProtection != policy.Required {
			t.Errorf("%s: %+v", what, got)
		}
	}
	rules := func() policy.Rules { own, _ := a.policies(h); return a.rules(own.Demands) }
	group := func() policy.Rules { return rules().For([]string{"guests"}, a.groupRules(h)) }
	mustBe("nothing", rules(), policy.EnrollAtLogin, 0, true)
	a.Policy.Demands = Demands{Enroll: "ticket", TrustBrowser: "30d", ManageFactors: "off"}
	mustBe("global", rules(), policy.EnrollTicket, 30*24*time.Hour, false)
	a.Realms = map[string]*Realm{"staff": {Policy: RealmPolicy{Policy: Policy{Demands: Demands{Enroll: "contact"}}}}}
	mustBe("realm", rules(), policy.EnrollContact, 30*24*time.Hour, false)
	mustBe("no group", group(), policy.EnrollContact, 30*24*time.Hour, false)
	a.Realms["staff"].Policy.Groups = map[string]*GroupPolicy{"guests": {Demands: Demands{Enroll: "ticket", ManageFactors: "on"}}}
	mustBe("group", group(), policy.EnrollTicket, 30*24*time.Hour, true)
	h.Policy.Demands = Demands{Enroll: "at_login", TrustBrowser: "8h"}
	mustBe("site", rules(), policy.EnrollAtLogin, 8*time.Hour, false)
	mustBe("group at the site", group(), policy.EnrollAtLogin, 8*time.Hour, true)
}

// TestTouchOfPasskeys suffices where the nearest policy says so, and nowhere by
// default.
func TestTouchOfPasskeys(t *testing.T) {
	for name, c := range map[string]struct {
		site, group, realm string
		locked, want       bool
	}{
		"nothing":              {},
		"the realm's":          {realm: "present", want: true},
		"the group's":          {realm: "verified", group: "present", want: true},
		"the site's":           {site: "verified", realm: "present", group: "present"},
		"a locked group's":     {site: "present", group: "verified", locked: true},
		"a locked group's own": {site: "present", group: "present", locked: true, want: true},
		"not a locked group's": {realm: "present", locked: true},
		"more at a site":       {site: "verified", group: "present", locked: true},
	} {
		a := everything()
		a.Realms = map[string]*Realm{"staff": {Policy: RealmPolicy{Policy: Policy{Demands: Demands{Passkeys: c.realm}},
			Groups: map[string]*GroupPolicy{"it": {Demands: Demands{Passkeys: c.group}, Locked: c.locked}}}}}
		h := &Handler{Name: "wiki", Realm: "staff", Policy: Policy{Demands: Demands{Passkeys: c.site}}}
		own, _ := a.policies(h)
		if got := a.rules(own.Demands).For([]string{"it"}, a.groupRules(h)).TouchSuffices; got != c.want {
			t.Errorf("%s: a touch suffices: %t", name, got)
		}
	}
}

func demands(t *rapid.T, label string) Demands {
	any := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	return Demands{
		LoginProtection: any("", "required"),
		Factors:         rapid.SliceOfDistinct(rapid.SampledFrom([]string{"totp", "passkey", "sms", "email"}), rapid.ID).Draw(t, label),
		Enroll:          any("", "at_login", "contact", "ticket"),
		Passkeys:        any("", "verified", "present"),
		TrustBrowser:    any("", "off", "1h", "90d"),
		ManageFactors:   any("", "on", "off"),
	}
}

// TestLockedGroupIsNotWeakened: whatever a site, the realm or all say, people in
// a locked group are asked for no less than their group says, and for no less
// than everybody else at that site.
func TestLockedGroupIsNotWeakened(t *testing.T) {
	rank := func(e policy.Enrolling) int {
		return slices.Index([]policy.Enrolling{policy.EnrollAtLogin, policy.EnrollContact, policy.EnrollTicket}, e)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := everything()
		g := &GroupPolicy{Demands: demands(t, "group"), Locked: true}
		g.Factors = slices.DeleteFunc(g.Factors, func(f string) bool { return f == "email" })
		other := &GroupPolicy{Demands: demands(t, "another group")}
		a.Policy.Demands = demands(t, "global")
		a.Realms = map[string]*Realm{"staff": {Policy: RealmPolicy{Policy: Policy{Demands: demands(t, "realm")},
			Groups: map[string]*GroupPolicy{"admins": g, "guests": other}}}}
		h := &Handler{Name: "wiki", Realm: "staff", Policy: Policy{Demands: demands(t, "site")}}

		own, _ := a.policies(h)
		site := a.rules(own.Demands)
		got := site.For([]string{"guests", "admins"}, a.groupRules(h))
		if got.Counts(identity.Email) {
			t.Fatalf("mail counts: %+v", got)
		}
		for _, f := range got.Countable() {
			if len(g.Factors) > 0 && !slices.Contains(g.Factors, string(f)) && f.Strength() <= weakestOf(g.Factors) {
				t.Fatalf("%s counts, and the group has %q", f, g.Factors)
			}
		}
		if g.Enroll != "" && rank(got.Enroll) < rank(policy.Enrolling(g.Enroll)) || rank(got.Enroll) < rank(site.Enroll) {
			t.Fatalf("enroll %s: %+v", got.Enroll, g)
		}
		if trust, _ := g.trust(); got.TrustBrowser > trust || got.TrustBrowser > site.TrustBrowser {
			t.Fatalf("trusted for %s", got.TrustBrowser)
		}
		if got.TouchSuffices && (g.Passkeys != "present" || !site.TouchSuffices) {
			t.Fatal("a touch suffices")
		}
		if got.Manage && (g.ManageFactors == "off" || !site.Manage) {
			t.Fatal("they manage their factors")
		}
	})
}

func weakestOf(names []string) identity.Strength {
	least := identity.Key
	for _, name := range names {
		least = min(least, identity.Factor(name).Strength())
	}
	return least
}

// TestGroupSaidOnlyByASource is one without people of the realm's own: nobody
// is locked out of being in it.
func TestGroupSaidOnlyByASource(t *testing.T) {
	_, err := adapt(`{
	stepgate {
		realm staff {
			group it
			policy {
				group it {
					locked
				}
			}
		}
	}
}
runbooks.example.com {
	stepgate runbooks {
		realm staff
		allow group it
		first_factor oidc https://id.example.com {
			client_id stepgate
			client_secret secret
			groups groups
		}
	}
}
`, "Caddyfile")
	if err != nil {
		t.Error(err)
	}
}
