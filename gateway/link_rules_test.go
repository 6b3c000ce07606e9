package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
)

// linkedTo is another site beside a linked one, with rules of its own.
func (r *rig) linkedTo(name string, change func(*gateway.Site)) *rig {
	o := r.beside(name, map[string]string{r.site.Name: "https://" + r.site.Name + ".test"})
	change(&o.site)
	o.forgetNear()
	return o
}

// passesByLink tells whether a person who has given the password here is let
// in by the session of another browser window there.
func passesByLink(here, there *browser) bool {
	here.t.Helper()
	a := here.get("/.stepgate/challenge")
	to, ok := strings.CutPrefix(a.Header.Get("Location"), "https://"+there.site.Name+".test")
	if !ok {
		return false
	}
	back, ok := strings.CutPrefix(there.get(to).Header.Get("Location"), "https://"+here.site.Name+".test")
	if !ok {
		return false
	}
	here.get(back)
	return here.user() != "-"
}

// TestLinkVouchesForNoTrust: a browser that is trusted at one site is asked at
// another one that trusts none.
func TestLinkVouchesForNoTrust(t *testing.T) {
	wiki := newRig(t, func(s *gateway.Site) {
		s.Links, s.Rules.TrustBrowser = map[string]string{"blog": "https://blog.test"}, 30*24*time.Hour
	})
	key := wiki.bind("alice")
	there := wiki.asked("alice")
	there.does("totp", "trust=1&code="+code(t, key, wiki.clock()))
	wiki.sleep(20 * 24 * time.Hour)
	if there.password("alice"); there.user() != "alice" {
		t.Fatal("the browser is not trusted")
	}
	blog := wiki.linkedTo("blog", func(s *gateway.Site) { s.Rules.TrustBrowser = 0 })
	blog.now.Store(wiki.now.Load())
	if passesByLink(typed(blog), there) {
		t.Error("a pass of 20 days ago opens a site that trusts no browser")
	}
}

// TestLinkKeepsToRules: what was passed by at one site has to count at the
// other.
func TestLinkKeepsToRules(t *testing.T) {
	wiki := newRig(t, allFactors, func(s *gateway.Site) { s.Links = map[string]string{"blog": "https://blog.test"} })
	blog := wiki.linkedTo("blog", func(s *gateway.Site) { s.Rules.Factors = []identity.Factor{identity.TOTP} })
	there := wiki.bySMS("alice")
	if passesByLink(typed(blog), there) {
		t.Error("a code by SMS opens a site where only apps count")
	}
	app := there.login
	there = wiki.asked("alice")
	there.get("/.stepgate/challenge")
	there.does("totp", "code="+code(t, app, wiki.clock()))
	if !passesByLink(typed(blog), there) {
		t.Error("a code of an app does not")
	}
}

// TestLinkIsNoStepUp: a pass elsewhere is no fresh one. Who has to prove it
// again here is asked here, and no ticket answers that.
func TestLinkIsNoStepUp(t *testing.T) {
	wiki, blog := linkedPair(t)
	there := wiki.verified("alice")
	here := typed(blog)
	here.get("/.stepgate/challenge")
	wiki.sleep(30 * time.Second)
	blog.now.Store(wiki.now.Load())
	here.does("totp", "code="+code(t, there.login, blog.clock()))
	for _, r := range []*rig{wiki, blog} {
		r.sleep(10 * time.Minute)
	}
	at := here.get("/.stepgate/security/add?factor=totp").Header.Get("Location")
	a := here.get(at)
	if a.StatusCode != http.StatusOK {
		t.Errorf("the step-up is not here but at %q", a.Header.Get("Location"))
	}
	to, ok := strings.CutPrefix(a.Header.Get("Location"), "https://wiki.test")
	if !ok {
		return
	}
	back := led(t, there.get(to), "blog")
	id := at[strings.Index(at, "id="):]
	if a := here.get(back + "&" + id); a.StatusCode == http.StatusSeeOther {
		t.Errorf("a ticket renews a session: %s", url.PathEscape(back))
	}
	if a := here.get("/.stepgate/security"); a.StatusCode != http.StatusOK {
		t.Errorf("the session is gone: %d", a.StatusCode)
	}
}
