package presetcheck_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/presetcheck"
)

const (
	password = "the right one 4711"
	secret   = "session-9f2c61e07b"
)

// console is one that works, before a case breaks it.
type console struct {
	loginPage  func(http.ResponseWriter)
	good, bad  func(http.ResponseWriter)
	knows      func(*http.Request) bool
	home       func(http.ResponseWriter)
	whoami     func(w http.ResponseWriter, known bool)
	leave      func(http.ResponseWriter)
	seen       []string
	signedOut  atomic.Bool
	signedOuts int
}

const loginForm = `<form method="post" action="/login"><input name="user"><input type="password" name="pw">
<input type="hidden" name="token" value="forgery-token-77"><button name="go" value="1">In</button></form>`

func newConsole() *console {
	c := new(console)
	c.loginPage = func(w http.ResponseWriter) { fmt.Fprint(w, loginForm) }
	c.good = func(w http.ResponseWriter) {
		w.Header().Add("Set-Cookie", "sid="+secret+"; Path=/; HttpOnly")
		w.Header().Set("Location", "/home?t=query-secret-1")
		w.WriteHeader(http.StatusSeeOther)
	}
	c.bad = func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }
	c.knows = func(r *http.Request) bool {
		ck, err := r.Cookie("sid")
		return err == nil && ck.Value == secret && !c.signedOut.Load()
	}
	c.home = func(w http.ResponseWriter) { fmt.Fprint(w, `<p>alice</p><a href="/logout?token=x">Leave</a>`) }
	c.whoami = func(w http.ResponseWriter, known bool) {
		if !known {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"user":"alice"}`)
	}
	c.leave = func(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "sid=; Max-Age=0; Path=/") }
	return c
}

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.seen = append(c.seen, r.Method+" "+r.URL.Path)
	switch r.URL.Path {
	case "/login":
		if r.Method == http.MethodGet {
			c.loginPage(w)
		} else if r.FormValue("pw") == password && r.FormValue("user") == "alice" && r.FormValue("token") != "" {
			c.good(w)
		} else {
			c.bad(w)
		}
	case "/api/login":
		var in struct {
			Auth struct{ User, Password, Realm string }
		}
		if json.NewDecoder(r.Body).Decode(&in) == nil && in.Auth.User == "alice" && in.Auth.Password == password && in.Auth.Realm == "local" {
			c.good(w)
		} else {
			c.bad(w)
		}
	case "/whoami":
		c.whoami(w, c.knows(r))
	case "/logout":
		if c.knows(r) && r.URL.Query().Get("token") == "x" {
			c.signedOuts++
			c.signedOut.Store(true)
		}
		c.leave(w)
	case "/home":
		if c.knows(r) {
			c.home(w)
		} else {
			w.WriteHeader(http.StatusForbidden)
		}
	default:
		http.NotFound(w, r)
	}
}

func preset() *firstfactor.Console {
	return &firstfactor.Console{
		LoginPage: "/login",
		Logins: []firstfactor.Login{{
			Username: firstfactor.Field{Form: "user"},
			Success:  firstfactor.Condition{Status: []int{303}, SetCookies: []string{"sid"}},
			Failure:  firstfactor.Condition{Status: []int{401}},
		}},
		Subject:        &firstfactor.Subject{Probe: "/whoami", JSON: "/user"},
		SessionCookies: []string{"sid"},
	}
}

// run checks a preset against a console, and sees to it that the check itself
// behaves: it prints no secret, and leaves no session.
func run(t *testing.T, c http.Handler, p *firstfactor.Console, change func(*presetcheck.Check)) (*presetcheck.Report, string) {
	t.Helper()
	if !p.Logins[0].Username.Basic {
		p.Logins[0].Match.Methods = []string{"POST"}
	}
	if p.Logins[0].Match.Paths == nil {
		p.Logins[0].Match.Paths = []string{"/login"}
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	defer server.Close()
	base, _ := url.Parse(server.URL + "/")
	check := presetcheck.Check{Console: p, Base: base, Name: "alice", Password: password, Timeout: 5 * time.Second}
	if change != nil {
		change(&check)
	}
	report := check.Run(context.Background())
	var out strings.Builder
	if _, err := report.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{password, url.QueryEscape(password), url.PathEscape(password), secret, "query-secret", "forgery-token"} {
		if strings.Contains(out.String(), s) {
			t.Errorf("the report holds %q:\n%s", s, out.String())
		}
	}
	return report, out.String()
}

func TestFits(t *testing.T) {
	c := newConsole()
	report, text := run(t, c, preset(), nil)
	if !report.Passed() || report.Subject != "alice" {
		t.Fatalf("a preset that fits does not pass:\n%s", text)
	}
	for _, line := range []string{
		"answered 303 to /home\n", "sets session credentials: sid", "success status 303: holds", "success set_cookie sid: holds",
		"success status 303: does not hold (status 401)", "outcome: failure", "outcome: success", `calls the person "alice"`,
		"probe /whoami: answers the person 200, strangers 401", "GET /home answers the person 200, strangers 403",
		"the session credentials alone open it", "nothing opens it without them",
		"the answer deletes the session cookie", "the old session opens nothing any more", "mail address",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the report does not say %q:\n%s", line, text)
		}
	}
	if c.signedOuts != 1 {
		t.Errorf("it signed out %d times", c.signedOuts)
	}
	for _, what := range c.seen {
		if what != "POST /login" && !strings.HasPrefix(what, "GET ") {
			t.Errorf("it sent %s", what)
		}
	}
}

func TestFitsJSON(t *testing.T) {
	p := preset()
	p.Logins[0].Match.Paths = []string{"/api/login"}
	p.Logins[0].Username = firstfactor.Field{JSON: "/auth/user"}
	report, text := run(t, newConsole(), p, func(c *presetcheck.Check) { c.Fields = map[string]string{"/auth/realm": "local"} })
	if !report.Passed() {
		t.Errorf("a login in JSON does not pass:\n%s", text)
	}
}

// TestFitsToken has a console that knows people by a token in a header.
func TestFitsToken(t *testing.T) {
	c, p := newConsole(), preset()
	c.good = func(w http.ResponseWriter) { fmt.Fprintf(w, `{"access_token":%q}`, secret) }
	c.knows = func(r *http.Request) bool {
		return r.Header.Get("Authorization") == "Bearer "+secret && !c.signedOut.Load()
	}
	p.Logins[0].Success = firstfactor.Condition{Status: []int{200}, JSON: map[string]string{"/access_token": "*"}}
	p.SessionCookies, p.SessionHeaders, p.SessionTokens = nil, []string{"Authorization"}, []string{"/access_token"}
	report, text := run(t, c, p, func(c *presetcheck.Check) { c.Page, c.Logout = "/home", "POST /logout?token=x" })
	if !report.Passed() || !strings.Contains(text, "success json /access_token: holds") || !strings.Contains(text, "credentials: a token") {
		t.Errorf("a bearer token does not pass:\n%s", text)
	}
	if c.signedOuts != 1 {
		t.Errorf("it signed out %d times", c.signedOuts)
	}
}

// basicConsole takes name and password with each request.
func basicConsole() (*console, *firstfactor.Console) {
	c, p := newConsole(), preset()
	c.knows = func(r *http.Request) bool {
		name, typed, _ := r.BasicAuth()
		return name == "alice" && typed == password
	}
	p.Logins[0] = firstfactor.Login{Username: firstfactor.Field{Basic: true}, Success: firstfactor.Condition{Probe: "/whoami"}}
	p.Logins[0].Match.Paths = []string{"*"}
	p.SessionCookies = nil
	return c, p
}

func TestFitsBasic(t *testing.T) {
	c, p := basicConsole()
	report, text := run(t, c, p, nil)
	if !report.Passed() || !strings.Contains(text, "success probe /whoami: holds") || !strings.Contains(text, "GET /whoami answers the person 200, strangers 401") {
		t.Errorf("Basic does not pass:\n%s", text)
	}
	c, p = basicConsole()
	c.whoami = func(w http.ResponseWriter, _ bool) { fmt.Fprint(w, `{"user":"alice"}`) }
	if report, text = run(t, c, p, nil); report.Passed() || !strings.Contains(text, "a bad login is success") {
		t.Errorf("a probe that lets everybody in passes:\n%s", text)
	}
}

// TestMistakes breaks the preset, or the console, in one way each: the report
// must not pass, and must name the remedy.
func TestMistakes(t *testing.T) {
	for name, broken := range map[string]struct {
		breaks func(*console, *firstfactor.Console)
		says   string
	}{
		"a success that never holds": {func(_ *console, p *firstfactor.Console) { p.Logins[0].Success.Status = []int{200} },
			"a good login is unclear (status 303)"},
		"a failure that never holds": {func(_ *console, p *firstfactor.Console) { p.Logins[0].Failure.Status = []int{403} },
			"a bad login is unclear"},
		"a success that holds for failures": {func(c *console, p *firstfactor.Console) {
			c.bad = c.good
		}, "a bad login is success"},
		"a session cookie that nobody named": {func(_ *console, p *firstfactor.Console) {
			p.SessionCookies, p.Logins[0].Success.SetCookies = []string{"other"}, nil
		}, "name in session_cookies those of sid"},
		"a second session cookie": {func(c *console, _ *firstfactor.Console) {
			good, knows := c.good, c.knows
			c.good = func(w http.ResponseWriter) {
				w.Header().Add("Set-Cookie", "remember="+secret+"-long; Path=/; Max-Age=1000000")
				good(w)
			}
			c.knows = func(r *http.Request) bool {
				_, err := r.Cookie("remember")
				return knows(r) || err == nil && !c.signedOut.Load()
			}
		}, "the cookie remember alone opens the page"},
		"a session cookie before the login": {func(c *console, _ *firstfactor.Console) {
			page := c.loginPage
			c.loginPage = func(w http.ResponseWriter) {
				w.Header().Add("Set-Cookie", "sid=anonymous-session")
				page(w)
			}
		}, "the login page sets sid before anybody signed in"},
		"a path that the form does not have": {func(_ *console, p *firstfactor.Console) { p.Logins[0].Match.Paths = []string{"/signin"} },
			"no login rule takes POST /login for a login"},
		"a probe that knows nobody": {func(_ *console, p *firstfactor.Console) { p.Subject.JSON = "/name" },
			"the answer names nobody at /name"},
		"a probe that strangers get": {func(c *console, p *firstfactor.Console) {
			c.whoami = func(w http.ResponseWriter, _ bool) { fmt.Fprint(w, `{"user":"alice"}`) }
			p.Logins[0].Success.Probe = "/whoami"
		}, "answers 200 to strangers too and proves nothing"},
		"a probe that names everybody": {func(c *console, p *firstfactor.Console) {
			c.whoami = func(w http.ResponseWriter, _ bool) { fmt.Fprint(w, `{"user":"admin"}`) }
		}, "names somebody to strangers too"},
		"a name that is the session itself": {func(_ *console, p *firstfactor.Console) { p.Subject = &firstfactor.Subject{Cookie: "sid"} },
			"the name is the whole value of a session credential"},
		"a cookie that is renewed and names nobody": {func(c *console, p *firstfactor.Console) {
			c.home = func(w http.ResponseWriter) {
				w.Header().Add("Set-Cookie", "sid="+secret+"; Path=/")
				fmt.Fprint(w, `<a href="/logout?token=x">Leave</a>`)
			}
			p.Subject = &firstfactor.Subject{Header: "Location", Pattern: `^/(home)`}
		}, "names nobody, which the gateway takes for a change of person"},
		"a page that deletes the cookie": {func(c *console, _ *firstfactor.Console) {
			c.home = func(w http.ResponseWriter) {
				w.Header().Add("Set-Cookie", "sid=; Max-Age=0")
				fmt.Fprint(w, `<a href="/logout?token=x">Leave</a>`)
			}
		}, "an ordinary page deletes sid"},
		"a field that stands twice": {func(c *console, _ *firstfactor.Console) {
			c.loginPage = func(w http.ResponseWriter) {
				fmt.Fprint(w, strings.Replace(loginForm, "/login", "/login?user=x", 1))
			}
		}, "the gateway would refuse the login"},
		"a form for another host": {func(c *console, _ *firstfactor.Console) {
			c.loginPage = func(w http.ResponseWriter) {
				fmt.Fprint(w, strings.Replace(loginForm, "/login", "https://id.example.com/login", 1))
			}
		}, "a link to another host, id.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := newConsole(), preset()
			broken.breaks(c, p)
			report, text := run(t, c, p, nil)
			if report.Passed() {
				t.Error("it passes")
			}
			if !strings.Contains(text, broken.says) {
				t.Errorf("the report does not say %q:\n%s", broken.says, text)
			}
			if strings.Contains(text, `calls the person "`+secret) {
				t.Error("the session stands there as a name")
			}
		})
	}
}

