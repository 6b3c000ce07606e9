//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// application is a client of an issuer that shows what it is sent, for the tests of the issuer itself.
type application struct {
	*httptest.Server
	codes   chan url.Values
	logouts chan string
}

func startApplication(t *testing.T) *application {
	a := &application{codes: make(chan url.Values, 10), logouts: make(chan string, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("/callback", func(_ http.ResponseWriter, r *http.Request) { a.codes <- r.URL.Query() })
	mux.HandleFunc("/backchannel", func(_ http.ResponseWriter, r *http.Request) { a.logouts <- r.FormValue("logout_token") })
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

// start is where the application sends a browser. The verifier of PKCE is the example of RFC 7636, appendix B.
func (a *application) start(issuer *Issuer) string {
	return issuer.URL + "/auth?" + url.Values{
		"client_id": {"app"}, "redirect_uri": {a.URL + "/callback"}, "response_type": {"code"}, "state": {"abc"},
		"nonce": {"n"}, "scope": {"openid profile groups"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
}

// redeem exchanges the code that the browser brought and returns the header and the claims of the ID token.
func (a *application) redeem(t *testing.T, issuer *Issuer) (header, claims map[string]any) {
	t.Helper()
	back := received(t, a.codes)
	res, err := http.PostForm(issuer.URL+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": back["code"], "redirect_uri": {a.URL + "/callback"}, "client_id": {"app"},
		"client_secret": {"sesame"}, "code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var tokens struct {
		ID string `json:"id_token"`
	}
	json.Unmarshal(text, &tokens)
	parts := strings.Split(tokens.ID, ".")
	if len(parts) != 3 {
		t.Fatalf("for %v the issuer answers %s: %s", back, res.Status, text)
	}
	for n, into := range []any{&header, &claims} {
		part, _ := base64.RawURLEncoding.DecodeString(parts[n])
		if err := json.Unmarshal(part, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// received waits for what the issuer sends.
func received[T any](t *testing.T, from chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("the application hears nothing")
		panic("not reached")
	}
}

func (a *application) client() IssuerClient {
	return IssuerClient{
		ID: "app", Secret: "sesame", AuthMethod: "client_secret_post", RedirectURIs: []string{a.URL + "/callback"},
		PostLogoutURIs: []string{a.URL + "/bye"}, BackchannelLogoutURI: a.URL + "/backchannel",
	}
}

func TestHarnessIssuer(t *testing.T) {
	alice := IssuerPerson{Login: "alice", Subject: "s-1", Claims: map[string]any{"name": "Alice", "groups": []string{"admins"}},
		AMR: []string{"pwd", "otp"}, ACR: "high", SecondsAgo: 600}
	issuer, other, app := StartIssuer(t, alice), StartIssuer(t), startApplication(t)
	if other.URL == issuer.URL {
		t.Fatal("two issuers are one")
	}
	issuer.Client(app.client())
	b := OpenBrowser(t)

	b.Goto(app.start(issuer))
	issuer.SignIn(b, "alice")
	first, claims := app.redeem(t, issuer)
	age := time.Since(time.Unix(int64(claims["auth_time"].(float64)), 0))
	if got := fmt.Sprintf("%v %v %v %v %v %v", claims["sub"], claims["name"], claims["groups"], claims["amr"],
		claims["acr"], claims["nonce"]); got != "s-1 Alice [admins] [pwd otp] high n" || age < 9*time.Minute || age > 11*time.Minute {
		t.Errorf("the ID token says %v", claims)
	}

	issuer.Rotate()
	b.Goto(app.start(issuer)) // still signed in there
	if second, _ := app.redeem(t, issuer); second["kid"] == first["kid"] {
		t.Error("the key is the old one after a rotation")
	}
	if told := issuer.LogOut("s-1"); told == "0" || received(t, app.logouts) == "" {
		t.Errorf("%s clients heard of the logout", told)
	}

	issuer.Stop()
	if answers(issuer.URL) {
		t.Error("a stopped issuer answers")
	}
	alice.AMR, alice.ACR = nil, ""
	issuer.Person(alice)
	issuer.Start()
	b.Goto(app.start(issuer))
	issuer.SignIn(b, "alice")
	if _, claims := app.redeem(t, issuer); claims["amr"] != nil || claims["acr"] != nil {
		t.Errorf("without evidence the ID token says %v", claims)
	}
	b.Goto(issuer.URL + "/session/end?client_id=app&post_logout_redirect_uri=" + url.QueryEscape(app.URL+"/bye"))
	b.Follow("#logout")
	if b.URL() != app.URL+"/bye" {
		t.Errorf("after the logout the browser is at %s", b.URL())
	}
	b.Goto(app.start(issuer))
	issuer.Cancel(b)
	if back := received(t, app.codes); back.Get("error") != "access_denied" || back.Get("state") != "abc" {
		t.Errorf("who changes their mind comes back with %v", back)
	}
}
