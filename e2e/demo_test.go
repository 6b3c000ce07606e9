//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// StartDemo runs `stepgate demo` as the README says and returns its address.
func startDemo(t *testing.T) string {
	t.Helper()
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "demo", "--port", "0")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	demo := start(t, "the demo", cmd)
	var address string
	demo.wait(t, time.Minute, func() bool {
		lines := bufio.NewScanner(bytes.NewReader([]byte(demo.out.String())))
		for lines.Scan() {
			if at := strings.TrimSpace(lines.Text()); strings.HasPrefix(at, "http://localhost:") {
				address = at
			}
		}
		return address != "" && answers(address)
	})
	t.Cleanup(func() {
		if said := demo.out.String(); !strings.Contains(said, "alice-demo") || !strings.Contains(said, "What to try") {
			t.Errorf("the demo does not say what to try:\n%s", said)
		}
	})
	return address
}

func demoSignIn(t *testing.T, b *Browser, base, user, password string) {
	t.Helper()
	b.Goto(base + "/keys")
	b.Fill("#user", user)
	b.Fill("#password", password)
	b.Follow("#submit")
}

// TestDemoMainJob is point 1: the demo as a new user clicks through it, in Chinese and on a phone where that matters.
func TestDemoMainJob(t *testing.T) {
	base := startDemo(t)
	b := OpenBrowser(t)
	demoSignIn(t, b, base, "alice@example.com", "alice-demo")
	accessible(t, b, "binding")
	first := b.Text(".key")
	b.Reload()
	if b.Text(".key") != first {
		t.Error("another key is shown after a reload")
	}
	tab := b.Tab()
	tab.Goto(base + "/.stepgate/challenge")
	if tab.Text(".key") != first {
		t.Error("another key is shown in a second tab")
	}
	b.Follow("nav a[lang^=zh]")
	if page := b.Page(); !strings.Contains(page, "两步验证") || b.Text(".key") != first {
		t.Errorf("after the switch to Chinese the page reads:\n%s", page)
	}
	key := enroll(t, b, -2)
	if !strings.HasSuffix(b.URL(), "/keys") { // where alice wanted to go before she signed in
		t.Fatalf("after the binding the browser is at %s:\n%s", b.URL(), b.Page())
	}
	deleteKeys(t, b)
	b.Follow("#logout")
	demoSignIn(t, b, base, "alice", "alice-demo")
	enter(t, b, key, 0)
	b.Follow("#logout")
	demoSignIn(t, b, base, "alice", "alice-demo")
	used := Oathtool(t, key, time.Now())
	b.Fill("#code", used)
	b.Follow("#answer button")
	if page := b.Page(); !strings.Contains(page, "已使用") && !strings.Contains(page, "使用过") {
		t.Errorf("a used code: the page reads\n%s", page)
	}
	b.Screenshot("used")
	accessible(t, b, "used code")
}

// deleteKeys deletes one key by the console's form and one by its script.
func deleteKeys(t *testing.T, b *Browser) {
	t.Helper()
	b.Follow("#lk-1001 .danger")
	if b.Has("#confirm button") {
		b.Follow("#confirm button")
	}
	if b.Has("#lk-1001") {
		t.Errorf("the form deletes nothing: %s", b.Page())
	}
	b.Click("[data-delete='lk-1002']")
	for range 100 {
		if !b.Has("#lk-1002") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the script deletes nothing: %s", b.Page())
}

// TestDemoStolenCookie carries the console's cookie to another browser, as the demo invites to.
func TestDemoStolenCookie(t *testing.T) {
	base := startDemo(t)
	b := OpenBrowser(t)
	demoSignIn(t, b, base, "bob", "bob-demo")
	enroll(t, b, -1)
	thief := OpenBrowser(t)
	for _, c := range b.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-stepgate-") {
			thief.SetCookie(base, c.Name, c.Value)
		}
	}
	thief.Goto(base + "/keys")
	if !strings.Contains(thief.URL(), "/login") {
		t.Errorf("the thief is at %s:\n%s", thief.URL(), thief.Page())
	}
	if a := NewRaw(t, base).Get("/api/keys"); a.StatusCode != http.StatusUnauthorized ||
		a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a script without a session gets %s, %s", a.Status, a.Header.Get("Content-Type"))
	}
}

// TestDemoOverTLS passes over HTTPS with HTTP/2, and finds plain HTTP on another name refused.
func TestDemoOverTLS(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, `{
	{{.Global}}
}
https://localhost:{{.TLSPort}}, http://wiki.example:{{.Port}} {
	tls internal
	stepgate wiki {
		first_factor console dokuwiki
	}
	reverse_proxy {{.Upstream}}
}
`, wiki)
	b := OpenBrowser(t)
	wiki.SignIn(b, g.TLSURL, Alice)
	enroll(t, b, -1)
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Fatalf("over TLS the browser is at %s:\n%s", b.URL(), b.Page())
	}
	if protocol := Eval[string](b, "performance.getEntriesByType('navigation')[0].nextHopProtocol"); protocol == "http/1.1" {
		t.Errorf("the browser speaks %s", protocol)
	}
	plain := NewRaw(t, g.URL)
	for _, path := range []string{"/", wiki.Secret, wiki.login.path} {
		a := plain.Get(path, "Host: wiki.example", "Accept: text/html")
		if a.StatusCode != http.StatusForbidden || !strings.Contains(a.Text, "HTTPS") || len(a.Cookies()) != 0 {
			t.Errorf("plain HTTP at %s: %s, %v\n%.300s", path, a.Status, a.Cookies(), a.Text)
		}
	}
	before := strings.Count(wiki.Log(), "POST /doku.php")
	in := dokuLogin(plain, Alice, "Host: wiki.example")
	if after := strings.Count(wiki.Log(), "POST /doku.php"); in.StatusCode != http.StatusForbidden || after != before || before == 0 {
		t.Errorf("a login over plain HTTP: %s; the wiki saw %d logins before and %d after", in.Status, before, after)
	}
}
