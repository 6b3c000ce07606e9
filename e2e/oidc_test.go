//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ssoSite is a site whose people sign in at issuers, before a console that says whom it was told of.
type ssoSite struct {
	name, url string
	words     []string // of the site, and of its first source
	issuers   []*Issuer
}

// ssoSites are all behind one gateway, each at a port of its own.
func ssoSites(t *testing.T, sites ...*ssoSite) *Gateway {
	t.Helper()
	var text strings.Builder
	text.WriteString("{\n\t{{.Global}}\n}\n")
	for _, s := range sites {
		s.url = fmt.Sprintf("http://localhost:%d", FreePort(t))
		fmt.Fprintf(&text, "%s {\n\tstepgate %s {\n", s.url, s.name)
		for n, issuer := range s.issuers {
			s.source(&text, n, issuer)
		}
		text.WriteString("\t}\n\trespond `the console greets {http.request.header.Remote-User}`\n}\n")
	}
	return StartGateway(t, text.String())
}

// source writes one source, and makes it known to its issuer. The words of the site come before the first.
func (s *ssoSite) source(text *strings.Builder, n int, issuer *Issuer) {
	id := "oidc"
	if n > 0 {
		id = fmt.Sprintf("oidc%d", n+1)
	}
	var words []string
	for _, w := range s.words {
		if site, ok := strings.CutPrefix(w, "site: "); ok && n == 0 {
			fmt.Fprintf(text, "\t\t%s\n", site)
		} else if !ok && n == 0 {
			words = append(words, w)
		}
	}
	client := s.name + id
	fmt.Fprintf(text, "\t\tfirst_factor oidc %s {\n\t\t\tid %s\n\t\t\tlabel \"Issuer %d\"\n\t\t\tclient_id %s\n\t\t\tclient_secret sesame\n", issuer.URL, id, n+1, client)
	for _, w := range words {
		fmt.Fprintf(text, "\t\t\t%s\n", w)
	}
	text.WriteString("\t\t}\n")
	issuer.Client(IssuerClient{ID: client, Secret: "sesame",
		RedirectURIs:         []string{s.url + "/.stepgate/signin/" + id + "/callback"},
		PostLogoutURIs:       []string{s.url + "/.stepgate/signout"},
		BackchannelLogoutURI: s.url + "/.stepgate/signin/" + id + "/backchannel", BackchannelNeedsSession: true})
}

// greeted fails unless the console shows itself to the person.
func greeted(t *testing.T, what string, b *Browser, name string) {
	t.Helper()
	if got := b.Page(); got != "the console greets "+name {
		t.Fatalf("%s, at %s the browser shows: %s", what, b.URL(), got)
	}
}

// not fails if the console shows itself.
func not(t *testing.T, what string, b *Browser, says string) {
	t.Helper()
	if page := b.Page(); strings.Contains(page, "the console greets") || !strings.Contains(page, says) {
		t.Fatalf("%s, at %s the browser shows: %s", what, b.URL(), page)
	}
}

var (
	alice = IssuerPerson{Login: "alice", Subject: "s-alice", Claims: map[string]any{"groups": []string{"admins"}}, AMR: []string{"pwd", "mfa"}, ACR: "gold"}
	bob   = IssuerPerson{Login: "bob", Subject: "s-bob", Claims: map[string]any{"groups": []string{"guests"}}, AMR: []string{"pwd"}}
)

// TestOIDCSkips: who comes by single sign-on is asked for a second factor where the evidence does not suffice, and nowhere else.
func TestOIDCSkips(t *testing.T) {
	issuer := StartIssuer(t, alice, bob)
	always := &ssoSite{name: "always", issuers: []*Issuer{issuer}}
	never := &ssoSite{name: "never", issuers: []*Issuer{issuer}, words: []string{"skip never"}}
	amr := &ssoSite{name: "amr", issuers: []*Issuer{issuer}, words: []string{"skip amr mfa hwk", "max_age 1h"}}
	acr := &ssoSite{name: "acr", issuers: []*Issuer{issuer}, words: []string{"skip acr gold"}}
	ssoSites(t, always, never, amr, acr)

	b := OpenBrowser(t)
	b.Goto(always.url + "/page?x=1")
	issuer.SignIn(b, "alice")
	greeted(t, "with skip always", b, "s-alice")
	if b.URL() != always.url+"/page?x=1" {
		t.Errorf("the way back leads to %s", b.URL())
	}
	b.Goto(amr.url)
	greeted(t, "with the amr that is wanted", b, "s-alice")
	b.Goto(acr.url)
	greeted(t, "with the acr that is wanted", b, "s-alice")
	b.Goto(never.url + "/deep")
	key := enroll(t, b, 0)
	greeted(t, "with skip never, after the challenge", b, "s-alice")
	if b.URL() != never.url+"/deep" || key == "" {
		t.Errorf("the way back leads to %s", b.URL())
	}

	other := OpenBrowser(t)
	other.Goto(amr.url)
	issuer.SignIn(other, "bob")
	not(t, "without the amr that is wanted", other, "")
	enroll(t, other, 0)
	greeted(t, "after the challenge", other, "s-bob")
}

