package gateway_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

const (
	urlencoded = "Content-Type: application/x-www-form-urlencoded"
	multipart  = "Content-Type: multipart/form-data; boundary=b"
)

// doku takes its credentials in any request, as DokuWiki does; only one kind
// of request is its login.
func doku(s *gateway.Site) {
	l := &s.Console.Logins[0]
	l.Match = match.Match{Methods: []string{"POST"}, Paths: []string{"/doku.php"}}
	l.Username, l.Fields = firstfactor.Field{Form: "u", Anywhere: true}, map[string]string{"do": "login"}
}

// dokuUser is a browser in which a person passed.
func (r *rig) dokuUser(name string) *browser {
	r.t.Helper()
	b := r.browser()
	b.login = r.bind(name)
	if a := b.post("/doku.php", "do=login&u="+name+"&p=pw-"+name); a.StatusCode != http.StatusSeeOther {
		r.t.Fatalf("login: %d %s", a.StatusCode, a.body)
	}
	b.answer(b.formID(), "code="+code(r.t, b.login, r.clock()))
	if got := b.user(); got != name {
		r.t.Fatalf("%s signs in as %q", name, got)
	}
	r.console.got()
	b.wire.Reset()
	return b
}

// part is one part of a multipart form.
func part(disposition, value string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
}

var partsOfAlice = part(`name="u"`, "alice") + part(`name="p"`, "pw-alice") + "--b--\r\n"

