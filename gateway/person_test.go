package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

// sidConsole keeps its sessions to itself, and the same session id when
// somebody signs in. It finds a name in any body.
type sidConsole struct {
	mu    sync.Mutex
	users map[string]string
}

func (c *sidConsole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sid := ""
	if ck, err := r.Cookie("sid"); err == nil {
		sid = ck.Value
	}
	switch who := typedIn(r); {
	case r.URL.Path == "/whoami":
		_, _ = io.WriteString(w, c.users[sid])
	case r.URL.Path == "/logout":
		delete(c.users, sid)
		w.Header().Add("Set-Cookie", fmt.Sprintf("sid=%s-nobody-%d; Path=/", secret, len(c.users)))
		_, _ = io.WriteString(w, "goodbye")
	case r.Method == "POST" && strings.EqualFold(r.URL.Path, "/login") && who != "":
		if _, known := c.users[sid]; !known {
			sid = fmt.Sprintf("%s-%d", secret, len(c.users))
			w.Header().Add("Set-Cookie", "sid="+sid+"; Path=/")
		}
		c.users[sid] = who
		http.Redirect(w, r, "/", http.StatusFound)
	default:
		_, _ = fmt.Fprintf(w, "%s for %q", protected, c.users[sid])
	}
}

// typedIn is the name in a request, wherever and however it stands.
func typedIn(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		body, _ = io.ReadAll(z)
	}
	for _, name := range []string{"alice", "bob"} {
		if strings.Contains(string(body)+r.URL.RawQuery, name) {
			return name
		}
	}
	return ""
}

func sidSite(s *gateway.Site) {
	s.Console.Logins = []firstfactor.Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/login"}}, Username: firstfactor.Field{Form: "who"},
		Success: firstfactor.Condition{SetCookies: []string{"sid"}}, Failure: firstfactor.Condition{Status: []int{403}}}}
	s.Console.Subject = &firstfactor.Subject{Probe: "/whoami"}
	s.Console.SessionCookies = []string{"sid"}
}

func zipped(s string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return out.String()
}

// signInBySid goes the whole way; alice's authenticator is bound already.
func (r *rig) signInBySid(key string) *browser {
	r.t.Helper()
	b := r.browser()
	r.sleep(30 * time.Second)
	b.post("/login", "who=alice&pw=x")
	b.answer(b.formID(), "code="+code(r.t, key, r.clock()))
	if a := b.get("/private"); !strings.Contains(a.body, `"alice"`) {
		r.t.Fatalf("alice signs in: %d %s", a.StatusCode, a.body)
	}
	return b
}

// TestPoint6CredentialsNeverMeetAnothersSession: a console that keeps its
// session id at a login would make bob of alice's verified session.
func TestPoint6CredentialsNeverMeetAnothersSession(t *testing.T) {
	r := newRig(t, sidSite)
	r.console.answers((&sidConsole{users: map[string]string{}}).ServeHTTP)
	key := r.bind("alice")
	b := r.signInBySid(key)
	const bob = "who=bob&pw=x"
	for what, q := range map[string][]string{
		"a form":          {"/login", bob, urlencoded},
		"parts":           {"/login", part(`name="who"`, "bob") + part(`name="pw"`, "x") + "--b--\r\n", multipart},
		"70 KB":           {"/login", "x=" + strings.Repeat("y", 70_000) + "&" + bob, urlencoded},
		"17 MB":           {"/login", "x=" + strings.Repeat("y", 17<<20) + "&" + bob, urlencoded},
		"text":            {"/login", bob, "Content-Type: text/plain"},
		"no type":         {"/login", bob},
		"latin1":          {"/login", bob, urlencoded + "; charset=iso-8859-1"},
		"gzip":            {"/login", zipped(bob), urlencoded, "Content-Encoding: gzip"},
		"gzip, text":      {"/login", zipped(bob), "Content-Type: text/plain", "Content-Encoding: gzip"},
		"JSON":            {"/login", `{"who":"bob"}`, "Content-Type: application/json"},
		"XML":             {"/login", `<who>bob</who>`, "Content-Type: text/xml"},
		"two types":       {"/login", bob, "Content-Type: text/plain", urlencoded},
		"a query":         {"/login?" + bob, ""},
		"dots":            {"/x/../login", bob, urlencoded},
		"capitals":        {"/LOGIN", bob, urlencoded},
		"a parameter":     {"/login;x", bob, urlencoded},
		"a doubled slash": {"//login", bob, urlencoded},
		"chunks":          {"/login", "c\r\n" + bob + "\r\n0\r\n\r\n", urlencoded, "Transfer-Encoding: chunked"},
		"another method":  {"/login", bob, urlencoded, "X-HTTP-Method-Override: PUT"},
	} {
		alice := b.copy()
		r.console.got()
		_, _ = alice.try("POST", q[0], q[1], q[2:]...) // what is too large is not read to its end
		for _, seen := range r.console.got() {
			if strings.Contains(seen.Header.Get("Cookie"), secret) && seen.URL.Path != "/whoami" {
				t.Errorf("%s: bob's credentials reach alice's session: %s %q", what, seen.RequestURI, seen.Header["Cookie"])
			}
		}
		if a := b.get("/private"); strings.Contains(a.body, "bob") {
			t.Errorf("%s: alice's browser is bob", what)
		} else if !strings.Contains(a.body, `"alice"`) {
			b = r.signInBySid(key)
		}
	}
}

// TestPoint8ALogoutThatHandsOutANewSession, of nobody, ends the session once,
// and the console's page is shown.
func TestPoint8ALogoutThatHandsOutANewSession(t *testing.T) {
	r := newRig(t, sidSite)
	r.console.answers((&sidConsole{users: map[string]string{}}).ServeHTTP)
	b := r.signInBySid(r.bind("alice"))
	thief := b.copy()
	a := b.get("/logout")
	if a.StatusCode != http.StatusOK || a.body != "goodbye" || strings.Contains(a.raw, secret) || strings.Contains(a.raw, "sid=") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	for _, who := range []*browser{b, thief} {
		if a := who.get("/private"); strings.Contains(a.body, protected) {
			t.Errorf("after the logout: %s", a.body)
		}
	}
	if n := r.count(audit.SessionEnded); n != 1 || r.count(audit.PersonChanged) > 0 {
		t.Errorf("the trail is %v", r.events())
	}
}