// TestOIDCMaxAge: the issuer is asked to sign the person in again, and what it says is held to.
func TestOIDCMaxAge(t *testing.T) {
	issuer := StartIssuer(t, alice)
	free := &ssoSite{name: "free", issuers: []*Issuer{issuer}}
	strict := &ssoSite{name: "strict", issuers: []*Issuer{issuer}, words: []string{"skip always", "max_age 10m"}}
	ssoSites(t, free, strict)
	old := alice
	old.SecondsAgo = 3600
	issuer.Person(old)
	b := OpenBrowser(t)
	b.Goto(free.url)
	issuer.SignIn(b, "alice")
	greeted(t, "without max_age", b, "s-alice")
	issuer.Person(alice)
	b.Goto(strict.url)
	issuer.SignIn(b, "alice") // again, although the issuer still knows the browser
	greeted(t, "after a new sign-in", b, "s-alice")
}

// TestOIDCGroups: who is in no allowed group may not come, whoever they are.
func TestOIDCGroups(t *testing.T) {
	issuer := StartIssuer(t, alice, bob)
	site := &ssoSite{name: "groups", issuers: []*Issuer{issuer}, words: []string{"site: allow group admins", "scopes openid groups", "groups groups"}}
	ssoSites(t, site)
	b, other := OpenBrowser(t), OpenBrowser(t)
	b.Goto(site.url)
	issuer.SignIn(b, "alice")
	greeted(t, "in an allowed group", b, "s-alice")
	other.Goto(site.url)
	if status := issuer.SignIn(other, "bob"); status != 403 {
		t.Errorf("in another group: %d", status)
	}
	not(t, "in another group", other, "No access to this site")
	accessible(t, other, "no access")
}

// TestOIDCChooser: of two issuers each has its own people, whatever they are called.
func TestOIDCChooser(t *testing.T) {
	first, second := StartIssuer(t, alice), StartIssuer(t, IssuerPerson{Login: "eve", Subject: "s-alice"})
	site := &ssoSite{name: "both", issuers: []*Issuer{first, second}, words: []string{"skip never"}}
	ssoSites(t, site)
	b := OpenBrowser(t)
	b.Goto(site.url + "/wanted")
	not(t, "before the choice", b, "Issuer 1")
	accessible(t, b, "choice")
	if strings.Index(b.Page(), "Issuer 1") > strings.Index(b.Page(), "Issuer 2") {
		t.Error("the buttons stand in another order than the sources")
	}
	b.Follow(".ways a:nth-child(1)")
	first.SignIn(b, "alice")
	enroll(t, b, 0)
	greeted(t, "after the first issuer", b, "s-alice")

	other := OpenBrowser(t)
	other.Goto(site.url)
	other.Follow(".ways a:nth-child(2)")
	second.SignIn(other, "eve")
	greeted(t, "after the second issuer, which skips", other, "s-alice")
}

// TestOIDCLeaves: the person may change their mind, and sign out at both ends.
func TestOIDCLeaves(t *testing.T) {
	issuer := StartIssuer(t, alice)
	site := &ssoSite{name: "leaving", issuers: []*Issuer{issuer}}
	ssoSites(t, site)
	b := OpenBrowser(t)
	b.Goto(site.url)
	if status := issuer.Cancel(b); status != 403 {
		t.Errorf("canceled: %d", status)
	}
	not(t, "canceled", b, "You weren’t signed in")
	accessible(t, b, "canceled")
	b.Follow("a.button")
	issuer.SignIn(b, "alice")
	greeted(t, "at the second try", b, "s-alice")

	b.Goto(site.url + "/.stepgate/signout")
	not(t, "before signing out", b, "s-alice")
	accessible(t, b, "sign-out")
	b.Click("#signout button")
	comes(t, "the issuer's page to sign out", func() bool { return strings.HasPrefix(b.URL(), issuer.URL) && b.Has("#logout") })
	b.Follow("#logout")
	comes(t, "the way back", func() bool {
		return b.URL() == site.url+"/.stepgate/signout" || strings.HasPrefix(b.URL(), site.url+"/.stepgate/signout?")
	})
	not(t, "signed out", b, "You’re signed out")
	b.Goto(site.url)
	if !strings.HasPrefix(b.URL(), issuer.URL) || !b.Has("input[name=login]") {
		t.Errorf("the issuer still knows the browser: %s", b.URL())
	}
}