// TestUnclear has what two logins cannot tell, each with what to do.
func TestUnclear(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*console, *firstfactor.Console)
		says   string
	}{
		"no page": {func(c *console, _ *firstfactor.Console) {
			good := c.good
			c.good = func(w http.ResponseWriter) { w.Header().Set("Location", "/nowhere"); good(w) }
			c.home = func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }
			c.whoami = func(w http.ResponseWriter, known bool) {
				if known {
					fmt.Fprint(w, `{"user":"alice"}`)
				} else {
					fmt.Fprint(w, `{"user":null,"people":["alice"]}`)
				}
			}
		}, "name one with --page"},
		"no way out": {func(c *console, _ *firstfactor.Console) {
			c.home = func(w http.ResponseWriter) { fmt.Fprint(w, "alice") }
		}, "name the way with --logout"},
		"a sign-out that nobody notices": {func(c *console, _ *firstfactor.Console) {
			c.leave = func(http.ResponseWriter) {}
		}, "the gateway would not notice the sign-out"},
		"a sign-out that forgets nothing": {func(c *console, _ *firstfactor.Console) {
			c.knows = func(r *http.Request) bool { ck, err := r.Cookie("sid"); return err == nil && ck.Value == secret }
		}, "after the sign-out the old session still opens the page"},
		"an ordinary cookie that is needed too": {func(c *console, _ *firstfactor.Console) {
			good, knows := c.good, c.knows
			c.good = func(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "shard=a7"); good(w) }
			c.home = func(w http.ResponseWriter) { fmt.Fprint(w, `<a href="/logout?token=x">Leave</a>`) }
			c.knows = func(r *http.Request) bool {
				_, err := r.Cookie("shard")
				return knows(r) && (err == nil || r.URL.Path != "/home")
			}
		}, "the session credentials alone do not open the page; with shard they do"},
		"a script that is not public": {func(c *console, _ *firstfactor.Console) {
			page := c.loginPage
			c.loginPage = func(w http.ResponseWriter) { page(w); fmt.Fprint(w, `<script src="/app.js?v=1"></script>`) }
		}, "the login page loads /app.js, which is not public"},
	} {
		t.Run(name, func(t *testing.T) {
			console, p := newConsole(), preset()
			c.breaks(console, p)
			report, text := run(t, console, p, nil)
			if !report.Passed() {
				t.Errorf("what is only unclear does not pass:\n%s", text)
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("the report does not say %q:\n%s", c.says, text)
			}
		})
	}
}

