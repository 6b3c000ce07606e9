package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

// TestHeaderRecentPassIsTheBrowsers: who passed minutes ago begins again
// without a code, in that browser alone: the same word of the proxy in another
// one, which knows the password at most, is worth one factor still.
func TestHeaderRecentPassIsTheBrowsers(t *testing.T) {
	r := byHeader(t, never, local)
	key, alice := r.bind("alice"), "X-Sso-User: alice"
	b := r.browser()
	b.passes(key, alice)
	delete(b.jar, sessions.CookieName("wiki"))
	if a := b.get("/private", alice); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/private" {
		t.Errorf("the browser that passed: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if got := b.sees(alice); got != "alice" {
		t.Errorf("the browser that passed sees %q", got)
	}
	r.console.got()
	if got := r.browser().sees(alice); got != "-" {
		t.Errorf("another browser sees %q", got)
	}
	r.nothingReached(t, "another browser")
}

// TestHeaderSkipIsInTheTrail with the one thing that there is to say of it.
func TestHeaderSkipIsInTheTrail(t *testing.T) {
	r := byHeader(t, always, local)
	if got := r.browser().sees("X-Sso-User: alice"); got != "alice" {
		t.Fatalf("%q is shown", got)
	}
	for _, rec := range r.trail() {
		if rec.Event == audit.LoginSignedOn && rec.Reasons[0] == (policy.Reason{Code: policy.ReasonSingleSignOn, Detail: "source=header"}) {
			return
		}
	}
	t.Errorf("the trail has %+v", r.trail())
}