func comes(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// TestOIDCBackchannel: a logout at the issuer ends the session here within two seconds, in all tabs, and nobody else's.
func TestOIDCBackchannel(t *testing.T) {
	issuer := StartIssuer(t, alice, bob)
	site := &ssoSite{name: "back", issuers: []*Issuer{issuer}}
	g := ssoSites(t, site)
	b, other := OpenBrowser(t), OpenBrowser(t)
	b.Goto(site.url)
	issuer.SignIn(b, "alice")
	greeted(t, "signed in", b, "s-alice")
	tab := b.Tab()
	tab.Goto(site.url + "/tab")
	greeted(t, "a second tab", tab, "s-alice")
	other.Goto(site.url)
	issuer.SignIn(other, "bob")

	if told := issuer.LogOut("s-alice"); told == "0" {
		t.Fatalf("the issuer told nobody:\n%s\n%s", issuer.Log(), g.Logs())
	}
	time.Sleep(2 * time.Second)
	tab.Reload()
	if !strings.HasPrefix(tab.URL(), issuer.URL) {
		t.Errorf("the second tab is at %s: %s", tab.URL(), tab.Page())
	}
	b.Reload()
	if !strings.HasPrefix(b.URL(), issuer.URL) {
		t.Errorf("the first tab is at %s: %s", b.URL(), b.Page())
	}
	other.Reload()
	greeted(t, "somebody else", other, "s-bob")
}

// TestOIDCKeysAndOutages: a rotated key, and an issuer that is away, at the start and later.
func TestOIDCKeysAndOutages(t *testing.T) {
	issuer := StartIssuer(t, alice)
	site := &ssoSite{name: "away", issuers: []*Issuer{issuer}}
	issuer.Stop()
	g := ssoSites(t, site)
	b := OpenBrowser(t)
	b.Goto(site.url + "/wanted")
	not(t, "while the issuer is away", b, "can’t be reached")
	accessible(t, b, "issuer away")
	issuer.Start()
	time.Sleep(2 * time.Second)
	b.Follow("a.button")
	issuer.SignIn(b, "alice")
	greeted(t, "after its return", b, "s-alice")

	issuer.Rotate()
	other := OpenBrowser(t)
	other.Goto(site.url)
	issuer.SignIn(other, "alice")
	greeted(t, "after a rotation", other, "s-alice")

	issuer.Stop()
	b.Reload()
	greeted(t, "while the issuer is away again", b, "s-alice")
	late := OpenBrowser(t)
	time.Sleep(5 * time.Second)
	late.Goto(site.url)
	not(t, "while the issuer is away again", late, "can’t be reached")
	for _, word := range []string{"code=", "id_token", "sesame"} {
		for line := range strings.Lines(g.Logs()) {
			if strings.Contains(line, word) {
				t.Errorf("the log holds %q: %s", word, line)
			}
		}
	}
}

// TestOIDCStolenCallback: an address that another browser stole on its way back opens nothing there.
func TestOIDCStolenCallback(t *testing.T) {
	issuer := StartIssuer(t, alice)
	site := &ssoSite{name: "stolen", issuers: []*Issuer{issuer}}
	ssoSites(t, site)
	b := OpenBrowser(t)
	b.Goto(site.url)
	issuer.SignIn(b, "alice")
	greeted(t, "signed in", b, "s-alice")
	thief := OpenBrowser(t)
	thief.Goto(site.url + "/.stepgate/signin/oidc/callback?" + url.Values{"code": {"x"}, "state": {"x"}, "iss": {issuer.URL}}.Encode())
	not(t, "another browser", thief, "Please sign in again")
	accessible(t, thief, "sign-in gone")
	b.Reload()
	greeted(t, "the owner", b, "s-alice")
}
