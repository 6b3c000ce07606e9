//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func nodeRedLogin(raw *Raw, name, password string, header ...string) Answer {
	form := url.Values{"client_id": {"node-red-editor"}, "grant_type": {"password"}, "scope": {""}, "username": {name}, "password": {password}}
	return raw.Post("/auth/token", form, header...)
}

// nodeRedPass signs a raw client in, passes, and signs in again, as a person does by hand. It returns the Cookie header
// and the token.
func nodeRedPass(t *testing.T, raw *Raw, a Account) (jar, token string) {
	t.Helper()
	in := nodeRedLogin(raw, a.Name, a.Password)
	done, _ := rawPass(t, raw, Jar(in), "", -1)
	again := nodeRedLogin(raw, a.Name, a.Password, "Cookie: "+Jar(done))
	if token = nodeRedToken(again); token == "" {
		t.Fatalf("%s, after the pass: %s %s", a.Name, again.Status, again.Text)
	}
	return "Cookie: " + Jar(done, again), token
}

// TestNodeREDInBrowser is a login by script whose answer is the credential itself: the script gets 401, the page's
// reload meets the challenge, and the next login goes through.
func TestNodeREDInBrowser(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	b := OpenBrowser(t)

	b.Goto(g.URL)
	b.eventually("the editor asks to sign in", func() bool { return b.Has(console.login.name) })
	typeIn(b, console, Alice.Name, "wrong")
	b.eventually("the editor says that the password is wrong", loginFailed(b))
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the editor gets no token", loginFailed(b))
	b.Screenshot("1-refused")
	if stored := Eval[string](b, `localStorage.getItem("auth-tokens") || ""`); strings.Contains(stored, "access_token") {
		t.Errorf("before the pass the browser stores %s", stored)
	}
	b.Reload()
	b.Screenshot("2-bind")
	key := enroll(t, b, -2)
	inFlows(b, console)
	b.Screenshot("3-signed-in")

	deploy(b)
	b.Screenshot("4-deployed")
	// The editor's own menu signs out, the connection is cut, and it asks to sign in again.
	began := time.Now()
	Eval[bool](b, `document.querySelector("#usermenu-item-logout").click(), true`)
	b.eventually("the connection is cut", func() bool { return strings.Contains(afterwards(console, began), "comms.close") })
	b.eventually("the editor asks to sign in", func() bool { return b.Has(console.login.name) })

	// The next time one code is enough; a wrong one is not.
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the editor gets no token", loginFailed(b))
	b.Reload()
	b.Fill("#code", wrong(t, key))
	b.Follow("#answer button")
	if a := NewRaw(t, g.URL).Get(console.Secret, "Cookie: "+jarOf(b)); !onChallenge(b) || a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a wrong code the browser is at %s, and the console answers %s", b.URL(), a.Status)
	}
	enter(t, b, key, 0)
	inFlows(b, console)
}

func loginFailed(b *Browser) func() bool {
	return func() bool {
		return Eval[bool](b, `(e => e !== null && e.offsetParent !== null)(document.querySelector("#node-dialog-login-failed"))`)
	}
}

// inFlows signs in after a pass, and waits for the editor with its flows and its connection.
func inFlows(b *Browser, console *Console) {
	b.t.Helper()
	b.eventually("the editor asks to sign in", func() bool { return b.Has(console.login.name) })
	began := len(console.Log())
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the flows are there", func() bool { return strings.Contains(b.Page(), console.Marker) })
	b.eventually("its connection is let in", func() bool { return strings.Contains(console.Log()[began:], `"comms.auth"`) })
}

// deploy adds a flow with the editor's own buttons.
func deploy(b *Browser) {
	b.t.Helper()
	Eval[bool](b, `RED.actions.invoke("core:add-flow"), true`)
	b.Click("#red-ui-header-button-deploy")
	b.eventually("the editor says that it is deployed", func() bool { return strings.Contains(b.Page(), "Successfully deployed") })
}

