package gateway_test

import (
	"log/slog"
	"testing"

	"github.com/stepgate/stepgate/firstfactor/issuertest"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/policy"
)

// reload is what a new configuration does: sessions go on.
func (r *rig) reload(change func(*gateway.Site)) {
	r.t.Helper()
	change(&r.site)
	r.gateway = gateway.New(r.site, r.svc, pages(r.t), noMeter{}, slog.New(slog.DiscardHandler))
}

// TestRule7SessionsOfSourcesThatAreGone: what a source once proved counts no
// longer than the operator believes it, and nowhere else.
func TestRule7SessionsOfSourcesThatAreGone(t *testing.T) {
	for name, change := range map[string]func(*company) func(*gateway.Site){
		"no such source": func(c *company) func(*gateway.Site) {
			return func(s *gateway.Site) { s.SignIns = []gateway.SignIn{c.provider("other", c.issuer)} }
		},
		"another issuer of that name": func(c *company) func(*gateway.Site) {
			return func(s *gateway.Site) { s.SignIns = newCompany(t).site.SignIns }
		},
		"another realm": func(*company) func(*gateway.Site) { return func(s *gateway.Site) { s.Realm = "others" } },
		"nobody is spared": func(*company) func(*gateway.Site) {
			return func(s *gateway.Site) { s.Skips = map[string]policy.Skip{"oidc": never} }
		},
		"in no allowed group":   func(*company) func(*gateway.Site) { return func(s *gateway.Site) { s.Allow = []string{"admins"} } },
		"nothing that concerns": func(*company) func(*gateway.Site) { return func(s *gateway.Site) { s.Allow = []string{"it"} } },
	} {
		c := newCompany(t)
		c.issuer.Says = issuertest.Claims{"groups": []string{"it"}}
		b := c.browser()
		c.signsIn(b)
		if !b.inside() {
			t.Fatalf("%s: nobody is inside", name)
		}
		c.reload(change(c))
		if want := name == "nothing that concerns"; b.inside() != want {
			t.Errorf("%s: inside is %v", name, !want)
		}
	}
}

// TestAssertedSessionsOfSourcesThatAreGone: without its source nothing would
// compare such a session with its requests any more.
func TestAssertedSessionsOfSourcesThatAreGone(t *testing.T) {
	r := byHeader(t, never, local)
	alice := "X-Sso-User: alice"
	b := r.browser()
	b.passes(r.bind("alice"), alice)
	if got := b.sees(alice); got != "alice" {
		t.Fatalf("%q is shown", got)
	}
	r.console.got()
	r.reload(func(s *gateway.Site) { s.Asserted = nil })
	if got := b.sees(); got != "-" {
		t.Errorf("without the proxy %q is shown", got)
	}
	r.nothingReached(t, "a session whose source is gone")
}

// TestMembersChange: who is taken out of a group of the realm is out of it in
// all sessions, and at the console.
func TestMembersChange(t *testing.T) {
	in := func(s *gateway.Site) { s.Members = map[string][]string{"alice": {"admins"}} }
	out := func(s *gateway.Site) { s.Members = nil }
	limited := func(s *gateway.Site) { s.Allow = []string{"admins"} }
	r := newRig(t, in, limited)
	b := r.verified("alice")
	if b.user() == "-" {
		t.Fatal("alice is not inside")
	}
	if r.reload(out); b.user() != "-" {
		t.Error("the session goes on although alice may not come any more")
	}
	h := byHeader(t, always, local)
	told := func() string {
		t.Helper()
		h.console.got()
		if got := h.browser().sees("X-Sso-User: alice"); got != "alice" {
			t.Fatalf("%q is shown", got)
		}
		return h.console.got()[0].Header.Get("Remote-Groups")
	}
	if h.reload(in); told() != "admins" {
		t.Error("alice is not in admins")
	}
	if h.reload(out); told() != "" {
		t.Error("the console hears of a group that alice is in no more")
	}
	h.reload(in)
	h.reload(limited)
	told()
	if h.reload(out); h.browser().sees("X-Sso-User: alice") != "-" {
		t.Error("the assertion leads to the session although alice may not come any more")
	}
}

// TestNobodySparedAnyMore: an assertion leads to no session that began while
// it was worth more.
func TestNobodySparedAnyMore(t *testing.T) {
	r := byHeader(t, always, local)
	if got := r.browser().sees("X-Sso-User: alice"); got != "alice" {
		t.Fatalf("%q is shown", got)
	}
	r.reload(func(s *gateway.Site) { s.Skips = nil })
	if got := r.browser().sees("X-Sso-User: alice"); got != "-" {
		t.Errorf("%q is shown", got)
	}
}
