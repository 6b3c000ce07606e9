package gateway_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

// rewrites are what Caddy may make of a request before us.
var rewrites = map[string]func(*url.URL){
	"a prefix": func(u *url.URL) { u.Path = "/app" + u.Path },
	"a front controller": func(u *url.URL) {
		u.Path, u.RawPath, u.RawQuery = "/index.php", "", "path="+url.QueryEscape(u.Path)
	},
}

// behind is a wiki whose public paths are named as they come and as they are
// rewritten.
func behind(s *gateway.Site) {
	s.Public = match.Matches{{Paths: []string{"/login", "/app/login", "/public/*", "/app/public/*", "/index.php"}}}
}

// inner fails where a path of the inside is told to a browser.
func (a *reply) inner(t *testing.T, what string) {
	t.Helper()
	for _, mark := range []string{"/app/", "%2Fapp", "index.php"} {
		if head, _, _ := strings.Cut(a.raw, "\r\n\r\n"); strings.Contains(head, mark) || strings.Contains(a.raw, "stepgate") && strings.Contains(a.body, mark) {
			t.Errorf("%s: %q in %s", what, mark, a.raw)
		}
	}
}

var links = regexp.MustCompile(`(?:href|src|action)="(/\.stepgate/[^"]*)"`)

// TestTheWholeWayBehindARewrite: every path that a browser is given is its
// own, whatever the console is asked for.
func TestTheWholeWayBehindARewrite(t *testing.T) {
	for what, rewrite := range rewrites {
		r := newRig(t, behind)
		r.rewrite = rewrite
		key := r.bind("alice")
		b := r.browser()
		if a := b.get("/private?x=1"); a.Header.Get("Location") != "/login?return=%2Fprivate%3Fx%3D1" {
			t.Errorf("%s: without a session: %d %v", what, a.StatusCode, a.Header)
		}
		if a := b.get("/login?return=x"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, protected) {
			t.Errorf("%s: the login page: %d", what, a.StatusCode)
		}
		if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
			t.Fatalf("%s: the login: %d %v", what, a.StatusCode, a.Header)
		}
		r.console.got()
		r.ownPages(t, what, b)
		if a := b.answer(b.formID(), "code=12"); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: a mistyped code: %d", what, a.StatusCode)
		}
		r.nothingReached(t, what)
		if a := b.answer(b.formID(), "code="+code(t, key, r.clock())); a.Header.Get("Location") != "/home?id=start" || b.user() != "alice" {
			t.Errorf("%s: the code: %d %v", what, a.StatusCode, a.Header)
		}
		r.canceled(t, what)
	}
}

// ownPages looks at the challenge, and follows all its links.
func (r *rig) ownPages(t *testing.T, what string, b *browser) {
	t.Helper()
	page := b.get("/.stepgate/challenge")
	page.inner(t, what)
	followed := 0
	for _, link := range links.FindAllStringSubmatch(page.body, -1) {
		if link[1] == "/.stepgate/cancel" || link[1] == "/.stepgate/challenge" {
			continue
		}
		followed++
		a := b.get(strings.ReplaceAll(link[1], "&amp;", "&"))
		a.inner(t, what+" "+link[1])
		if language := strings.Contains(link[1], "language"); language && a.Header.Get("Location") != "/.stepgate/challenge" || !language && a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: %d %v", what, link[1], a.StatusCode, a.Header)
		}
	}
	if followed < 2 || !strings.Contains(b.get("/.stepgate/challenge").body, `lang="zh`) {
		t.Errorf("%s: %d links, and the language does not change", what, followed)
	}
	if a := b.fetch("/.stepgate/nothing"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.Header.Get("Content-Type"), "html") {
		t.Errorf("%s: %d %v", what, a.StatusCode, a.Header)
	}
}

func (r *rig) canceled(t *testing.T, what string) {
	t.Helper()
	b := r.browser()
	b.password("alice")
	a := b.post("/.stepgate/cancel", "challenge="+url.QueryEscape(b.formID()))
	a.inner(t, what)
	if a.StatusCode != http.StatusOK || b.get("/.stepgate/challenge").StatusCode != http.StatusForbidden {
		t.Errorf("%s: cancel: %d", what, a.StatusCode)
	}
}

// TestHeldPagesBehindARewrite are shown at the browser's address of the login,
// without the credentials.
func TestHeldPagesBehindARewrite(t *testing.T) {
	for what, rewrite := range rewrites {
		for uri, c := range map[string][2]string{"/wiki?id=x": {"POST", "u=alice&p=x"}, "/wiki": {"GET", ""}} {
			r := newRig(t, behind, func(s *gateway.Site) { s.Console.Logins[0].Success = firstfactor.Condition{Status: []int{200}} })
			r.rewrite = rewrite
			key := r.bind("alice")
			r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Set-Cookie", "auth=alice."+secret)
				_, _ = w.Write([]byte("WELCOME"))
			})
			b := r.browser()
			if at := uri; c[0] == "GET" {
				b.get(at + "?u=alice&p=x")
			} else {
				b.post(at, c[1])
			}
			a := b.answer(b.formID(), "code="+code(t, key, r.clock()))
			if a.Header.Get("Location") != uri {
				t.Errorf("%s: %s is shown at %q", what, uri, a.Header.Get("Location"))
			}
			if a := b.get(uri); a.body != "WELCOME" {
				t.Errorf("%s: %s: %d %s", what, uri, a.StatusCode, a.body)
			}
		}
	}
}

// TestOurPathsAreTheBrowsers: what only a rewrite makes one of ours is
// nobody's, and never the console's.
func TestOurPathsAreTheBrowsers(t *testing.T) {
	r := newRig(t)
	r.rewrite = func(u *url.URL) { u.Path = "/.stepgate" + u.Path }
	b := r.browser()
	for _, path := range []string{"/challenge", "/language?to=zh", "/cancel"} {
		if a := b.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	r.nothingReached(t, "a path that is rewritten to ours")
}