// elsewhere are requests that a console of this kind would do as alice.
var elsewhere = map[string][]string{
	"a query of a POST":           {"POST", "/api?u=alice&p=pw-alice", ""},
	"a query":                     {"GET", "/private?u=alice&p=pw-alice", ""},
	"a query of a page":           append([]string{"GET", "/private?u=alice&p=pw-alice", ""}, page...),
	"a public query":              {"GET", "/public/x?u=alice&p=pw-alice", ""},
	"the login page":              {"GET", "/login?u=alice&p=pw-alice", ""},
	"the login by GET":            {"GET", "/doku.php?do=login&u=alice&p=pw-alice", ""},
	"after a semicolon":           {"GET", "/public/x?a;u=alice&p=pw-alice", ""},
	"an escaped name":             {"GET", "/public/x?%75=alice&p=pw-alice", ""},
	"a HEAD":                      {"HEAD", "/public/x?u=alice&p=pw-alice", ""},
	"a DELETE":                    {"DELETE", "/api?u=alice&p=pw-alice", ""},
	"a form":                      {"POST", "/api", "x=1&u=alice&p=pw-alice", urlencoded},
	"a public form":               {"POST", "/hook", "x=1&u=alice&p=pw-alice", urlencoded},
	"a public multipart form":     {"POST", "/hook", partsOfAlice, multipart},
	"a body of a GET":             {"GET", "/api", "u=alice&p=pw-alice", urlencoded},
	"no action":                   {"POST", "/doku.php", "u=alice&p=pw-alice", urlencoded},
	"another action":              {"POST", "/doku.php", "do=save&u=alice&p=pw-alice", urlencoded},
	"two actions":                 {"POST", "/doku.php?do=login", "do=save&u=alice&p=pw-alice", urlencoded},
	"two actions, the other way":  {"POST", "/doku.php?do=save", "do=login&u=alice&p=pw-alice", urlencoded},
	"a doubled action":            {"POST", "/doku.php", "do=login&do=save&u=alice&p=pw-alice", urlencoded},
	"an action as an array":       {"POST", "/doku.php", "do[save]=1&u=alice&p=pw-alice", urlencoded},
	"both kinds of action":        {"POST", "/doku.php", "do=login&do[save]=1&u=alice&p=pw-alice", urlencoded},
	"a folded name":               {"POST", "/doku.php", "do=login&+u=alice&p=pw-alice", urlencoded},
	"a folded name elsewhere":     {"POST", "/hook", "+u=alice&p=pw-alice", urlencoded},
	"dots":                        {"POST", "/x/../doku.php", "do=login&u=alice&p=pw-alice", urlencoded},
	"escaped dots":                {"POST", "/api/..%2fdoku.php", "do=login&u=alice&p=pw-alice", urlencoded},
	"dots after the login":        {"POST", "/doku.php/../api", "do=login&u=alice&p=pw-alice", urlencoded},
	"a doubled slash":             {"POST", "//doku.php", "do=login&u=alice&p=pw-alice", urlencoded},
	"a parameter":                 {"POST", "/doku.php;x=1", "do=login&u=alice&p=pw-alice", urlencoded},
	"capitals":                    {"POST", "/DOKU.php", "do=login&u=alice&p=pw-alice", urlencoded},
	"an escape":                   {"POST", "/doku%2ephp%2f..%2fapi", "do=login&u=alice&p=pw-alice", urlencoded},
	"a path behind":               {"POST", "/doku.php/lib/exe/ajax.php", "do=login&u=alice&p=pw-alice", urlencoded},
	"an overridden method":        {"POST", "/doku.php", "do=login&u=alice&p=pw-alice", urlencoded, "X-HTTP-Method-Override: DELETE"},
	"overridden by a field":       {"POST", "/doku.php?_method=PUT", "do=login&u=alice&p=pw-alice", urlencoded},
	"compressed":                  {"POST", "/hook", "u=alice&p=pw-alice", urlencoded, "Content-Encoding: gzip"},
	"two content types":           {"POST", "/hook", "u=alice&p=pw-alice", "Content-Type: text/plain", urlencoded},
	"two boundaries":              {"POST", "/hook", partsOfAlice + "--c\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--c--\r\n", "Content-Type: multipart/form-data; xboundary=b; boundary=c"},
	"a boundary's other name":     {"POST", "/hook", partsOfAlice, "Content-Type: multipart/form-data; xboundary=b"},
	"an encoded boundary":         {"POST", "/hook", partsOfAlice, "Content-Type: multipart/form-data; boundary*=UTF-8''c; xboundary=b"},
	"parts before the first":      {"POST", "/hook", "--b \tx\r\n" + strings.Replace(partsOfAlice, "\r\n", "\n", 1) + part(`name="x"`, "1") + "--b--\r\n", multipart},
	"a part inside of a part":     {"POST", "/hook", part(`name="x"`, strings.ReplaceAll(partsOfAlice, "\r\n", "\n")) + "--b--\r\n", multipart},
	"parts after the last":        {"POST", "/hook", part(`name="x"`, "1") + "--b--\r\n" + partsOfAlice, multipart},
	"two spellings of a name":     {"POST", "/hook", part(`name="u"; name*=UTF-8''x`, "alice") + part(`name="p"`, "pw-alice") + "--b--\r\n", multipart},
	"a name in another's quotes":  {"POST", "/hook", part(`name="x\"; name="u"`, "alice") + part(`name="p"`, "pw-alice") + "--b--\r\n", multipart},
	"a disposition that is twice": {"POST", "/hook", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\nalice\r\n--b--\r\n", multipart},
}

// refusedElsewhere sends a request that must have no effect at all.
func (b *browser) refusedElsewhere(what string, q []string) {
	b.t.Helper()
	b.wire.Reset()
	a := b.send(q[0], q[1], q[2], q[3:]...)
	if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusForbidden {
		b.t.Errorf("%s: %d", what, a.StatusCode)
	}
	b.nothingReached(b.t.(*testing.T), what)
	b.clean(what)
}

func TestCredentialsElsewhereDoNothing(t *testing.T) {
	r := newRig(t, doku)
	r.bind("alice")
	bob := r.dokuUser("bob")
	for what, q := range elsewhere {
		r.browser().refusedElsewhere("a stranger, "+what, q)
		bob.refusedElsewhere("bob, "+what, q)
	}
	for what, size := range map[string]int{"small": 10, "70 KB": 70_000, "1 MB": 1 << 20} {
		fill := strings.Repeat("x", size)
		bob.refusedElsewhere(what, []string{"POST", "/api", "x=" + fill + "&u=alice&p=pw-alice", urlencoded})
		bob.refusedElsewhere(what+" login", []string{"POST", "/doku.php", "x=" + fill + "&do=save&u=alice&p=pw-alice", urlencoded})
		bob.refusedElsewhere(what+" in parts", []string{"POST", "/api", part(`name="f"; filename="f"`, fill) + partsOfAlice, multipart})
	}
	bob.refusedElsewhere("a large login", []string{"POST", "/doku.php", "x=" + strings.Repeat("x", 70_000) + "&do=login&u=alice&p=pw-alice", urlencoded})
	if got := bob.user(); got != "bob" {
		t.Errorf("bob's session is %q's", got)
	}
	if n := r.count(audit.SessionEnded); n > 0 {
		t.Errorf("%d sessions ended", n)
	}
}

// TestUploadsPassByteForByte where credentials are searched for.
func TestUploadsPassByteForByte(t *testing.T) {
	r := newRig(t, doku)
	bob := r.dokuUser("bob")
	file := make([]byte, 1<<20)
	_, _ = rand.Read(file)
	file = bytes.ReplaceAll(file, []byte("--b"), []byte("--c")) // the delimiter; a browser's is longer than chance
	for what, q := range map[string][]string{
		"parts":        {"POST", "/api", part(`name="x"; filename="a b.png"`, string(file)) + part(`name="U"`, "1") + "--b--\r\n", multipart},
		"a form":       {"POST", "/api?id=1", "x=" + strings.Repeat("y", 1<<20), urlencoded},
		"a file":       {"PUT", "/api", string(file), "Content-Type: image/png"},
		"no type":      {"POST", "/api", string(file)},
		"a charset":    {"POST", "/api", part(`name="x"`, "1") + "--b--\r\n", "Content-Type: multipart/form-data; charset=utf-8; boundary=\"b\""},
		"a bare name":  {"POST", "/api", part(`name=x; filename=y; filename*=utf-8''y`, "1") + "--b--\r\n", multipart},
		"parts, typed": {"POST", "/api", "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n", multipart},
	} {
		if a := bob.send(q[0], q[1], q[2], q[3:]...); a.StatusCode != http.StatusOK || len(r.console.bodies) != 1 || r.console.bodies[0] != q[2] {
			t.Errorf("%s: %d, %d requests", what, a.StatusCode, len(r.console.bodies))
		}
		r.console.got()
	}
}

// TestCrossSiteLoginsAreRefused before they end anything.
func TestCrossSiteLoginsAreRefused(t *testing.T) {
	r := newRig(t)
	alice := r.verified("alice")
	r.console.got()
	for what, send := range map[string]func(b *browser, site string) *reply{
		"a link": func(b *browser, site string) *reply { return b.get("/private?u=mallory&p=pw-mallory", site) },
		"a form": func(b *browser, site string) *reply { return b.post("/login", "u=mallory&p=pw-mallory", site) },
	} {
		if a := send(alice, "Sec-Fetch-Site: cross-site"); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
		r.nothingReached(t, what)
		if got := alice.user(); got != "alice" {
			t.Errorf("%s: alice's session is %q's", what, got)
		}
		for _, site := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: none", "X-Nothing: 1"} {
			if a := send(r.browser(), site); a.Header.Get("Location") != "/.stepgate/challenge" {
				t.Errorf("%s, %s: %d", what, site, a.StatusCode)
			}
		}
		r.console.got()
	}
	d := newRig(t, doku)
	bob := d.dokuUser("bob")
	bob.refusedElsewhere("a link elsewhere", append([]string{"GET", "/private?u=x", "", "Sec-Fetch-Site: cross-site"}, page...))
	if got := bob.user(); got != "bob" {
		t.Errorf("bob's session is %q's", got)
	}
}

