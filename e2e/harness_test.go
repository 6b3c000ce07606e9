//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestHarnessDokuWiki(t *testing.T) {
	wiki := StartDokuWiki(t)
	raw := NewRaw(t, wiki.URL)
	if strings.Contains(raw.Get(wiki.Secret).Text, wiki.Marker) {
		t.Error("the wiki shows its secret to anybody")
	}
	for _, person := range []Account{Alice, Bob} {
		in := raw.Post("/doku.php?id=start", url.Values{"do": {"login"}, "u": {person.Name}, "p": {person.Password}})
		if _, ok := in.Set("DW"); !ok || in.StatusCode != http.StatusFound {
			t.Fatalf("%s cannot sign in: %s", person.Name, in.Status)
		}
		if page := raw.Get(wiki.Secret, "Cookie: "+Jar(in)); !strings.Contains(page.Text, wiki.Marker) {
			t.Errorf("%s does not see the secret", person.Name)
		}
	}
	wrong := raw.Post("/doku.php?id=start", url.Values{"do": {"login"}, "u": {"alice"}, "p": {"wrong"}})
	if _, ok := wrong.Set("DW"); ok || wrong.StatusCode != http.StatusForbidden {
		t.Errorf("a wrong password: %s", wrong.Status)
	}
}

func TestHarnessDokuWikiBrowser(t *testing.T) {
	wiki := StartDokuWiki(t)
	b := OpenBrowser(t)
	wiki.SignIn(b, wiki.URL, Alice)
	if page := b.Page(); !strings.Contains(page, wiki.Marker) {
		t.Errorf("after the login the page reads:\n%s", page)
	}
	b.Screenshot("signed-in")
}

func TestHarnessWordPress(t *testing.T) {
	blog := StartWordPress(t)
	raw := NewRaw(t, blog.URL)
	if strings.Contains(raw.Get(blog.Secret).Text, blog.Marker) {
		t.Error("the blog shows its secret to anybody")
	}
	for _, person := range []Account{Alice, Bob} {
		in := raw.Post("/wp-login.php", url.Values{"log": {person.Name}, "pwd": {person.Password}})
		if _, ok := in.Set("wordpress_logged_in_"); !ok {
			t.Fatalf("%s cannot sign in: %s\n%s", person.Name, in.Status, in.Text)
		}
		if page := raw.Get(blog.Secret, "Cookie: "+Jar(in)); !strings.Contains(page.Text, blog.Marker) {
			t.Errorf("%s does not see the secret: %s\n%s", person.Name, page.Status, page.Text)
		}
	}
}

func TestHarnessWordPressAppPassword(t *testing.T) {
	blog := StartWordPress(t)
	req, _ := http.NewRequest(http.MethodGet, blog.URL+"/wp-json/wp/v2/users/me", nil)
	req.SetBasicAuth(Alice.Name, blog.AppPassword)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
}

func TestHarnessWordPressBrowser(t *testing.T) {
	blog := StartWordPress(t)
	b := OpenBrowser(t)
	blog.SignIn(b, blog.URL, Account{Name: Alice.Mail, Password: Alice.Password})
	if !b.Has("#wpadminbar") {
		t.Errorf("after the login the page at %s reads:\n%s", b.URL(), b.Page())
	}
	b.Screenshot("signed-in")
}

// page serves one page under a policy as strict as the gateway's.
func page(t *testing.T, html string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; require-trusted-types-for 'script'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: url.QueryEscape(r.Header.Get("Accept-Language")), HttpOnly: true})
		w.Write([]byte(html))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestHarnessBrowserAxe(t *testing.T) {
	b := OpenBrowser(t)
	b.Goto(page(t, `<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><img src="x"></main>`).URL)
	found := b.Axe()
	if len(found) != 1 || found[0].ID != "image-alt" {
		t.Errorf("axe finds %v on a page with a picture that says nothing", found)
	}
	b.Goto(page(t, `<!doctype html><html lang="en"><title>Good</title><main><h1>Good</h1></main>`).URL)
	if found := b.Axe(); len(found) != 0 {
		t.Errorf("axe finds on a good page: %v", found)
	}
}

func TestHarnessBrowserSettings(t *testing.T) {
	b := OpenBrowser(t)
	server := page(t, `<!doctype html><html lang="en"><title>Page</title><main><h1>Page</h1></main>`)
	b.SetLanguage("zh-CN")
	b.Dark(true)
	b.Phone()
	b.Goto(server.URL)
	cookies := b.Cookies()
	if len(cookies) != 1 || !strings.HasPrefix(cookies[0].Value, "zh-CN") || !cookies[0].HTTPOnly {
		t.Errorf("cookies: %+v", cookies)
	}
	if !Eval[bool](b, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		t.Error("the browser is not dark")
	}
	if width := Eval[int](b, "screen.width"); width != 360 {
		t.Errorf("the phone is %d wide", width)
	}
	b.Desktop()
	b.Goto(server.URL)
	if width := Eval[int](b, "innerWidth"); width != 1280 || Eval[bool](b, `matchMedia("(pointer: coarse)").matches`) {
		t.Errorf("after the phone the desk is %d wide, or is touched", width)
	}
	if other := OpenBrowser(t); len(other.Cookies()) != 0 {
		t.Error("two browsers share a profile")
	}
	tab := b.Tab()
	if len(tab.Cookies()) != 1 {
		t.Error("two tabs do not share a profile")
	}
}

func TestHarnessOathtool(t *testing.T) {
	// The first vector of RFC 6238, cut to six digits.
	if code := Oathtool(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", time.Unix(59, 0)); code != "287082" {
		t.Errorf("oathtool says %s", code)
	}
}

// TestHarnessGateway needs no module of ours: it shows that the binary is started, reloaded, killed and restarted.
func TestHarnessGateway(t *testing.T) {
	site := func(says string) string {
		return "{\n\t{{.Global}}\n}\nhttp://localhost:{{.Port}} {\n\trespond \"" + says +
			"\"\n}\nhttps://localhost:{{.TLSPort}} {\n\ttls internal\n\trespond \"" + says + " sealed\"\n}\n"
	}
	g := StartGateway(t, site("one"))
	raw := NewRaw(t, g.URL)
	if got := raw.Get("/").Text; got != "one" {
		t.Fatalf("the gateway says %q", got)
	}
	b := OpenBrowser(t)
	b.Goto(g.TLSURL)
	if got := b.Page(); got != "one sealed" {
		t.Errorf("over TLS the gateway says %q", got)
	}
	if err := g.Reload(site("two")); err != nil || raw.Get("/").Text != "two" {
		t.Errorf("after a reload: %v", err)
	}
	if err := g.Reload("{{.Global}}\nnonsense"); err == nil || raw.Get("/").Text != "two" {
		t.Errorf("after a reload of nonsense: %v", err)
	}
	if err := g.Reload(site("three")); err != nil {
		t.Error(err)
	}
	g.Kill9()
	g.Restart()
	if got := raw.Get("/").Text; got != "three" {
		t.Errorf("after a restart the gateway says %q", got)
	}
	if _, err := os.Stat(g.Dir + "/data/caddy"); err != nil {
		t.Errorf("the gateway keeps its data elsewhere: %v", err)
	}
	if !strings.Contains(g.Logs(), "serving initial configuration") {
		t.Errorf("the log says\n%s", g.Logs())
	}
}
