//go:build e2e

package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// federatedSite watches Apache's door to the issuer, and the console's own form.
func federatedSite(issuer *Issuer, more string) string {
	return `{
	{{.Global}}
}
http://localhost:{{.Port}} {
	stepgate console {
		public GET /sso
		logout /bye
		first_factor console {
			login_page /login
			login POST /local {
				username form u
				success set_cookie local_session
				failure status 403
			}
			login GET /sso/callback {
				federated ` + issuer.URL + `
				success status 302
				success set_cookie mod_auth_openidc_session
			}
			subject probe /whoami /name
			session_cookie mod_auth_openidc_session local_session
			` + more + `
		}
	}
	reverse_proxy {{.Upstream}}
}
`
}

func startFederated(t *testing.T, more string) (*Issuer, *Console, *Gateway) {
	t.Helper()
	issuer := StartIssuer(t,
		IssuerPerson{Login: "alice", Subject: "s-1", Claims: map[string]any{"preferred_username": "alice"}},
		IssuerPerson{Login: "bob", Subject: "s-2", Claims: map[string]any{"preferred_username": "bob"}})
	console := StartApache(t, issuer)
	g := StartGateway(t, federatedSite(issuer, more), console)
	issuer.Admit(g.URL)
	return issuer, console, g
}

// signOn goes to the issuer by the console's button.
func signOn(b *Browser, g *Gateway, issuer *Issuer, name string) {
	b.Goto(g.URL + "/home")
	b.Follow("#sso")
	issuer.SignIn(b, name)
}

// TestFederatedApache: people who came through mod_auth_openidc and a real issuer are not asked; those who sign in by
// the form beside it are, whatever the browser did before.
func TestFederatedApache(t *testing.T) {
	issuer, console, g := startFederated(t, "")
	b := OpenBrowser(t)

	signOn(b, g, issuer, "alice")
	if who := b.Text("#who"); who != "alice by the issuer" || b.URL() != g.URL+"/home" {
		t.Fatalf("after the sign-on %q stands at %s", who, b.URL())
	}
	for _, ck := range b.Cookies() {
		if ck.Name == "mod_auth_openidc_session" && !strings.HasPrefix(ck.Value, "~") {
			t.Error("the console's session lies open in the browser")
		}
	}

	// Bob binds a factor by the form; later he comes through the issuer and is not asked.
	other := OpenBrowser(t)
	console.SignIn(other, g.URL, Bob)
	key := enroll(t, other, -1)
	if who := other.Text("#who"); who != "bob by password" {
		t.Fatalf("after the enrollment: %q", who)
	}
	other.Goto(g.URL + "/bye")
	signOn(other, g, issuer, "bob")
	if who := other.Text("#who"); who != "bob by the issuer" {
		t.Errorf("after his sign-on: %q", who)
	}

	// And by the form once more: it inherits nothing.
	console.SignIn(other, g.URL, Bob)
	if !onChallenge(other) {
		t.Fatalf("a local login after a federated one leads to %s", other.URL())
	}
	enter(t, other, key, 1)
	if who := other.Text("#who"); who != "bob by password" {
		t.Errorf("after the challenge: %q", who)
	}

	// Alice has no factor, and a password alone does not bind one.
	console.SignIn(b, g.URL, Alice)
	if b.Has("#who") || b.Has("svg") || b.Has("#code1") || !b.Has("input[name=code]") {
		t.Errorf("who only ever came through the issuer signs in by password, and is asked for no ticket at %s", b.URL())
	}
}

// TestFederatedApacheChallenge: with `skip never` the issuer's people are asked as well.
func TestFederatedApacheChallenge(t *testing.T) {
	issuer, _, g := startFederated(t, "skip never")
	b := OpenBrowser(t)
	signOn(b, g, issuer, "alice")
	if !onChallenge(b) {
		t.Fatalf("the sign-on leads to %s", b.URL())
	}
	enroll(t, b, -1)
	if who := b.Text("#who"); who != "alice by the issuer" {
		t.Errorf("after the enrollment: %q", who)
	}
}

// TestFederatedApacheErrors: who changes their mind at the issuer reads the console's own words and can try again; in
// two tabs at once as well.
func TestFederatedApacheErrors(t *testing.T) {
	issuer, console, g := startFederated(t, "")
	b := OpenBrowser(t)
	b.Goto(g.URL + "/home")
	b.Follow("#sso")
	issuer.Cancel(b)
	if page := b.Page(); !strings.HasPrefix(b.URL(), g.URL+"/sso/callback?error=access_denied") || !strings.HasPrefix(page, "Error:") ||
		!strings.Contains(console.Log(), "/sso/callback?error=access_denied") {
		t.Errorf("after the cancellation, at %s: %s", b.URL(), page)
	}
	tab := b.Tab()
	b.Goto(g.URL + "/sso")
	tab.Goto(g.URL + "/sso")
	issuer.SignIn(b, "alice")
	if who := b.Text("#who"); who != "alice by the issuer" {
		t.Errorf("the first tab: %q", who)
	}
	issuer.SignIn(tab, "alice")
	if who := tab.Text("#who"); who != "alice by the issuer" {
		t.Errorf("the second tab: %q", who)
	}
}

// fromElsewhere makes a request look as a browser's does that follows a link of another site.
var fromElsewhere = []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: cross-site"}

// TestFederatedApacheForeignCallbacks: the issuer's true answer, with a code that the console would take, counts in the
// browser that began, once, and nowhere else.
func TestFederatedApacheForeignCallbacks(t *testing.T) {
	issuer, console, g := startFederated(t, "")
	raw := NewRaw(t, g.URL)
	begun := raw.Get("/sso", fromElsewhere...)
	if begun.StatusCode != http.StatusFound {
		t.Fatalf("%s %s", begun.Status, begun.Text)
	}
	jar := Jar(begun)
	back := answerOf(t, begun.Header.Get("Location"), "alice")

	stranger := raw.Get(back, fromElsewhere...)
	if stranger.StatusCode != http.StatusForbidden || strings.Contains(console.Log(), "/sso/callback") {
		t.Errorf("in another browser: %s", stranger.Status)
	}
	forged := raw.Get(strings.Replace(back, "state=", "state=x", 1), append(fromElsewhere, "Cookie: "+jar)...)
	if forged.StatusCode != http.StatusForbidden || strings.Contains(console.Log(), "/sso/callback") {
		t.Errorf("with another state: %s", forged.Status)
	}
	own := raw.Get(back, append(fromElsewhere, "Cookie: "+jar)...)
	if own.StatusCode != http.StatusFound {
		t.Fatalf("in the browser that began: %s %s", own.Status, own.Text)
	}
	if home := raw.Get("/home", "Cookie: "+Jar(begun, own)); !strings.Contains(home.Text, console.Marker) {
		t.Errorf("after it: %s", home.Status)
	}
	if again := raw.Get(back, append(fromElsewhere, "Cookie: "+jar)...); again.StatusCode != http.StatusForbidden {
		t.Errorf("once more: %s", again.Status)
	}
	if !strings.Contains(issuer.Log(), "POST /token") {
		t.Error("the console never asked the issuer")
	}
}

// answerOf signs somebody in at the issuer without a browser and returns the path and query that it answers with.
func answerOf(t *testing.T, at, login string) string {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	var last *url.URL
	client := http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if last = req.URL; req.URL.Path == "/sso/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := client.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	res, err := client.PostForm(page.Request.URL.String(), url.Values{"login": {login}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if last == nil || last.Path != "/sso/callback" {
		t.Fatalf("the issuer leads to %v: %s", last, res.Status)
	}
	return last.RequestURI()
}
