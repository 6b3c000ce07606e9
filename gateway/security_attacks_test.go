package gateway_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor/issuertest"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
)

// TestEndingASessionThatWentOn: a session that was shown, and passed again
// since, is still the one that the person wants ended.
func TestEndingASessionThatWentOn(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	thief := r.browser()
	thief.signIn("alice", alice.login)
	shown := alice.handles("session/end")
	r.sleep(6 * time.Minute)
	thief.stepsUp(thief.get(securityPage+"/add?factor=totp"), alice.login)
	if thief.user() != "alice" {
		t.Fatal("the other session did not go on")
	}
	if got := says(alice.posts("session/end", "id="+shown[0])); got != "session_ended" {
		t.Errorf("the page says %q", got)
	}
	if thief.user() != "-" {
		t.Error("the session is still there")
	}
}

// TestHandlesAreNoTokens: what the page calls sessions and browsers opens
// nothing, and neither does the token of its forms.
func TestHandlesAreNoTokens(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	r.browser().signIn("alice", alice.login)
	page := alice.get(securityPage).body
	for _, id := range r.sessionsOf("alice") {
		if strings.Contains(page, url.QueryEscape(id)) {
			t.Error("the id of a session is on the page")
		}
	}
	for _, value := range append(alice.handles("session/end"), alice.token()) {
		if a := r.browser().get("/private", "Cookie: __Host-stepgate-wiki="+value); a.StatusCode == 200 {
			t.Error("what the page shows opens the console")
		}
	}
}

// TestTokenOfASessionBefore: after a sign-out, neither the same person nor
// another one in the same browser is bound by what the page said before.
func TestTokenOfASessionBefore(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	token := alice.token()
	done := alice.posts("rename", "id=cred-alice&name=Telephone").Header.Get("Location")
	r.bind("bob")
	for _, name := range []string{"alice", "bob"} {
		b := alice.copy()
		r.sleep(time.Minute)
		b.post("/.stepgate/signout", "")
		b.signIn(name, alice.login)
		before := r.state(name)
		if got := says(b.post(securityPage+"/remove", "token="+url.QueryEscape(token)+"&id=cred-"+name)); got != "stale" {
			t.Errorf("%s: %s", name, got)
		}
		if page := b.get(done); strings.Contains(page.body, `role="status"`) {
			t.Errorf("%s is told what was done in another session", name)
		}
		if after := r.state(name); after != before {
			t.Errorf("%s: something changed:\n%s\n%s", name, before, after)
		}
	}
}

// TestRenamingHidesNothing: who proved less than a factor is worth does not
// choose what announcements of its removal call it.
func TestRenamingHidesNothing(t *testing.T) {
	r := newRig(t, allFactors)
	thief := r.bySMS("alice")
	before, _ := r.credential("alice", "cred-alice")
	if got := says(thief.posts("rename", "id=cred-alice&name=A+thing+of+no+matter")); got != "too_weak" {
		t.Errorf("renaming: %s", got)
	}
	if got := says(thief.get(securityPage + "/rename?id=cred-alice")); got != "too_weak" {
		t.Errorf("its page: %s", got)
	}
	if after, _ := r.credential("alice", "cred-alice"); after.Name != before.Name {
		t.Errorf("it is called %q", after.Name)
	}
}

// TestNoRemovalIsPlannedInSilence: who plans and cancels until messages about
// it are used up has planned nothing that the person was not told of.
func TestNoRemovalIsPlannedInSilence(t *testing.T) {
	r := newRig(t, allFactors)
	thief := r.bySMS("alice")
	for i := range 20 {
		r.post.take()
		got := says(thief.posts("remove", "id=cred-alice"))
		c, _ := r.credential("alice", "cred-alice")
		told := slices.ContainsFunc(r.post.take(), func(m notify.Message) bool { return m.Purpose == "announce_factor_removal_planned" })
		switch {
		case (got == "planned") != told || c.RemoveAt.IsZero() == told:
			t.Fatalf("%d: %s, told: %v, at %v", i, got, told, c.RemoveAt)
		case !told && (i == 0 || got != "too_often"):
			t.Fatalf("%d: %s", i, got)
		}
		thief.posts("keep", "id=cred-alice")
	}
}

// TestOIDCBackchannelAfterAStepUp: the issuer ends the session under its new id
// as well, and what was open of it.
func TestOIDCBackchannelAfterAStepUp(t *testing.T) {
	for what, changes := range map[string]issuertest.Claims{"the session": {"sub": nil}, "the person": {"sid": nil}} {
		c := newCompany(t, allFactors, func(s *gateway.Site) { s.Skips["oidc"] = policy.Skip{Mode: policy.SkipNever} })
		key := c.bound("alice")
		b := c.browser()
		c.signsIn(b)
		b.does("totp", "code="+code(t, key, c.clock()))
		for range 3 {
			c.sleep(6 * time.Minute)
			b.stepsUp(b.get(securityPage+"/rename?id=cred-alice"), key)
		}
		if !b.inside() {
			t.Fatalf("%s: the session did not go on", what)
		}
		if a := c.tells(c.issuer.Sign(c.issuer.Logout(changes))); a.StatusCode != 200 || b.inside() {
			t.Errorf("%s: told %d, inside %t", what, a.StatusCode, b.inside())
		}
		if !slices.Contains(c.events(), audit.SessionEnded) {
			t.Errorf("%s: the trail does not say it", what)
		}
	}
}
