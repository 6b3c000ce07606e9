package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
)

func TestPoint3FailuresPassAsTheyAre(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	a := b.post("/login", "u=alice&p=wrong")
	if a.StatusCode != 403 || a.body != "wrong user name or password\n" || a.Header.Get("Set-Cookie") != "auth=deleted; Path=/; Max-Age=0" {
		t.Errorf("%d %q %v", a.StatusCode, a.body, a.Header)
	}
}

func TestPoint3UnclearIsWithheld(t *testing.T) {
	r := newRig(t)
	for what, h := range map[string]http.HandlerFunc{
		"200 without a cookie": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(protected)) },
		"403 with a cookie": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=x"+secret)
			w.WriteHeader(403)
		},
		"no name": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "auth="+secret) },
		"a token in the target": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=nobody")
			w.Header().Set("Location", "/x?token="+secret)
			w.WriteHeader(302)
		},
		"a name with a control byte": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "auth=.") },
		"500":                        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, protected, 500) },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(protected))
		},
	} {
		r.console.answers(h)
		b := r.browser()
		if a := b.password("alice"); a.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
		b.clean(what)
		if got := r.trail(); len(got) == 0 || got[0].Event != audit.LoginUnclear || got[0].Reference == "" {
			t.Errorf("%s: the trail says %+v", what, got)
		}
		scanTrail(t, r)
	}
}

func TestPoint3MalformedLoginsAre400(t *testing.T) {
	r := newRig(t)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range [][]string{
		{"/login", "u=alice&u=bob&p=x", form}, {"/login?u=bob", "u=alice&p=x", form}, {"/login", "u[]=alice&p=x", form}, {"/login", "u=alice&p=x", form + "; charset=utf-16"},
		{"/login", "u=alice", form, "Content-Encoding: gzip"}, {"/login", "u=a&x=" + strings.Repeat("x", 65_537-6), form}, {"/login", "%75%00=alice&u=bob", form},
	} {
		if a := r.browser().send("POST", c[0], c[1], c[2:]...); a.StatusCode != 400 {
			t.Errorf("%.80q: %d", c, a.StatusCode)
		}
	}
	if seen := r.console.got(); len(seen) > 0 {
		t.Errorf("the console got %s", seen[0].RequestURI)
	}
}

// TestPoint4ByTheConsolesWord: an alias signs in as the person that the
// console names, not as what was typed.
func TestPoint4ByTheConsolesWord(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice."+secret)
		http.Redirect(w, q, "/", http.StatusFound)
	})
	for _, typed := range []string{"ALICE", "alice@example.com", ".alice", "alice_", "alice%20", "bob"} {
		b := r.browser()
		b.post("/login", "u="+typed+"&p=x")
		if a := b.get("/.stepgate/challenge"); shownKey(a.body) != "" || !strings.Contains(a.body, "alice") {
			t.Errorf("%s opens an enrollment: %s", typed, a.body)
		}
		b.clean(typed)
	}
}

func TestPoint4ByAProbe(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Console.Subject = &firstfactor.Subject{Probe: "/whoami", JSON: "/name"}
	})
	key := r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/whoami" {
			if got := q.Header.Get("Cookie"); strings.Count(got, "=") != 1 || q.Header.Get("X-Extra") != "" {
				t.Errorf("the probe carries %q", got)
			}
			_, _ = fmt.Fprintf(w, `{"name":%q}`, phpUser(q))
			return
		}
		r.console.wiki.ServeHTTP(w, q)
	})
	b := r.browser()
	b.jar["lang"] = "de"
	if a := b.post("/login", "u=alice&p=pw-alice", "X-Extra: 1"); a.StatusCode != 303 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	b.clean("before the pass")
	if a := b.answer(b.formID(), "code="+code(t, key, r.clock())); a.StatusCode != 303 || b.user() != "alice" {
		t.Errorf("%d, then %q", a.StatusCode, b.user())
	}
}