// TestRefuse: nobody gets there but by a bypass, in whatever spelling.
func TestRefuse(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Refuse = match.Matches{{Paths: []string{"/xmlrpc.php*"}}}
		s.Console.Refuse = match.Matches{{Paths: []string{"/rpc/*"}}}
		s.Public = match.Matches{{Paths: []string{"*"}}}
		s.Bypass = []gateway.Bypass{{Name: "ci", Match: match.Match{Paths: []string{"/rpc/ci"}}}}
	})
	alice := r.verified("alice")
	r.console.got()
	for _, path := range []string{"/xmlrpc.php", "/XMLRPC.PHP", "/xmlrpc.php/x", "/xmlrpc.php?x=1", "//xmlrpc.php", "/x/../xmlrpc.php", "/x/..%2fxmlrpc.php",
		"/%78mlrpc.php", "/%2578mlrpc.php", "/x;/../xmlrpc.php", "/xmlrpc.php;x", "/rpc/x", "/Rpc/x", "/./rpc/x", "/rpc/../rpc/x", "/rpc/ci/../x", "/rpc%2fx", `/\rpc/x`} {
		for who, b := range map[string]*browser{"a stranger": r.browser(), "alice": alice} {
			for _, method := range []string{"GET", "POST", "PROPFIND"} {
				if a := b.send(method, path, ""); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s: %s %s: %d", who, method, path, a.StatusCode)
				}
				r.nothingReached(t, path)
			}
			if a := b.post(path, "u=alice&p=pw-alice"); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: a login at %s: %d", who, path, a.StatusCode)
			}
			r.nothingReached(t, path)
		}
	}
	if a := r.browser().fetch("/rpc/ci"); a.StatusCode != 200 || len(r.console.got()) != 1 {
		t.Errorf("the bypass: %d", a.StatusCode)
	}
	if got := alice.user(); got != "alice" {
		t.Errorf("alice's session is %q's", got)
	}
}