// TestBounded has a console that never finishes its answer.
func TestBounded(t *testing.T) {
	c := newConsole()
	c.loginPage = func(w http.ResponseWriter) {
		w.(http.Flusher).Flush()
		time.Sleep(2 * time.Second)
	}
	began := time.Now()
	report, text := run(t, c, preset(), func(c *presetcheck.Check) { c.Timeout = 100 * time.Millisecond })
	if report.Passed() || !strings.Contains(text, "the console does not answer") || time.Since(began) > 4*time.Second {
		t.Errorf("after %v:\n%s", time.Since(began), text)
	}
}

// TestTerminal has a console that sends what a terminal obeys, or what turns
// the order of signs around.
func TestTerminal(t *testing.T) {
	c := newConsole()
	c.good = func(w http.ResponseWriter) {
		w.Header().Add("Set-Cookie", "sid="+secret)
		w.Header().Set("Location", "/ho\u009b31mme\u202e")
		w.WriteHeader(http.StatusSeeOther)
	}
	_, text := run(t, c, preset(), nil)
	if strings.ContainsAny(text, "\u009b\u202e") || !strings.Contains(text, "303 to /ho?31mme?") {
		t.Errorf("%q", text)
	}
}

// TestSecretsInAddresses has a console that leads on with the session and the
// password in the path; run looks for both.
func TestSecretsInAddresses(t *testing.T) {
	c := newConsole()
	c.good = func(w http.ResponseWriter) {
		w.Header().Add("Set-Cookie", "sid="+secret)
		w.Header().Set("Location", "/s/"+secret+"/"+url.PathEscape(password)+"/"+url.QueryEscape(password))
		w.WriteHeader(http.StatusSeeOther)
	}
	if _, text := run(t, c, preset(), nil); !strings.Contains(text, "303 to /s/(hidden)/(hidden)/(hidden)") {
		t.Errorf("the address is not shown without them:\n%s", text)
	}
}

// TestSecretsInFaults has an answer that cannot be read, in the line of the
// session itself; run looks for it.
func TestSecretsInFaults(t *testing.T) {
	c := newConsole()
	c.good = func(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "sid="+secret+"\x01") }
	if report, text := run(t, c, preset(), nil); report.Passed() || !strings.Contains(text, "the answer is no HTTP") {
		t.Errorf("%s", text)
	}
}

// TestLoginIsTheGateways has a console that wants its token in a cookie of the
// field's name too. The gateway leaves such a cookie out, so nobody could sign
// in behind it.
func TestLoginIsTheGateways(t *testing.T) {
	c := newConsole()
	page := c.loginPage
	c.loginPage = func(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "token=forgery-token-77"); page(w) }
	good, brought := c.good, false
	console := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("token")
		brought = err == nil
		c.ServeHTTP(w, r)
	})
	c.good = func(w http.ResponseWriter) {
		if brought {
			good(w)
		} else {
			c.bad(w)
		}
	}
	if report, text := run(t, console, preset(), nil); report.Good != firstfactor.Failure {
		t.Errorf("a login that would fail behind the gateway is %s:\n%s", report.Good, text)
	}
}