// afterwards is what the console's log says since then.
func afterwards(console *Console, since time.Time) string {
	var lines []string
	for line := range strings.Lines(console.Log()) {
		var entry struct {
			Timestamp int64 `json:"timestamp"`
		}
		_, text, _ := strings.Cut(line, "{")
		if json.Unmarshal([]byte("{"+text), &entry) == nil && entry.Timestamp >= since.UnixMilli() {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestNodeREDSessionOver ends the session behind the editor's back: it loses its connection within two seconds, and the
// next page load comes back to the login, although the token still lies in the browser.
func TestNodeREDSessionOver(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	b := OpenBrowser(t)
	b.Goto(g.URL)
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the editor gets no token", loginFailed(b))
	b.Reload()
	key := enroll(t, b, -2)
	inFlows(b, console)

	began := time.Now()
	NewRaw(t, g.URL).Post("/auth/revoke", url.Values{"token": {"none"}}, "Cookie: "+jarOf(b))
	for !strings.Contains(afterwards(console, began), "comms.close") {
		if time.Since(began) > 2*time.Second {
			t.Fatalf("the connection outlives its session:\n%s", console.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if stored := Eval[string](b, `localStorage.getItem("auth-tokens")`); !strings.Contains(stored, "access_token") {
		t.Fatalf("the editor stores %q", stored)
	}
	b.Screenshot("1-lost")
	b.Reload()
	b.eventually("the editor asks to sign in", func() bool { return b.Has(console.login.name) })
	b.Screenshot("2-login")
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the editor gets no token", loginFailed(b))
	b.Reload()
	enter(t, b, key, 0)
	inFlows(b, console)

	// A login in a second tab is released at once, and the first tab goes on with the new token.
	tab := b.Tab()
	tab.Goto(g.URL)
	tab.eventually("the second tab has the flows", func() bool { return strings.Contains(tab.Page(), console.Marker) })
	began = time.Now()
	login := fmt.Sprintf(`$.ajax({url: "auth/token", type: "POST", data: {client_id: "node-red-editor", grant_type: "password", scope: "",
		username: "alice", password: %q}}).then(tokens => (RED.settings.set("auth-tokens", tokens), tokens.token_type))`, Alice.Password)
	if got := Eval[string](tab, login); got != "Bearer" {
		t.Errorf("the second tab gets %q", got)
	}
	b.eventually("both connections are let in anew", func() bool { return strings.Count(afterwards(console, began), `"comms.auth"`) >= 2 })
	deploy(b)
}

// TestNodeREDHeld: before the pass no byte of the token leaves the gateway, whatever asks for it.
func TestNodeREDHeld(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	raw := NewRaw(t, g.URL)
	bad := nodeRedLogin(raw, "alice", "wrong")
	if direct := nodeRedLogin(NewRaw(t, console.URL), "alice", "wrong"); bad.Text != direct.Text || bad.StatusCode != direct.StatusCode {
		t.Errorf("a wrong password is %s %s, and by the gateway %s %s", direct.Status, direct.Text, bad.Status, bad.Text)
	}
	byJSON := func(path string) Answer {
		body, _ := json.Marshal(map[string]string{"client_id": "node-red-admin", "grant_type": "password", "scope": "*", "username": "alice", "password": Alice.Password})
		return raw.Do("POST", path, string(body), "Content-Type: application/json")
	}
	for what, a := range map[string]Answer{"by form": nodeRedLogin(raw, "alice", Alice.Password), "by JSON": byJSON("/auth/token"), "with a slash": byJSON("/auth/token/")} {
		if a.StatusCode != http.StatusUnauthorized || a.Header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(a.Text, `"challenge_url":"/.stepgate/challenge"`) || strings.Contains(a.Text, "access_token") {
			t.Errorf("%s: %s %s", what, a.Status, a.Text)
		}
	}
	for _, path := range []string{"/AUTH/TOKEN", "/auth//token", "/auth/%74oken"} {
		if a := byJSON(path); strings.Contains(a.Text, "access_token") || a.StatusCode < 400 {
			t.Errorf("%s: %s %s", path, a.Status, a.Text)
		}
	}

	// The console's own token, fetched around the gateway, is worth nothing here: not before the pass, and not after it.
	stolen := nodeRedToken(nodeRedLogin(NewRaw(t, console.URL), "alice", Alice.Password))
	in := nodeRedLogin(raw, "alice", Alice.Password)
	opensNothing(t, "without a session", console, raw, "", stolen)
	if a := raw.Get("/?access_token="+url.QueryEscape(stolen), "Accept: text/html"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a public page with a token in its address: %s", a.Status)
	}
	opensNothing(t, "before the pass", console, raw, "Cookie: "+Jar(in), stolen)
	done, _ := rawPass(t, raw, Jar(in), "", -1)
	opensNothing(t, "after the pass", console, raw, "Cookie: "+Jar(done), stolen)

	// Who passed is released at once, and nobody else in the same browser.
	bob := nodeRedLogin(raw, "bob", Bob.Password, "Cookie: "+Jar(done))
	if bob.StatusCode != http.StatusUnauthorized || nodeRedToken(bob) != "" {
		t.Errorf("bob, after alice's pass: %s %s", bob.Status, bob.Text)
	}
	if a := raw.Get(console.Secret, "Cookie: "+Jar(done), "Authorization: Bearer "+stolen); strings.Contains(a.Text, console.Marker) {
		t.Error("alice's session outlives bob's login in her browser")
	}
	again := nodeRedLogin(raw, "alice", Alice.Password, "Cookie: "+Jar(done, bob))
	token := nodeRedToken(again)
	if a := raw.Get(console.Secret, "Cookie: "+Jar(done, bob, again), "Authorization: Bearer "+token); !strings.Contains(a.Text, console.Marker) {
		t.Errorf("alice, after her pass: %s, then %s", again.Status, a.Status)
	}
	refreshed := nodeRedLogin(raw, "alice", Alice.Password, "Cookie: "+Jar(done, bob, again))
	opensNothing(t, "the token before the last login's", console, raw, "Cookie: "+Jar(done, bob, again, refreshed), token)
	if a := raw.Get(console.Secret, "Cookie: "+Jar(done, bob, again, refreshed), "Authorization: Bearer "+nodeRedToken(refreshed)); !strings.Contains(a.Text, console.Marker) {
		t.Errorf("the last login's token: %s", a.Status)
	}
}

// opensNothing sends a token in every place from which the console takes one.
func opensNothing(t *testing.T, what string, console *Console, raw *Raw, jar, token string) {
	t.Helper()
	send := func(method, query, body string, header ...string) Answer {
		if jar != "" {
			header = append(header, jar)
		}
		return raw.Do(method, console.Secret+query, body, header...)
	}
	escaped, js, form := url.QueryEscape(token), "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"
	for place, a := range map[string]Answer{
		"the header":                     send("GET", "", "", "Authorization: Bearer "+token),
		"the header in another case":     send("GET", "", "", "authorization: bEaReR "+token),
		"two headers":                    send("GET", "", "", "Authorization: Bearer x", "Authorization: Bearer "+token),
		"the query":                      send("GET", "?access_token="+escaped, ""),
		"the query, escaped":             send("GET", "?%61ccess_token="+escaped, ""),
		"the query as an array":          send("GET", "?access_token[]="+escaped, ""),
		"the query as an indexed array":  send("GET", "?access_token[0]="+escaped, ""),
		"the query in brackets":          send("GET", "?[access_token]="+escaped, ""),
		"the query twice":                send("GET", "?access_token=x&access_token="+escaped, ""),
		"the query beside a bad escape":  send("GET", "?x=%zz&access_token="+escaped, ""),
		"the query beside a semicolon":   send("GET", "?x=1;y=2&access_token="+escaped, ""),
		"a form":                         send("GET", "", "access_token="+escaped, form),
		"a form as an array":             send("GET", "", "access_token[]="+escaped, form),
		"a JSON body":                    send("GET", "", fmt.Sprintf(`{"access_token":%q}`, token), js),
		"a JSON body as an array":        send("GET", "", fmt.Sprintf(`{"access_token":[%q]}`, token), js),
		"a JSON body, escaped":           send("GET", "", fmt.Sprintf(`{"access\u005ftoken":%q}`, token), js),
		"a JSON body twice":              send("GET", "", fmt.Sprintf(`{"access_token":"","access_token":%q}`, token), js),
		"a JSON body after a mark":       send("GET", "", "\ufeff"+fmt.Sprintf(`{"access_token":%q}`, token), js),
		"a JSON body in another charset": send("GET", "", utf16(fmt.Sprintf(`{"access_token":%q}`, token)), js+"; charset=utf-16le"),
		"another header":                 send("GET", "", "", "Proxy-Authorization: Bearer "+token),
	} {
		if strings.Contains(a.Text, console.Marker) {
			t.Errorf("%s: a foreign token in %s opens the console: %s", what, place, a.Status)
		}
	}
}

func utf16(text string) string {
	var out strings.Builder
	for _, r := range text {
		out.WriteByte(byte(r))
		out.WriteByte(0)
	}
	return out.String()
}

// TestNodeREDOthersTokens holds bob's token against alice's session, and hers against his.
func TestNodeREDOthersTokens(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	raw := NewRaw(t, g.URL)
	aliceJar, aliceToken := nodeRedPass(t, raw, Alice)
	bobJar, bobToken := nodeRedPass(t, raw, Bob)
	opensNothing(t, "bob's token in alice's session", console, raw, aliceJar, bobToken)
	opensNothing(t, "alice's token in bob's session", console, raw, bobJar, aliceToken)
	opensNothing(t, "alice's token without her session", console, raw, "", aliceToken)

	// Her own token works wherever the console takes it.
	escaped := url.QueryEscape(aliceToken)
	for place, a := range map[string]Answer{
		"the header": raw.Get(console.Secret, aliceJar, "Authorization: Bearer "+aliceToken),
		"the query":  raw.Get(console.Secret+"?access_token="+escaped, aliceJar),
		"a form":     raw.Do("GET", console.Secret, "access_token="+escaped, aliceJar, "Content-Type: application/x-www-form-urlencoded"),
		"a body":     raw.Do("GET", console.Secret, fmt.Sprintf(`{"access_token":%q}`, aliceToken), aliceJar, "Content-Type: application/json"),
	} {
		if !strings.Contains(a.Text, console.Marker) {
			t.Errorf("alice's own token in %s: %s %s", place, a.Status, a.Text)
		}
	}
	// A flow may hold the word, and names that differ by case alone.
	flows := fmt.Sprintf(`[{"id":"f1","type":"tab","label":%q,"env":[{"name":"access_token","Name":"x"}]}]`, console.Marker)
	if a := raw.Do("POST", "/flows", flows, aliceJar, "Authorization: Bearer "+aliceToken, "Content-Type: application/json"); a.StatusCode != http.StatusNoContent {
		t.Errorf("alice deploys: %s %s", a.Status, a.Text)
	}
	// Bob's login from her browser with her token beside: nothing of hers reaches the console.
	if a := nodeRedLogin(raw, "bob", Bob.Password, aliceJar, "Authorization: Bearer "+aliceToken); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("bob signs in in alice's browser: %s %s", a.Status, a.Text)
	}
	opensNothing(t, "alice's session after bob's login in it", console, raw, aliceJar, aliceToken)
}

// TestNodeREDCanceled leaves the challenge: the editor asks to sign in again, and nothing of the login is left.
func TestNodeREDCanceled(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	b := OpenBrowser(t)
	b.Goto(g.URL)
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the editor gets no token", loginFailed(b))
	b.Reload()
	b.Follow(".cancel button")
	b.Goto(g.URL)
	b.eventually("the editor asks to sign in", func() bool { return b.Has(console.login.name) })
	jar := "Cookie: " + jarOf(b)
	if a := NewRaw(t, g.URL).Get(console.Secret, jar); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the cancel the console answers %s", a.Status)
	}
	again := nodeRedLogin(NewRaw(t, g.URL), Alice.Name, Alice.Password, jar)
	if nodeRedToken(again) != "" || again.StatusCode != http.StatusUnauthorized {
		t.Errorf("the next login after a cancel: %s %s", again.Status, again.Text)
	}
}
