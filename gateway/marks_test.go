package gateway_test

import (
	"testing"
	"time"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// TestPlantedMark: a mark that somebody else planted in a person's browser
// makes theirs neither known nor trusted, nor spares it a code.
func TestPlantedMark(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) { s.Rules.TrustBrowser = 30 * 24 * time.Hour })
	thief := r.verified("mallory")
	key := r.bind("alice")
	alice := r.browser()
	alice.jar[sessions.BrowserCookie] = thief.jar[sessions.BrowserCookie]
	alice.password("alice")
	alice.does("totp", "trust=1&code="+code(t, key, r.clock()))
	if alice.user() != "alice" {
		t.Fatal("alice does not pass")
	}
	planted := map[string]string{sessions.BrowserCookie: thief.jar[sessions.BrowserCookie]}
	for _, after := range []time.Duration{0, time.Hour} {
		r.sleep(after)
		thief.jar = map[string]string{sessions.BrowserCookie: planted[sessions.BrowserCookie]}
		if thief.password("alice"); thief.user() != "-" {
			t.Errorf("%v after her pass alice's password opens the wiki in the thief's browser", after)
		}
		if after > 0 {
			if alice.password("alice"); alice.user() != "alice" {
				t.Error("alice's own browser is not trusted")
			}
		}
	}
}

// TestSharedBrowser: two people in one browser stay known, each for themselves.
func TestSharedBrowser(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for _, name := range []string{"alice", "bob"} {
		b.signIn(name, r.bind(name))
	}
	for _, name := range []string{"alice", "bob"} {
		if b.password(name); b.user() != name {
			t.Errorf("%s is asked again", name)
		}
	}
}

// TestMarkIsOfOneSite: of two sites of one host, that share its cookies, a pass
// at the one is none at the other.
func TestMarkIsOfOneSite(t *testing.T) {
	wiki := newRig(t, allFactors)
	safe := wiki.beside("safe", nil)
	safe.site.Rules.Factors = []identity.Factor{identity.TOTP}
	safe.forgetNear()
	b := wiki.bySMS("alice")
	other := safe.browser()
	other.jar[sessions.BrowserCookie] = b.jar[sessions.BrowserCookie]
	if other.password("alice"); other.user() != "-" {
		t.Error("a code by SMS at one site spares an app at the other")
	}
}

// TestTrustAfterSignOut: a browser that is trusted stays so after a sign-out,
// and that is no pass: nothing was proved, and no time of it is known.
func TestTrustAfterSignOut(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) { s.Rules.TrustBrowser = 30 * 24 * time.Hour })
	key := r.bind("alice")
	b := r.asked("alice")
	b.does("totp", "trust=1&code="+code(t, key, r.clock()))
	r.sleep(30 * time.Minute)
	b.get("/logout")
	r.sleep(30 * time.Minute)
	b.password("alice")
	if b.user() != "alice" {
		t.Fatal("the browser is not trusted any more")
	}
	all, err := r.store.List(t.Context(), subject("alice"), r.clock())
	check(t, err)
	for _, s := range all {
		if s.Strength > identity.Unproved || !s.AuthTime.IsZero() {
			t.Errorf("passed by %d at %v", s.Strength, s.AuthTime)
		}
	}
	if a := b.get(securityPage + "/add?factor=totp"); a.Header.Get("Location") == "" {
		t.Error("trust is a fresh pass")
	}
}
