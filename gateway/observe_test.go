package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

func observed(s *gateway.Site) {
	doku(s)
	s.Observe = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	s.Refuse = match.Matches{{Paths: []string{"/rpc"}}}
}

// TestObservedRequestsPassAsTheyCame, whatever would be made of them later.
func TestObservedRequestsPassAsTheyCame(t *testing.T) {
	r := newRig(t, observed)
	b := r.browser()
	own := "__Host-stepgate-wiki=x"
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "auth=alice.plain; Path=/")
		w.Header().Add("Set-Cookie", "theme=dark")
		_, _ = w.Write([]byte("fine"))
	})
	for what, q := range map[string][]string{
		"a page":         append([]string{"GET", "/private", ""}, page...),
		"a login":        {"POST", "/doku.php", "do=login&u=alice&p=pw-alice", urlencoded},
		"a foreign one":  {"POST", "/doku.php", "do=login&u=alice&p=pw-alice", urlencoded, "Sec-Fetch-Site: cross-site"},
		"a doubled one":  {"POST", "/doku.php", "do=login&u=alice&u=bob", urlencoded},
		"elsewhere":      {"POST", "/api?u=alice", "u=alice", urlencoded},
		"a large form":   {"POST", "/api", "u=" + strings.Repeat("x", 100_000), urlencoded},
		"refused":        {"POST", "/rpc", "x"},
		"control bytes":  {"GET", "/private%00%0a", ""},
		"a method":       {"TRACE", "/private", ""},
		"a header":       {"GET", "/private", "", "Connection: close, Remote-User"},
		"a session":      {"GET", "/private", "", "X-Api-Token: t"},
		"a broken query": {"GET", "/private?u=%zz;u=1", ""},
	} {
		a := b.send(q[0], q[1], q[2], append(q[3:], "Cookie: "+own+"; auth=alice.plain; lang=de")...)
		b.jar = map[string]string{}
		if a.StatusCode != http.StatusOK || a.body != "fine" || !slices.Equal(a.Header["Set-Cookie"], []string{"auth=alice.plain; Path=/", "theme=dark"}) {
			t.Errorf("%s: %d %v", what, a.StatusCode, a.Header)
		}
		if len(r.console.bodies) != 1 || r.console.bodies[0] != q[2] || r.console.seen[0].Header.Get("Cookie") != "auth=alice.plain; lang=de" {
			t.Errorf("%s: the console got %.100q, %v", what, r.console.bodies, r.console.seen)
		}
		r.console.got()
	}
	if n := len(r.trail()); n > 0 {
		t.Errorf("%d records", n)
	}
}

// TestObservedAnswersStream, whatever their size: nothing is held.
func TestObservedAnswersStream(t *testing.T) {
	r := newRig(t, observed, func(s *gateway.Site) { s.Console.Subject = &firstfactor.Subject{Cookie: "auth"} })
	const size = 3 << 20
	first := make(chan struct{})
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice.plain")
		_, _ = w.Write([]byte("begin"))
		check(t, http.NewResponseController(w).Flush())
		<-first
		for range 3 * 1024 {
			_, _ = w.Write([]byte(strings.Repeat("x", 1024)))
		}
	})
	for _, uri := range []string{"/doku.php", "/private"} {
		b := r.browser()
		conn := dial(t, r)
		form := url.Values{"do": {"login"}, "u": {"alice"}, "p": {"x"}}.Encode()
		_, err := conn.Write([]byte(b.request("POST", uri, form, []string{urlencoded})))
		check(t, err)
		var got [4096]byte
		for n := 0; !strings.Contains(string(got[:n]), "begin"); {
			m, err := conn.Read(got[n:])
			check(t, err)
			n += m
		}
		first <- struct{}{}
		rest := make([]byte, 64<<10)
		total := 0
		for {
			n, err := conn.Read(rest)
			total += n
			if err != nil {
				break
			}
		}
		check(t, conn.Close())
		if total < size {
			t.Errorf("%s: %d bytes", uri, total)
		}
	}
}
