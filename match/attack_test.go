package match

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// request reads a request as it stands in a request line.
func request(t testing.TB, method, uri string, headers ...string) *Request {
	t.Helper()
	q, err := Read(raw(t, method, uri, headers...), nil)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	return q
}

func raw(t testing.TB, method, uri string, headers ...string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	r := &http.Request{Method: method, URL: u, RequestURI: uri, Header: http.Header{}, ProtoMajor: 1}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

// TestRule2EveryReadingOpens: what some console reads as /admin is not public,
// although another reading is.
func TestRule2EveryReadingOpens(t *testing.T) {
	public := Match{Paths: []string{"/assets/*", "/open"}}
	protect := Match{Paths: []string{"/admin*"}}
	for _, uri := range []string{
		"/assets/../admin", "/assets/%2e%2e/admin", "/assets/%2E%2E/admin", "/assets/.%2e/admin",
		"/assets/%252e%252e/admin", "/assets/..%2fadmin", "/assets/..%252fadmin", "/assets/%2e%2e%2fadmin",
		"/assets/..;/admin", "/assets/..;a=b/admin", "/assets/..%3b/admin", "/assets/..%253b/admin", "/assets/x;/../../admin",
		"/assets/%5c../..%5cadmin", "/assets/..%5cadmin", "/assets/..%255cadmin", "/assets//../admin", "/assets/./../admin",
		"/assets/x/..//..//admin", "/assets/%25zz/%252e%252e/%252e%252e/admin", "/assets/%25/..%252f../admin",
	} {
		q := request(t, "GET", uri)
		if public.All(q) {
			t.Errorf("%s is public, paths %q", uri, q.paths)
		}
		if !protect.Any(q) {
			t.Errorf("%s is not protected, paths %q", uri, q.paths)
		}
	}
}

func TestRule2AnyReadingCloses(t *testing.T) {
	protect := Match{Paths: []string{"/admin*"}}
	for _, uri := range []string{
		"/admin", "/Admin", "/ADMIN/x", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/%2561dmin", "/;x/admin",
		"/admin;x", "/%2fadmin", "/%5cadmin", "/.%2fadmin", "/a/b/../../admin", "/%25zz/../%2561dmin", "///admin", "/x%2f..%2fadmin",
	} {
		if q := request(t, "GET", uri); !protect.Any(q) {
			t.Errorf("%s is not protected, paths %q", uri, q.paths)
		}
	}
}

func TestRule2ReceivedAndRewritten(t *testing.T) {
	r := raw(t, "GET", "/open")
	for _, received := range []string{"/admin", "/%61dmin", "/open?x=1&do=admin"} {
		u, err := url.ParseRequestURI(received)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Read(r, u)
		if err != nil {
			t.Fatal(err)
		}
		open := Match{Paths: []string{"/open"}, Query: map[string]string{"do": "login"}}
		if open.All(q) {
			t.Errorf("received as %s, rewritten to /open, it is public", received)
		}
	}
	u, _ := url.ParseRequestURI("/admin")
	q, _ := Read(r, u)
	if (Match{Paths: []string{"/open"}}).All(q) || !(Match{Paths: []string{"/admin"}}).Any(q) {
		t.Error("a rewrite opens what was received closed")
	}
}

func TestRule2ControlBytesCannotBeARequest(t *testing.T) {
	for _, uri := range []string{"/a%00b", "/a%0d%0ab", "/a%1fb", "/a%7fb", "/a%2500b", "/%250a", "/%25zz%2500"} {
		if _, err := Read(raw(t, "GET", uri), nil); err == nil {
			t.Errorf("%s is read", uri)
		}
		u, _ := url.ParseRequestURI(uri)
		if _, err := Read(raw(t, "GET", "/fine"), u); err == nil {
			t.Errorf("%s is read as the received address", uri)
		}
	}
}

// TestRule2Methods: an override counts, in whatever spelling a console that
// gets its headers by CGI folds into it.
func TestRule2Methods(t *testing.T) {
	public := Match{Paths: []string{"*"}}
	get := Match{Methods: []string{"GET"}, Paths: []string{"*"}}
	deletes := Match{Methods: []string{"DELETE"}, Paths: []string{"*"}}
	for _, q := range []*Request{
		request(t, "DELETE", "/"),
		request(t, "GET", "/", "X-Http-Method-Override", "DELETE"),
		request(t, "GET", "/", "X-Http-Method-Override", "GET", "X-Http-Method-Override", "delete "),
		request(t, "GET", "/", "X-Http-Method", "DELETE"),
		request(t, "GET", "/", "X-Method-Override", "DELETE"),
		request(t, "GET", "/", "X_http_method_override", "DELETE"),
		request(t, "GET", "/", "X-Http_method.override", "DELETE"),
		request(t, "GET", "/?_method=DELETE"),
		request(t, "GET", "/?a=1&_method=delete"),
		request(t, "GET", "/?%5fmethod=DELETE"),
		request(t, "GET", "/?_metho%64=DELETE"),
		request(t, "GET", "/?a;_method=DELETE"),
		request(t, "GET", "/?_method=GET&_method=DELETE"),
		request(t, "GET", "/?.method=DELETE"),
	} {
		if q.Safe() || public.All(q) || get.All(q) {
			t.Errorf("%s %s %v reads as GET", q.Method, q.RequestURI, q.Header)
		}
		if !deletes.Any(q) {
			t.Errorf("%s %s %v does not read as DELETE", q.Method, q.RequestURI, q.Header)
		}
	}
	received, _ := url.ParseRequestURI("/?_method=DELETE")
	if q, err := Read(raw(t, "GET", "/"), received); err != nil || q.Safe() {
		t.Errorf("an override in the query as received does not count: %v", err)
	}
}

// TestRule2Queries: a query that some console reads in another way than the
// rule means opens nothing.
func TestRule2Queries(t *testing.T) {
	login := Match{Methods: []string{"GET"}, Paths: []string{"/doku.php"}, Query: map[string]string{"do": "login"}}
	if !login.All(request(t, "GET", "/doku.php?id=start&do=login")) {
		t.Fatal("the plain spelling is not public")
	}
	for _, query := range []string{
		"do=login&do=show", "do=show&do=login", "do=login&do[]=show", "do=login&do[x]=show", "do=login&%64o=show",
		"do=login&do%00x=show", "do=login&do%00%zz=show", "do=login&+do=show", "do=login&%20do=show",
		"do=login;x", "do=login;do=show", "do=login;x=1", "do=login&do=%zzshow",
		"do=logi%6e%zz", "Do=login", "do=login&do%a0=show", "do=%00login", "do", "do=",
	} {
		if q := request(t, "GET", "/doku.php?"+query); login.All(q) {
			t.Errorf("?%s is public", query)
		}
	}
	for _, query := range []string{"do=login", "x&do=login", "x;do=login", "do=show&do=login", "%64o=login", "do%00=login", "do%00%zz=login"} {
		if q := request(t, "POST", "/doku.php?"+query); !(Match{Paths: []string{"*"}, Query: login.Query}).Any(q) {
			t.Errorf("?%s does not count where any reading does", query)
		}
	}
}

func TestUnderOwnsEverySpelling(t *testing.T) {
	for _, uri := range []string{
		"/.stepgate", "/.stepgate/", "/.stepgate/challenge", "/.STEPGATE/challenge", "//.stepgate/x", "/%2estepgate/x",
		"/.step%67ate/x", "/%252estepgate/x", "/a/../.stepgate/x", "/.stepgate;x/challenge", "/.stepgate%2fchallenge",
		"/x/..%2f.stepgate/challenge", "/.%5c.stepgate/x", "/.stepgate//", "/;/.stepgate/", "/.stepgate%5cx",
	} {
		if !request(t, "GET", uri).Under("/.stepgate") {
			t.Errorf("%s is not ours", uri)
		}
	}
	for _, uri := range []string{"/.stepgatex", "/x/.stepgate", "/stepgate", "/"} {
		if request(t, "GET", uri).Under("/.stepgate") {
			t.Errorf("%s is ours", uri)
		}
	}
}

func TestForeignMatchersAreAskedAboutEveryReading(t *testing.T) {
	open := Match{Func: func(r *http.Request) (bool, error) { return r.URL.Path == "/a" && r.Method == "GET", nil }}
	if !open.All(request(t, "GET", "/a")) {
		t.Error("the one reading does not match")
	}
	if open.All(request(t, "GET", "/a", "X-Http-Method-Override", "PUT")) || open.All(request(t, "GET", "/b/%2e%2e/a")) {
		t.Error("one reading suffices to open")
	}
	failing := Match{Func: func(*http.Request) (bool, error) { return true, http.ErrAbortHandler }}
	if failing.All(request(t, "GET", "/a")) || !failing.Any(request(t, "GET", "/a")) {
		t.Error("a matcher that fails opens, or does not close")
	}
}

// names are spellings that some console reads as session_id: PHP's, and those
// of readers that trim what they take for blanks (Django, Express).
var names = []string{
	"session.id", "session id", " session_id", "session[id", "session%5fid", "session%2Eid", "%73ession_id",
	"session_id\x00x", "session_id%00x", "session_id%00%zz", "\xa0session_id", "session_id\xa0", "\x85session_id",
	"\u00a0session_id", "session_id\u2003", "\ufeffsession_id", "session_id[]", "session_id[x]", "session_id\t", "session_id\v", "\fsession_id",
	"\x1csession_id", "session_id\x1f",
}

func TestFoldName(t *testing.T) {
	for _, name := range names {
		if got := FoldName(name); got != "session_id" {
			t.Errorf("%q folds to %q", name, got)
		}
	}
	for _, name := range []string{"session", "session_id2", "xsession_id", "session-id"} {
		if got := FoldName(name); got != name {
			t.Errorf("%q folds to %q", name, got)
		}
	}
}

func FuzzPublicNeverOpensWhatSomeReadingProtects(f *testing.F) {
	for _, seed := range []string{"/assets/%2e%2e/admin", "/assets/..;/admin", "/assets/%25zz/..%252fadmin", "/assets/a?_method=PUT", "/%5cassets//x"} {
		f.Add(seed)
	}
	public := Match{Paths: []string{"/assets/*"}}
	closed := Match{Methods: nil, Paths: []string{"/assets/*"}}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: uri, Header: http.Header{}}
		q, err := Read(r, nil)
		if err != nil || !public.All(q) {
			return
		}
		if !closed.Any(q) {
			t.Errorf("%q: every reading matches, and none", uri)
		}
		for _, p := range consoles(u) {
			if !strings.HasPrefix(p, "/assets/") {
				t.Errorf("%q is public, and some console reads %q", uri, p)
			}
		}
	})
}

// consoles are the paths that consoles may make of an address: written apart
// from Read, step by step as they would do it.
func consoles(u *url.URL) (paths []string) {
	one := u.Path
	two := leniently(one)
	for _, p := range []string{u.EscapedPath(), one, two} {
		for _, p := range []string{p, strings.ReplaceAll(p, `\`, "/")} {
			paths = append(paths, dotless(p), dotless(cutParameters(p)))
		}
	}
	return paths
}

func leniently(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i] == '%' {
			if b, err := url.PathUnescape(s[i : i+3]); err == nil {
				out.WriteString(b)
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func dotless(p string) string {
	var kept []string
	for _, s := range strings.Split(p, "/") {
		switch {
		case s == "" || s == ".":
		case s == "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
		}
	}
	clean := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..") {
		clean = strings.TrimSuffix(clean, "/") + "/"
	}
	return clean
}

func cutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}
