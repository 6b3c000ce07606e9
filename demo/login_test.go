package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogin(t *testing.T) {
	b := newBrowser(t, NewConsole())
	a := b.post("/login", "user", "alice", "password", "alice-demo")
	leadsTo(t, a, "/")
	c := a.Cookies()[0]
	if c.Name != "console_session" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 0 {
		t.Errorf("cookie %q", c.Raw)
	}
	if len(c.Value) < 22 {
		t.Errorf("token %q is too short to be unguessable", c.Value)
	}
	contains(t, body(t, b.get("/whoami")), `{"user":"alice"}`)
}

func TestAliasIsTheSamePerson(t *testing.T) {
	b := newBrowser(t, NewConsole())
	leadsTo(t, b.post("/login", "user", "alice@example.com", "password", "alice-demo"), "/")
	contains(t, body(t, b.get("/whoami")), `{"user":"alice"}`)
}

func TestFailedLoginSetsNoCookie(t *testing.T) {
	console := NewConsole()
	for _, c := range []struct{ user, password string }{
		{"alice", "wrong"}, {"alice", "bob-demo"}, {"alice", ""}, {"", ""}, {"", "bob-demo"}, {"mallory", "alice-demo"}, {"ALICE", "alice-demo"},
	} {
		a := newBrowser(t, console).post("/login", "user", c.user, "password", c.password, "next", "/keys")
		status(t, a, http.StatusUnauthorized)
		if a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%+v: cookie %q", c, a.Header.Get("Set-Cookie"))
		}
		page := body(t, a)
		contains(t, page, "The user name or the password is wrong.")
		contains(t, page, `value="/keys"`)
		contains(t, page, `value="`+c.user+`"`)
	}
}

func TestCredentialsInTheQueryDoNotCount(t *testing.T) {
	b := newBrowser(t, NewConsole())
	status(t, b.post("/login?password=alice-demo", "user", "alice"), http.StatusUnauthorized)
	status(t, b.post("/login?user=alice", "password", "alice-demo"), http.StatusUnauthorized)
}

func TestFailedLoginLeavesASessionAlone(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	status(t, b.post("/login", "user", "bob", "password", "wrong"), http.StatusUnauthorized)
	contains(t, body(t, b.get("/whoami")), "alice")
}

func TestSecondPersonGetsANewSession(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	old := b.cookie
	leadsTo(t, b.post("/login", "user", "bob", "password", "bob-demo"), "/")
	contains(t, body(t, b.get("/whoami")), "bob")
	b.cookie = old
	status(t, b.get("/whoami"), http.StatusUnauthorized)
}

func TestPlantedTokenIsNeverAdopted(t *testing.T) {
	b := newBrowser(t, NewConsole())
	b.cookie = "PLANTED"
	leadsTo(t, b.post("/login", "user", "alice", "password", "alice-demo"), "/")
	if b.cookie == "PLANTED" {
		t.Fatal("the login kept the browser's own token")
	}
	b.cookie = "PLANTED"
	status(t, b.get("/whoami"), http.StatusUnauthorized)
}

func TestNextIsLocal(t *testing.T) {
	console := NewConsole()
	for next, want := range map[string]string{
		"/keys?x=1": "/keys?x=1", "": "/", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/",
		"/\t/evil.example": "/", "keys": "/", "javascript:alert(1)": "/",
	} {
		b := newBrowser(t, console)
		leadsTo(t, b.post("/login", "user", "bob", "password", "bob-demo", "next", next), want)
	}
}

func TestLoginPageLeadsOnWhoIsSignedIn(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	leadsTo(t, b.get("/login?next=/keys"), "/keys")
	leadsTo(t, b.get("/login?next=//evil.example"), "/")
}

func TestLogout(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	old := b.cookie
	a := b.post("/logout")
	leadsTo(t, a, "/login")
	if c := a.Cookies()[0]; c.Name != cookieName || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("the cookie is not deleted: %q", c.Raw)
	}
	b.cookie = old
	status(t, b.get("/whoami"), http.StatusUnauthorized)
}

func TestCookieIsWorthlessInAnotherProcess(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	b.console = NewConsole()
	status(t, b.get("/whoami"), http.StatusUnauthorized)
}

func TestSessionsExpire(t *testing.T) {
	for _, c := range []struct {
		name, remember string
		life           time.Duration
	}{{"for the day", "", 8 * time.Hour}, {"remembered", "yes", 30 * 24 * time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, NewConsole())
				b.post("/login", "user", "alice", "password", "alice-demo", "remember", c.remember)
				time.Sleep(c.life - time.Second)
				status(t, b.get("/whoami"), http.StatusOK)
				time.Sleep(time.Second)
				status(t, b.get("/whoami"), http.StatusUnauthorized)
			})
		})
	}
}

func TestRememberOutlivesTheBrowser(t *testing.T) {
	b := newBrowser(t, NewConsole())
	a := b.post("/login", "user", "alice", "password", "alice-demo", "remember", "yes")
	if got := a.Cookies()[0].MaxAge; got != 30*24*60*60 {
		t.Errorf("Max-Age %d", got)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newSessionTable()
		first := table.start("alice", time.Hour)
		time.Sleep(time.Second)
		var last session
		for range maxSessions {
			last = table.start("bob", time.Hour)
		}
		if len(table.live) != maxSessions {
			t.Errorf("%d sessions are kept, want %d", len(table.live), maxSessions)
		}
		if _, ok := table.find(first.token); ok {
			t.Error("the session nearest to its end was not the one to go")
		}
		if _, ok := table.find(last.token); !ok {
			t.Error("the newest session is gone")
		}
	})
}

func TestOversizedLoginIsRefused(t *testing.T) {
	form := "user=alice&password=alice-demo&pad=" + strings.Repeat("x", maxForm)
	r := httptest.NewRequest("POST", "/login", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status(t, newBrowser(t, NewConsole()).send(r), http.StatusUnauthorized)
}
