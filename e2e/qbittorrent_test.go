//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const qBittorrentSession = `^(QBT_)?SID`

// torrents is the site of a qBittorrent that is reached at another port than its own. more are lines of the site,
// servers those of the global option.
func torrents(more, servers string) string {
	return `{
	{{.Global}}
	` + servers + `
}
http://localhost:{{.Port}} {
	` + more + `
	reverse_proxy {{.Upstream}} {
		header_up Host {upstream_hostport}
	}
}
`
}

const torrentsSite = `stepgate torrents {
		first_factor console qbittorrent
	}`

// behindProxies lets a test come from any address.
const behindProxies = `servers {
		trusted_proxies static 127.0.0.0/8
	}`

func torrentsLogin(raw *Raw, name, password string, header ...string) Answer {
	return raw.Post("/api/v2/auth/login", url.Values{"username": {name}, "password": {password}}, header...)
}

// TestQBittorrentInBrowser is a login by script as a person sees it: the script gets its answer, and the reload that it
// does then meets the challenge.
func TestQBittorrentInBrowser(t *testing.T) {
	console := StartQBittorrent(t, askEverybody)
	g := StartGateway(t, torrents(torrentsSite, ""), console)
	b := OpenBrowser(t)

	b.Goto(g.URL)
	b.Screenshot("1-login")
	typeIn(b, console, Alice.Name, "wrong")
	b.eventually("the script says that the password is wrong", func() bool { return strings.Contains(b.Text("#error_msg"), "Invalid") })
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the script's reload meets the challenge", func() bool { return onChallenge(b) && b.Has("svg.qr") })
	b.Screenshot("2-bind")
	key := enroll(t, b, -2)
	inTorrents(b)
	b.Screenshot("3-signed-in")
	for _, c := range b.Cookies() {
		if c.Name == "SID" && strings.Contains(NewRaw(t, console.URL).Get(console.Secret, "Cookie: SID="+c.Value).Text, console.Marker) {
			t.Error("the browser holds a cookie that opens the console around the gateway")
		}
	}
	made := `fetch("api/v2/torrents/createCategory", {method: "POST", body: new URLSearchParams({category: "made"})}).then(r => r.status)`
	if status := Eval[int](b, made); status != http.StatusOK {
		t.Errorf("the console's script cannot write: %d", status)
	}
	b.eventually("the console's own polling shows what was made", func() bool { return strings.Contains(b.HTML(), ">made") })

	// The console's menu signs out; the second time one code is enough.
	Eval[bool](b, `document.querySelector("#logoutLink").click(), true`)
	b.eventually("the login page is back", func() bool { return b.Has("#loginform") })
	if a := NewRaw(t, g.URL).Get(console.Secret, "Cookie: "+jarOf(b)); strings.Contains(a.Text, console.Marker) {
		t.Error("the console can be read after the logout")
	}
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the script's reload meets the challenge again", func() bool { return onChallenge(b) && b.Has("#code") })
	b.Fill("#code", wrong(t, key))
	b.Follow("#answer button")
	if a := NewRaw(t, g.URL).Get(console.Secret, "Cookie: "+jarOf(b)); !onChallenge(b) || a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a wrong code the browser is at %s, and the console answers %s", b.URL(), a.Status)
	}
	enter(t, b, key, 0)
	inTorrents(b)

	// A login in a second tab, minutes after the pass, goes through at once.
	tab := b.Tab()
	tab.Goto(g.URL)
	inTorrents(tab)
	again := fmt.Sprintf(`fetch("api/v2/auth/login", {method: "POST", body: new URLSearchParams({username: "alice", password: %q})}).then(r => r.text())`, Alice.Password)
	if said := Eval[string](tab, again); said != "Ok." {
		t.Errorf("the second login is answered %q", said)
	}
	tab.Reload()
	inTorrents(tab)
}

func typeIn(b *Browser, console *Console, name, password string) {
	b.t.Helper()
	b.Fill(console.login.name, name)
	b.Fill(console.login.password, password)
	b.Click(console.login.submit)
}

func inTorrents(b *Browser) {
	b.t.Helper()
	b.eventually("qBittorrent's own page is there, with its data", func() bool { return b.Has("#desktop") && strings.Contains(b.Page(), "DHT") })
}

