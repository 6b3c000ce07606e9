package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

func TestPoint7HeldPageIsShownOnceAtItsAddress(t *testing.T) {
	r := newRig(t)
	key, thief := r.bind("alice"), r.verified("mallory")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.FormValue("u") != "" {
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			w.Header().Set("Cache-Control", "public")
			_, _ = w.Write([]byte("WELCOME " + protected))
			return
		}
		r.console.wiki.ServeHTTP(w, q)
	})
	b := r.browser()
	b.post("/doku.php?id=x", "u=alice&p=x")
	b.clean("before the pass")
	a := b.answer(b.formID(), "code="+code(t, key, r.clock()))
	if a.StatusCode != 303 || a.Header.Get("Location") != "/doku.php?id=x" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	if a := thief.get("/doku.php?id=x"); strings.Contains(a.body, "WELCOME") {
		t.Error("another session sees the held page")
	}
	if a := b.get("/doku.php?id=x"); a.body != "WELCOME "+protected || !strings.HasPrefix(a.Header.Get("Cache-Control"), "private") || strings.Contains(a.raw, secret) {
		t.Errorf("the held page: %q", a.raw)
	}
	if a := b.get("/doku.php?id=x"); strings.Contains(a.body, "WELCOME") {
		t.Error("it is shown twice")
	}
}

func TestPoint7HoldCookies(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Console.Logins[0].Hold = firstfactor.HoldCookies
		s.Console.SessionTokens = []string{"/token"}
	})
	key := r.bind("alice")
	var body string
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.FormValue("u") == "" {
			r.console.wiki.ServeHTTP(w, q)
			return
		}
		w.Header().Add("Set-Cookie", "auth=alice."+secret)
		w.Header().Add("Set-Cookie", "lang=de")
		_, _ = w.Write([]byte(body))
	})
	form := "Content-Type: application/x-www-form-urlencoded"
	body = `{"ok":true}`
	b := r.browser()
	if a := b.send("POST", "/api/login", "u=alice&p=x", form); a.StatusCode != 200 || a.body != body || b.jar["lang"] != "de" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	b.clean("status and body")
	if a := b.get("/public/x"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("the next page load: %d", a.StatusCode)
	}
	if a := b.answer(b.formID(), "code="+code(t, key, r.clock())); a.StatusCode != 303 || b.user() != "alice" {
		t.Errorf("%d, then %q", a.StatusCode, b.user())
	}
	body = `{"token":"` + secret + `"}`
	c := r.browser()
	c.send("POST", "/api/login", "u=alice&p=x", form)
	c.clean("a token in the body")
}

// TestPoint7RecentPass: released at once for the same person in the same
// browser within minutes, and for nobody else.
func TestPoint7RecentPass(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.bind("bob")
	again := b.password("alice")
	if again.Header.Get("Location") != "/home?id=start" || b.user() != "alice" {
		t.Errorf("the same person: %d %v", again.StatusCode, again.Header)
	}
	if strings.Contains(again.raw, secret) {
		t.Error("a credential left in the clear")
	}
	if a := r.browser().password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("another browser: %v", a.Header)
	}
	if a := b.copy().password("bob"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("another person: %v", a.Header)
	}
	forged := r.browser()
	forged.jar["__Host-stepgate-browser"] = b.jar["__Host-stepgate-browser"] + "x"
	if a := forged.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("a forged mark: %v", a.Header)
	}
	twice := r.browser()
	if a := twice.post("/login", "u=alice&p=pw-alice", "Cookie: __Host-stepgate-browser="+b.jar["__Host-stepgate-browser"]+"; __Host-stepgate-browser=x"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("two marks: %v", a.Header)
	}
	r.sleep(5*time.Minute + time.Second)
	if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("after five minutes: %v", a.Header)
	}
	if !slices.Contains(r.events(), audit.LoginReleased) {
		t.Errorf("the trail is %v", r.events())
	}
}

func TestPoint7RecentPassEndsWithALogout(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	b.get("/logout")
	if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}

// TestPoint7Tokens: a token in a login's body comes back only in the session
// in which it was issued.
func TestPoint7Tokens(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Console = &firstfactor.Console{LoginPage: "/login", SessionHeaders: []string{"X-Api-Token"}, SessionTokens: []string{"/token"},
			Logins: []firstfactor.Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/auth"}}, Username: firstfactor.Field{JSON: "/user"},
				Success: firstfactor.Condition{Status: []int{200}}, Failure: firstfactor.Condition{Status: []int{401}}}},
			Subject: &firstfactor.Subject{JSON: "/name"}}
	})
	key := r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/auth" {
			_, _ = fmt.Fprintf(w, `{"name":"alice","token":"%s-alice"}`, secret)
			return
		}
		r.console.wiki.ServeHTTP(w, q)
	})
	b := r.browser()
	login := func(b *browser) *reply {
		return b.send("POST", "/auth", `{"user":"alice","password":"x"}`, "Content-Type: application/json", "Referer: http://wiki.test/app?x=1")
	}
	if a := login(b); a.StatusCode != 401 || !strings.Contains(a.body, "/.stepgate/challenge") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	b.clean("before the pass")
	if a := b.answer(b.formID(), "code="+code(t, key, r.clock())); a.Header.Get("Location") != "/app?x=1" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	a := login(b)
	if !strings.Contains(a.body, secret+"-alice") {
		t.Fatalf("the repeated call: %d %s", a.StatusCode, a.body)
	}
	if a := b.fetch("/private", "X-Api-Token: "+secret+"-alice"); !strings.Contains(a.body, `for "alice"`) {
		t.Errorf("the own token: %s", a.body)
	}
	if a := b.fetch("/private", "X-Api-Token: "+secret+"-bob"); !strings.Contains(a.body, `for ""`) {
		t.Errorf("a foreign token: %s", a.body)
	}
}

// TestPoint8Leaving: logout, or the console's deleting of its cookie, ends the
// session for whoever holds its cookies.
func TestPoint8Leaving(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	for what, leave := range map[string]func(){
		"logout":              func() { b.get("/logout") },
		"in another spelling": func() { b.get("/x/..%2fLOGOUT") },
		"the cookie is deleted": func() {
			r.console.answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "auth=; Path=/; Max-Age=0") })
			b.get("/whatever")
			r.console.answers(nil)
		},
	} {
		thief := b.copy()
		if got := thief.user(); got != "alice" {
			t.Fatalf("before: %q", got)
		}
		leave()
		if got := thief.user(); got != "-" {
			t.Errorf("%s: the session still shows %q", what, got)
		}
		b.signIn("alice", b.login)
	}
}

func TestPoint8NoConsoleSessionFromBefore(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.jar["auth"] = "alice." + secret // signed in before Stepgate came
	if got := b.user(); got != "-" {
		t.Errorf("it shows %q", got)
	}
	b.clean("an old session")
	r.anonymous("an old session")
}