// TestPoint5SealedCookies: stolen, planted, foreign and old cookies open
// nothing, and none of the console's session cookies is ever in the clear.
func TestPoint5SealedCookies(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	if strings.Contains(b.wire.String(), secret) {
		t.Error("a credential left in the clear")
	}
	if got := b.user(); got != "alice" {
		t.Fatalf("the own cookie shows %q", got)
	}
	mallory := r.verified("mallory")
	mallory.jar["auth"] = b.jar["auth"] // stolen
	if got := mallory.user(); got != "" {
		t.Errorf("a stolen cookie shows %q", got)
	}
	mallory.jar["auth"] = "alice." + secret + "-1" // in the clear
	if got := mallory.user(); got != "" {
		t.Errorf("a cookie in the clear shows %q", got)
	}
	old := b.copy()
	b.get("/logout")
	b.signIn("alice", b.login)
	fresh := b.copy()
	fresh.jar["auth"] = old.jar["auth"]
	if got := fresh.user(); got != "" {
		t.Errorf("a cookie of the session before shows %q", got)
	}
	if got := old.user(); got != "-" {
		t.Errorf("the session before shows %q", got)
	}
}

// TestPoint5AnotherSite: own and sealed cookies of one site are nothing at
// another of the same realm, keys and stores.
func TestPoint5AnotherSite(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	other := r.site
	other.Name = "blog"
	r.gateway = gateway.New(other, r.services(t.TempDir()), pages(t), noMeter{}, discard)
	b.jar["__Host-stepgate-blog"] = b.jar["__Host-stepgate-wiki"]
	if got := b.user(); got != "-" {
		t.Errorf("a session of wiki shows %q at blog", got)
	}
}

// TestPoint6NoChangeOfPerson inside a session.
func TestPoint6NoChangeOfPerson(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.bind("bob2")
	for _, next := range []string{"bob2", "nobody-yet"} {
		b.wire.Reset()
		if a := b.get("/private"); !strings.Contains(a.body, `"alice"`) {
			t.Fatalf("alice sees %s", a.body)
		}
		b.wire.Reset()
		r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth="+next+"."+secret)
			_, _ = w.Write([]byte(protected))
		})
		a := b.get("/impersonate")
		if a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
			t.Errorf("%s: %d", next, a.StatusCode)
		}
		b.clean(next)
		r.console.answers(nil)
		if got := b.user(); got != "-" {
			t.Errorf("after the change %q is signed in", got)
		}
		b.get("/.stepgate/challenge")
		b.signIn("alice", b.login)
	}
	if !slices.Contains(r.events(), audit.PersonChanged) {
		t.Errorf("the trail is %v", r.events())
	}
}

func TestPoint6TheSamePersonsNewCookiePasses(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	before := b.jar["auth"]
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice."+secret+"-next")
		_, _ = w.Write([]byte(protected))
	})
	if a := b.get("/rotate"); a.StatusCode != 200 || strings.Contains(a.raw, secret) || b.jar["auth"] == before {
		t.Errorf("%d %q", a.StatusCode, a.raw)
	}
	r.console.answers(nil)
	if got := b.user(); got != "alice" {
		t.Errorf("the new cookie shows %q", got)
	}
}

func TestPoint6Rolling(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) { s.Console.Rolling = true })
	b := r.verified("alice")
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth="+secret+"-rolled")
		_, _ = w.Write([]byte("fine"))
	})
	if a := b.get("/x"); a.body != "fine" || strings.Contains(a.raw, secret) {
		t.Errorf("%q", a.raw)
	}
}

// TestPoint6ALoginWhileVerified is a login: it starts from nothing.
func TestPoint6ALoginWhileVerified(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.bind("bob")
	b.wire.Reset()
	if a := b.password("bob"); a.StatusCode != 303 || b.user() != "-" {
		t.Errorf("bob: %d, then %q", a.StatusCode, b.user())
	}
	b.clean("bob's login in alice's browser")
	if a := b.post("/login", "u=bob&p=wrong"); a.StatusCode != 403 {
		t.Errorf("%d", a.StatusCode)
	}
	if got := b.user(); got != "-" {
		t.Errorf("after a failed login %q is signed in", got)
	}
}