// jarOf is the Cookie header that the browser would send to any host.
func jarOf(b *Browser) string {
	var pairs []string
	for _, c := range b.Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// TestQBittorrentHeld: a good login's answer passes, and none of its cookies; a bad one's is what it was.
func TestQBittorrentHeld(t *testing.T) {
	console := StartQBittorrent(t, askEverybody)
	g := StartGateway(t, torrents(torrentsSite, ""), console)
	raw := NewRaw(t, g.URL)
	if a := torrentsLogin(raw, "alice", "wrong"); a.StatusCode != http.StatusOK || a.Text != "Fails." {
		t.Errorf("a wrong password: %s %q", a.Status, a.Text)
	}
	for _, alias := range []string{"ALICE", "Alice", "alice ", " alice", "alice\x00", "аlice", Alice.Mail} {
		if a := torrentsLogin(raw, alias, Alice.Password); a.Text == "Ok." {
			t.Errorf("the console takes %q for alice", alias)
		}
	}
	console.server.stop()
	console = StartQBittorrent(t, askEverybody) // which has banned nobody
	if err := g.Reload(strings.ReplaceAll(torrents(torrentsSite, ""), "{{.Upstream}}", console.Addr)); err != nil {
		t.Fatal(err)
	}
	in := torrentsLogin(raw, "alice", Alice.Password)
	withheld(t, "a good login", console, in, qBittorrentSession)
	if in.StatusCode != http.StatusOK || in.Text != "Ok." {
		t.Fatalf("a good login: %s %q", in.Status, in.Text)
	}
	pending := "Cookie: " + Jar(in)
	if a := raw.Get("/", pending, "Accept: text/html"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("the next page load: %s to %q", a.Status, a.Header.Get("Location"))
	}
	api := raw.Get(console.Secret, pending)
	withheld(t, "a script before the pass", console, api, qBittorrentSession)
	if api.StatusCode != http.StatusUnauthorized || api.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(api.Text, `"challenge_url":"/.stepgate/challenge"`) {
		t.Errorf("a script before the pass: %s %s", api.Status, api.Text)
	}
	done, _ := rawPass(t, raw, Jar(in), "", 0)
	jar := "Cookie: " + Jar(done)
	if a := raw.Get(console.Secret, jar); !strings.Contains(a.Text, console.Marker) {
		t.Errorf("after the pass: %s %s", a.Status, a.Text)
	}
	stolenCookies(t, console, g, done)

	// The console's own check of where a request comes from still works, and knows the gateway's address.
	for origin, want := range map[string]int{g.URL: http.StatusOK, "http://evil.example": http.StatusUnauthorized} {
		a := raw.Post("/api/v2/torrents/createCategory", url.Values{"category": {"of" + fmt.Sprint(want)}}, jar, "Origin: "+origin)
		if a.StatusCode != want {
			t.Errorf("a request of %s: %s %s", origin, a.Status, a.Text)
		}
	}
	if a := torrentsLogin(raw, "alice", Alice.Password, "Sec-Fetch-Site: cross-site"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a login that another site sends: %s", a.Status)
	}
}

// stolenCookies holds session cookies of every origin against the gateway. done is the answer to a pass.
func stolenCookies(t *testing.T, console *Console, g *Gateway, done Answer) {
	t.Helper()
	raw, direct := NewRaw(t, g.URL), NewRaw(t, console.URL)
	clear, ok := torrentsLogin(direct, "alice", Alice.Password).Set("SID")
	if !ok {
		t.Fatal("the console sets no cookie")
	}
	sealed, ok := done.Set("SID")
	own, _ := done.Set("__Host-stepgate-torrents")
	if !ok || own.Value == "" {
		t.Fatalf("no cookies after the pass: %v", done.Cookies())
	}
	for what, cookies := range map[string]string{
		"one of around the gateway":   "SID=" + clear.Value,
		"in small letters":            "sid=" + clear.Value,
		"a sealed one alone":          "SID=" + sealed.Value,
		"a clear one in a session":    own.Name + "=" + own.Value + "; SID=" + clear.Value,
		"a session without the other": own.Name + "=" + own.Value,
	} {
		a := raw.Get(console.Secret, "Cookie: "+cookies)
		if strings.Contains(a.Text, console.Marker) {
			t.Errorf("%s opens the console: %s", what, a.Status)
		}
	}
}

// TestQBittorrentSubject: a console that asks its own machine for no password takes any name. It still names the one
// account, so that no name opens a person who never bound a second factor.
func TestQBittorrentSubject(t *testing.T) {
	console := StartQBittorrent(t, `WebUI\LocalHostAuth=false`)
	g := StartGateway(t, torrents(torrentsSite, ""), console)
	raw := NewRaw(t, g.URL)
	page := raw.Get("/", "Accept: text/html")
	withheld(t, "the page of a console that lets everybody in", console, page, qBittorrentSession)
	if page.StatusCode != http.StatusBadGateway {
		t.Errorf("the page of a console that lets everybody in: %s", page.Status)
	}
	done, key := rawPass(t, raw, Jar(torrentsLogin(raw, "alice", Alice.Password)), "", -1)
	if a := raw.Get(console.Secret, "Cookie: "+Jar(done)); !strings.Contains(a.Text, console.Marker) {
		t.Fatalf("alice: %s %s", a.Status, a.Text)
	}
	in := torrentsLogin(raw, "mallory", "anything")
	if a := raw.Get(console.Secret, "Cookie: "+Jar(in)); strings.Contains(a.Text, console.Marker) {
		t.Error("a name that nobody has opens the console")
	}
	challenge := raw.Get("/.stepgate/challenge", "Cookie: "+Jar(in), "Accept: text/html")
	if strings.Contains(challenge.Text, "otpauth:") || strings.Contains(challenge.Text, "mallory") || !strings.Contains(challenge.Text, "alice") {
		t.Errorf("a name that nobody has is asked:\n%s", challenge.Text)
	}
	if a, _ := rawPass(t, raw, Jar(in), key, 0); a.StatusCode != http.StatusSeeOther {
		t.Errorf("alice's code: %s", a.Status)
	}
}

// TestQBittorrentBanned: five wrong passwords ban an address. What the console says of it passes, and with its support
// of proxies the ban meets who earned it.
func TestQBittorrentBanned(t *testing.T) {
	console := StartQBittorrent(t, askEverybody+"\n"+`WebUI\ReverseProxySupportEnabled=true`+"\n"+`WebUI\TrustedReverseProxiesList=127.0.0.1`)
	g := StartGateway(t, torrents(torrentsSite, behindProxies), console)
	raw := NewRaw(t, g.URL)
	stranger, alice := "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.2"
	var last Answer
	for range 7 {
		last = torrentsLogin(raw, "alice", "wrong", stranger)
	}
	if last.StatusCode != http.StatusForbidden || !strings.Contains(last.Text, "has been banned") {
		t.Errorf("the stranger is told: %s %s", last.Status, last.Text)
	}
	withheld(t, "a ban", console, last, qBittorrentSession)
	if a := torrentsLogin(raw, "alice", Alice.Password, stranger); a.StatusCode != http.StatusForbidden {
		t.Errorf("a banned address signs in: %s %s", a.Status, a.Text)
	}
	if a := torrentsLogin(raw, "alice", Alice.Password, alice); a.Text != "Ok." {
		t.Errorf("alice, from elsewhere: %s %s", a.Status, a.Text)
	}
	if strings.Contains(g.Logs(), "neither a success nor a failure") {
		t.Error("a ban is taken for an answer that nobody knows")
	}
}

// TestQBittorrentPort: without the line for the Host header the console refuses the port, and the log says so.
func TestQBittorrentPort(t *testing.T) {
	console := StartQBittorrent(t, askEverybody)
	g := StartGateway(t, threeLines("torrents", "qbittorrent"), console)
	a := torrentsLogin(NewRaw(t, g.URL), "alice", Alice.Password)
	withheld(t, "a login that the console refuses", console, a, qBittorrentSession)
	if a.StatusCode != http.StatusBadGateway || !strings.Contains(g.Logs(), `"differs":"status 401"`) {
		t.Errorf("%s\n%s", a.Status, g.Logs())
	}
}

// TestQBittorrentMachines: a client of the API gets the answer to its login, and nothing else; where it has a bypass it
// works as ever, and nobody else through it.
func TestQBittorrentMachines(t *testing.T) {
	console := StartQBittorrent(t, askEverybody)
	g := StartGateway(t, torrents(`@arr {
		path /api/v2/*
		client_ip 198.51.100.9
	}
	stepgate torrents {
		bypass arr @arr
		first_factor console qbittorrent
	}`, behindProxies), console)
	raw := NewRaw(t, g.URL)
	for address, works := range map[string]bool{"198.51.100.9": true, "198.51.100.8": false} {
		from := "X-Forwarded-For: " + address
		in := torrentsLogin(raw, "alice", Alice.Password, from)
		sid, ok := in.Set("SID")
		a := raw.Get(console.Secret, from, "Cookie: "+Jar(in))
		if in.Text != "Ok." || ok != works || strings.Contains(a.Text, console.Marker) != works {
			t.Errorf("%s: %s, %q, then %s", address, in.Text, sid.Value, a.Status)
		}
		if !works && a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", address, a.Status)
		}
		if a := raw.Get(console.Secret, "X-Forwarded-For: 203.0.113.7", "Cookie: SID="+sid.Value); strings.Contains(a.Text, console.Marker) {
			t.Errorf("the cookie of %s works from elsewhere", address)
		}
	}
}

// TestQBittorrentCanceled leaves the challenge: nothing of the login is left.
func TestQBittorrentCanceled(t *testing.T) {
	console := StartQBittorrent(t, askEverybody)
	g := StartGateway(t, torrents(torrentsSite, ""), console)
	b := OpenBrowser(t)
	b.Goto(g.URL)
	typeIn(b, console, Alice.Name, Alice.Password)
	b.eventually("the challenge", func() bool { return onChallenge(b) && b.Has(".cancel button") })
	b.Follow(".cancel button")
	b.Screenshot("canceled")
	b.Goto(g.URL)
	if !b.Has("#loginform") {
		t.Errorf("after the cancel the browser is at %s:\n%s", b.URL(), b.Page())
	}
	if a := NewRaw(t, g.URL).Get(console.Secret, "Cookie: "+jarOf(b)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the cancel the console answers %s", a.Status)
	}
}

// eventually waits for what scripts do in their own time.
func (b *Browser) eventually(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.fail(what, fmt.Errorf("never came about; the page reads:\n%s", b.Page()))
		}
	}
}
