package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stepgate/stepgate/policy"
)

// TestRule9StolenAssertionBindsNothing: a token comes with every request, and
// says by itself only that somebody signed in at some time: who has it from a
// log must not bind a factor for its person.
func TestRule9StolenAssertionBindsNothing(t *testing.T) {
	r := byToken(t, policy.Skip{Mode: policy.SkipAMR, Values: []string{"mfa"}})
	if got := r.browser().sees("X-Jwt: " + r.token("alice", "amr", []string{"mfa"})); got != "alice" {
		t.Fatalf("%q is shown", got)
	}
	for what, token := range map[string]string{
		"it does not say when":  r.token("alice"),
		"only when it was made": r.token("alice", "iat", r.clock().Unix()),
		"an hour ago":           r.token("alice", "auth_time", r.clock().Add(-time.Hour).Unix()),
	} {
		b := r.browser()
		if a := b.get("/private", "X-Jwt: "+token); a.StatusCode != http.StatusForbidden && a.Header.Get("Location") != "/.stepgate/challenge" {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.Header.Get("Location"))
		}
		if a := b.get("/.stepgate/challenge", "X-Jwt: "+token); shownKey(a.body) != "" {
			t.Errorf("%s: a factor can be bound", what)
		}
	}
	b, now := r.browser(), "X-Jwt: "+r.token("alice", "auth_time", r.clock().Unix())
	b.get("/private", now)
	if a := b.get("/.stepgate/challenge", now); shownKey(a.body) == "" {
		t.Errorf("just now: nothing can be bound: %d %s", a.StatusCode, a.body)
	}
}
