package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestVerifiedAnswersAreNotShareable by caches, whatever the console says.
func TestVerifiedAnswersAreNotShareable(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	for _, said := range []http.Header{
		{}, {"Cache-Control": {"public, max-age=60, s-maxage=90"}}, {"Cache-Control": {"Public", "S-MaxAge=1"}}, {"Surrogate-Control": {"max-age=9"}, "Cdn-Cache-Control": {"max-age=9"}, "Expires": {"Fri, 01 Jan 2100 00:00:00 GMT"}},
		{"X-Litespeed-Cache-Control": {"public,max-age=9"}, "Edge-Control": {"max-age=9"}, "Vercel-Cdn-Cache-Control": {"max-age=9"}, "Netlify-Cdn-Cache-Control": {"max-age=9"}},
	} {
		r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range said {
				w.Header()[name] = values
			}
			_, _ = w.Write([]byte("x"))
		})
		for _, method := range []string{"GET", "HEAD"} {
			a := b.send(method, "/private", "")
			got := strings.ToLower(a.Header.Get("Cache-Control"))
			if !strings.HasPrefix(got, "private") || strings.Contains(got, "public") || strings.Contains(got, "s-maxage") || a.Header.Get("Surrogate-Control") != "" || a.Header.Get("Cdn-Cache-Control") != "" {
				t.Errorf("%v: %v", said, a.Header)
			}
			for name := range said {
				if name != "Cache-Control" && name != "Expires" && a.Header.Get(name) != "" {
					t.Errorf("%s reaches the caches: %v", name, a.Header)
				}
			}
		}
	}
}

func TestOwnPagesAreNeverStoredOrFramed(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.password("alice")
	for _, a := range []*reply{b.get("/.stepgate/challenge"), b.send("HEAD", "/.stepgate/challenge", ""), b.answer("foreign", "code1=1"), b.get("/.stepgate/none"), b.fetch("/private"), b.get("/private")} {
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d: %v", a.StatusCode, a.Header)
		}
		if a.StatusCode != 303 && a.Header.Get("Content-Type") != "application/problem+json" && (a.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")) {
			t.Errorf("%d: %v", a.StatusCode, a.Header)
		}
	}
	if a := b.send("HEAD", "/.stepgate/challenge", ""); a.body != "" || shownKey(a.raw) != "" {
		t.Error("HEAD has a body")
	}
}

// TestNoOpenRedirects: nothing that a client says leads to another host.
func TestNoOpenRedirects(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	for _, uri := range []string{"//evil.test/x", "/%5cevil.test", "/\\evil.test", "http://evil.test/x", "///evil.test", "/.stepgate/../evil", "/%09/evil.test"} {
		a, err := b.try("GET", uri, "", page...)
		if err != nil {
			continue
		}
		if to := a.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/login?return=%2F") || strings.HasPrefix(to, "/login?return=%2F%2F") || strings.HasPrefix(to, "/login?return=%2F%5C")) {
			t.Errorf("%s leads to %s", uri, to)
		}
	}
	for _, referer := range []string{"http://evil.test/x", "//evil.test", "http://wiki.test//evil.test", "http://wiki.test/\\evil.test", "http://wiki.test@evil.test/", "javascript:alert(1)"} {
		r.sleep(30 * time.Second)
		c := r.browser()
		c.send("POST", "/api", "u=alice&p=pw-alice", "Content-Type: application/x-www-form-urlencoded", "Referer: "+referer)
		r.console.answers(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(200) })
		a := c.answer(c.formID(), "code="+code(t, key, r.clock()))
		r.console.answers(nil)
		if to := a.Header.Get("Location"); strings.Contains(to, "evil") {
			t.Errorf("referer %s leads to %s", referer, to)
		}
	}
}

// TestConsolesRedirects: to another origin over a page of ours, and only by
// http and https; a relative one means what it meant at the login's address.
func TestConsolesRedirects(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	for location, want := range map[string]string{
		"/home?x=1#y": "303 /home?x=1#y", "start.php": "303 /dir/start.php", "?id=1": "303 /dir/login?id=1", "../x": "303 /x",
		"http://wiki.test/abs": "303 http://wiki.test/abs", "https://other.test/x": "200 0; url=https://other.test/x", "//other.test/x": "502 ",
		"javascript:alert(1)": "502 ", "javascript:///%0aalert(1)": "502 ", "data:text/html,x": "502 ", "https:///other.test": "502 ", "ftp://x/": "502 ", "/\\other.test": "303 /%5Cother.test",
	} {
		r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			w.Header().Set("Location", location)
			w.WriteHeader(302)
		})
		r.sleep(30 * time.Second)
		b := r.browser()
		b.post("/dir/login", "u=alice&p=x")
		a := b.answer(b.formID(), "code="+code(t, key, r.clock()))
		if got := a.Status[:4] + a.Header.Get("Location") + a.Header.Get("Refresh"); got != want {
			t.Errorf("%s: %s, want %s", location, got, want)
		}
	}
}

// TestStreamsAndUpgradesPass inside a session, and on public paths.
func TestStreamsAndUpgradesPass(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("hello"))
		_ = conn.Close()
	})
	for _, uri := range []string{"/private", "/public/x"} {
		if a := b.fetch(uri, "Upgrade: echo", "Connection: Upgrade"); a.StatusCode != 101 || !strings.HasSuffix(a.raw, "hello") {
			t.Errorf("%s: %d %q", uri, a.StatusCode, a.raw)
		}
	}
	if a := r.browser().fetch("/private", "Upgrade: echo", "Connection: Upgrade, close"); a.StatusCode != 401 {
		t.Errorf("without a session: %d", a.StatusCode)
	}
	flushed := make(chan struct{})
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("data: 1\n\n"))
		check(t, http.NewResponseController(w).Flush())
		<-flushed
	})
	conn := dial(t, r)
	_, err := conn.Write([]byte(b.request("GET", "/private", "", nil)))
	check(t, err)
	var got [4096]byte
	for n := 0; !strings.Contains(string(got[:n]), "data: 1"); {
		m, err := conn.Read(got[n:])
		check(t, err)
		n += m
	}
	close(flushed)
	check(t, conn.Close())
}

func TestPlainHTTPIsTold(t *testing.T) {
	r := newRig(t)
	r.plain.Store(true)
	b := r.browser()
	for _, a := range []*reply{b.get("/private"), b.password("alice"), b.get("/.stepgate/challenge")} {
		if a.StatusCode != 403 || !strings.Contains(a.body, "https://wiki.test/") {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
	r.nothingReached(t, "plain HTTP")
}

// TestAnswersByKind: a script gets problem details that lead on.
func TestAnswersByKind(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.password("alice")
	for _, h := range [][]string{nil, {"X-Requested-With: XMLHttpRequest", "Accept: text/html"}, {"Sec-Fetch-Mode: cors", "Accept: text/html"}, {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, {"Accept: text/event-stream"}, {"Upgrade: websocket", "Connection: Upgrade, close"}, {"Content-Type: application/grpc"}} {
		a := b.fetch("/private", h...)
		if a.StatusCode != 401 || a.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="insufficient_user_authentication"`) || !strings.Contains(a.body, `"challenge_url":"/.stepgate/challenge"`) {
			t.Errorf("%v: %d %v %s", h, a.StatusCode, a.Header, a.body)
		}
	}
}
