package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSignOutWithoutItsAssertion: who is told to be signed out is, although
// the session would not count for this very request.
func TestSignOutWithoutItsAssertion(t *testing.T) {
	alice := "X-Sso-User: alice"
	for what, headers := range map[string][]string{"none": nil, "one that does not hold": {alice, alice}} {
		r := byHeader(t, never, local)
		b := r.browser()
		b.passes(r.bind("alice"), alice)
		stolen := b.copy()
		if a := b.signOut(headers...); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "You’re signed out") {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
		if got := stolen.sees(alice); got != "-" {
			t.Errorf("%s: the session goes on as %q", what, got)
		}
	}
}
