package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// linkedPair are two linked sites of one realm, over the same stores.
func linkedPair(t *testing.T) (wiki, blog *rig) {
	t.Helper()
	wiki = newRig(t, func(s *gateway.Site) {
		s.Links, s.Idle = map[string]string{"blog": "https://blog.test"}, 24*time.Hour
	})
	return wiki, wiki.beside("blog", map[string]string{"wiki": "https://wiki.test"})
}

// beside is another site over the stores of a rig, with a console of its own.
func (r *rig) beside(name string, links map[string]string) *rig {
	o := &rig{t: r.t, console: &console{}, faults: r.faults, ring: r.ring, accounts: r.accounts,
		sessions: r.sessions, store: r.store, svc: r.svc, site: r.site}
	o.site.Name, o.site.Links = name, links
	o.now.Store(r.now.Load())
	o.gateway = gateway.New(o.site, o.svc, pages(r.t), noMeter{}, slog.New(slog.DiscardHandler))
	o.server = httptest.NewServer(http.HandlerFunc(o.serve))
	r.t.Cleanup(o.server.Close)
	return o
}

// led is the path that an answer leads to at a site.
func led(t *testing.T, a *reply, site string) string {
	t.Helper()
	path, ok := strings.CutPrefix(a.Header.Get("Location"), "https://"+site+".test")
	if a.StatusCode != http.StatusSeeOther || !ok {
		t.Fatalf("%d, Location %q, want one at %s: %s", a.StatusCode, a.Header.Get("Location"), site, a.body)
	}
	return path
}

// typed is a browser at a site where somebody typed alice's password.
func typed(r *rig) *browser {
	r.t.Helper()
	b := r.browser()
	if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		r.t.Fatalf("login: %d %s", a.StatusCode, a.body)
	}
	return b
}

// TestLinkedSites: who passed at one site is led there and back, once, and is
// not asked again; what that opens ends with the session that vouched.
func TestLinkedSites(t *testing.T) {
	wiki, blog := linkedPair(t)
	there := wiki.verified("alice")
	for _, r := range []*rig{wiki, blog} {
		r.now.Store(wiki.now.Load() + int64(20*time.Hour))
	}
	here := typed(blog)
	ticket := led(t, there.get(led(t, here.get("/.stepgate/challenge"), "wiki")), "blog")
	if a := here.get(ticket); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/home?id=start" {
		t.Fatalf("%d %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if got := here.user(); got != "alice" {
		t.Errorf("the console of blog knows %s", got)
	}
	if events := wiki.events(); !slices.Contains(events, audit.ChallengeLinked) {
		t.Errorf("the trail has %v", events)
	}
	all, err := wiki.store.List(t.Context(), subject("alice"), wiki.clock())
	check(t, err)
	for _, r := range all {
		if r.Site == "blog" && (!r.Passed || !r.ExpiresAt.Equal(r.AuthTime.Add(24*time.Hour)) || !slices.Equal(r.AMR, []string{"pwd", "otp", "mfa"})) {
			t.Errorf("%+v", r)
		}
	}
	wiki.now.Add(int64(4*time.Hour + time.Minute))
	if got := here.user(); got != "-" {
		t.Errorf("a day after the code, blog still knows %s", got)
	}
}

// TestLinkedSitesAskOnce: whose browser is signed in nowhere else is asked
// where they are, and led nowhere again.
func TestLinkedSitesAskOnce(t *testing.T) {
	wiki, blog := linkedPair(t)
	wiki.verified("alice")
	here := typed(blog)
	stranger := wiki.browser()
	if back := led(t, stranger.get(led(t, here.get("/.stepgate/challenge"), "wiki")), "blog"); back != "/.stepgate/challenge" {
		t.Fatalf("led back to %s", back)
	}
	if a := here.get("/.stepgate/challenge"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `name="code"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestLinkLures: a ticket passes the one challenge that it was asked for, in
// the browser that has it; whoever lures a person through a link of theirs
// gets nothing by it.
func TestLinkLures(t *testing.T) {
	wiki, blog := linkedPair(t)
	there := wiki.verified("alice")
	mallory := typed(blog)
	lure := led(t, mallory.get("/.stepgate/challenge"), "wiki")
	ticket := led(t, there.get(lure), "blog")

	alice := blog.browser() // whose browser the lure leads on to blog
	if a := alice.get(ticket); a.StatusCode != http.StatusForbidden {
		t.Errorf("without a challenge: %d %s", a.StatusCode, a.body)
	}
	alice = typed(blog)
	if a := alice.get(ticket); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("with a challenge of her own: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := mallory.get(ticket); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("used before: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if got := mallory.user() + alice.user(); got != "--" {
		t.Errorf("the console knows %s", got)
	}
	mallory.clean("who lured")
}

// TestLinkVouchesForNobodyElse: not for another person than the one who typed
// the password, not by a session that passed nothing, not for sites that are
// not linked, and not for longer than a minute.
func TestLinkVouchesForNobodyElse(t *testing.T) {
	wiki, blog := linkedPair(t)
	alice, bob := wiki.verified("alice"), wiki.verified("bob")
	here := typed(blog)
	ask := led(t, here.get("/.stepgate/challenge"), "wiki")
	if a := here.get(led(t, bob.get(ask), "blog")); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("by another person's session: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	late := led(t, alice.get(ask), "blog")
	wiki.sleep(2 * time.Minute)
	if a := here.get(late); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("too late: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	for _, path := range []string{strings.Replace(ask, "for=blog", "for=shop", 1), strings.Replace(ask, "for=blog", "for=wiki", 1),
		"/.stepgate/link?for=blog&to=x", "/.stepgate/link?for=https://evil.test&to=" + strings.Repeat("A", 43), "/.stepgate/link"} {
		if a := alice.get(path); a.StatusCode != http.StatusNotFound || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if got := here.user(); got != "-" {
		t.Errorf("the console knows %s", got)
	}
}

// TestLinkNeedsAPass: a session of single sign-on that nobody passed a factor
// for vouches for nothing.
func TestLinkNeedsAPass(t *testing.T) {
	wiki, blog := linkedPair(t)
	wiki.bind("alice")
	rec := sessions.Record{Site: "wiki", Source: "oidc", Subject: subject("alice"), BeganAt: wiki.clock(),
		ExpiresAt: wiki.clock().Add(time.Hour), Idle: time.Hour, AMR: []string{"mfa"}}
	live, ck, err := wiki.sessions.Admit(t.Context(), rec)
	check(t, err)
	if live.Level != identity.Verified {
		t.Fatalf("%v", live.Level)
	}
	if a := typed(blog).get("/.stepgate/challenge"); a.StatusCode != http.StatusOK {
		t.Errorf("led to %q", a.Header.Get("Location"))
	}
	there := wiki.browser()
	there.jar[ck.Name] = ck.Value
	path := "/.stepgate/link?for=blog&to=" + strings.Repeat("A", 43)
	if back := led(t, there.get(path), "blog"); back != "/.stepgate/challenge" {
		t.Errorf("vouched: %s", back)
	}
}
