package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/issuertest"
)

// TestRule4NamesArriveAsTheyAre: blanks around a header's value get lost on
// the way (RFC 9110, section 5.5), so that a second account "alice " at the
// issuer would be alice at the console.
func TestRule4NamesArriveAsTheyAre(t *testing.T) {
	user := ""
	byCaddy := asserting(t, always, func(*rig) []firstfactor.Asserter {
		c := &firstfactor.CaddyUser{Value: func(*http.Request, string) string { return user }}
		check(t, c.Prepare("staff"))
		return []firstfactor.Asserter{c}
	})
	byJWT := byToken(t, always)
	for _, name := range []string{"alice ", " alice", "alice\u00a0", "\u2003alice"} {
		if got := byJWT.browser().sees("X-Jwt: " + byJWT.token(name)); got != "-" {
			t.Errorf("a token of %q: %q is shown", name, got)
		}
		if user = name; byCaddy.browser().sees() != "-" {
			t.Errorf("Caddy's %q is shown something", name)
		}
		c := newCompany(t)
		c.issuer.Says = issuertest.Claims{"sub": name}
		if b := c.browser(); c.signsIn(b).StatusCode == http.StatusSeeOther || b.inside() {
			t.Errorf("%q of the issuer is inside", name)
		}
	}
}

// TestRule4GroupsArriveAsTheyAre: a group whose name holds the sign that
// separates them would be two at the console, of which one is anybody's wish.
func TestRule4GroupsArriveAsTheyAre(t *testing.T) {
	r := byToken(t, always)
	told := func(groups ...any) string {
		t.Helper()
		r.console.got()
		if got := r.browser().sees("X-Jwt: " + r.token("alice", "groups", groups)); got != "alice" {
			t.Fatalf("%q is shown", got)
		}
		seen := r.console.got()
		return seen[len(seen)-1].Header.Get("Remote-Groups")
	}
	for _, group := range []string{"x,admins", "admins,", ",admins", " admins", "admins\u00a0"} {
		if got := told(group, "it"); got != "it" {
			t.Errorf("%q: the console hears %q", group, got)
		}
	}
	if got := told("staff it", "用户"); got != "staff it,用户" {
		t.Errorf("the console hears %q", got)
	}
}
