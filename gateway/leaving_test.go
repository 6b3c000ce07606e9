package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
)

// setting answers with these cookies, and everything else as the wiki.
func (r *rig) setting(cookies ...string) {
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/set" {
			r.console.wiki.ServeHTTP(w, q)
			return
		}
		for _, ck := range cookies {
			w.Header().Add("Set-Cookie", ck)
		}
		_, _ = w.Write([]byte("set"))
	})
}

// TestPoint8WhatIsLeftDecides: a console that renews one session cookie and
// deletes another goes on; one that leaves none has signed the person out.
func TestPoint8WhatIsLeftDecides(t *testing.T) {
	const fresh, old = "auth=alice." + secret + "-next; Path=/", "older=deleted; Path=/; Max-Age=0"
	const gone = "auth=deleted; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT"
	for held, subject := range map[bool]*firstfactor.Subject{false: {Cookie: "auth", Pattern: `^([^.]+)\.`}, true: {Probe: "/whoami"}} {
		for what, c := range map[string]struct {
			cookies []string
			stays   bool
		}{
			"renewed and deleted":  {[]string{fresh, old}, true},
			"deleted and renewed":  {[]string{old, fresh}, true},
			"deleted, then set":    {[]string{gone, fresh}, true},
			"only deleted":         {[]string{gone}, false},
			"all deleted":          {[]string{old, gone}, false},
			"set, then deleted":    {[]string{fresh, gone}, false},
			"set, and all deleted": {[]string{fresh, old, gone}, false},
		} {
			r := newRig(t, func(s *gateway.Site) {
				s.Console.SessionCookies = []string{"auth", "older"}
				s.Console.Subject = subject
			})
			who := r.whoami()
			b := r.verified("alice")
			thief := b.copy()
			r.setting(c.cookies...)
			r.console.answers(who(r.console.handle))
			a := b.get("/set")
			if strings.Contains(a.raw, secret) || a.body != "set" {
				t.Errorf("%s, held %v: %d %q", what, held, a.StatusCode, a.raw)
			}
			stays := thief.user() == "alice"
			if stays != c.stays {
				t.Errorf("%s, held %v: the session stays: %v", what, held, stays)
			}
			if want := map[bool]int{true: 0, false: 1}[c.stays]; r.count(audit.SessionEnded) != want {
				t.Errorf("%s, held %v: %v", what, held, r.events())
			}
		}
	}
}

// whoami lets the console name the person of a request.
func (r *rig) whoami() func(http.HandlerFunc) http.HandlerFunc {
	named := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/whoami" {
				_, _ = w.Write([]byte(phpUser(q)))
				return
			}
			next(w, q)
		}
	}
	r.console.answers(named(r.console.wiki.ServeHTTP))
	return named
}

// TestPoint8ALogoutIsRecordedOnce, although its answer deletes the cookie too.
func TestPoint8ALogoutIsRecordedOnce(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	b.get("/logout")
	b.get("/logout")
	if n := r.count(audit.SessionEnded); n != 1 {
		t.Errorf("the trail is %v", r.events())
	}
}

// TestDoubledFieldsBesideTheName sign in, as Rails writes its check boxes; a
// doubled name does not.
func TestDoubledFieldsBesideTheName(t *testing.T) {
	r := newRig(t)
	const body = "remember_me=0&u=alice&p=pw-alice&remember_me=1"
	if a := r.browser().post("/login", body); a.Header.Get("Location") != "/.stepgate/challenge" || len(r.console.bodies) != 1 || r.console.bodies[0] != body {
		t.Errorf("%d, the console got %q", a.StatusCode, r.console.bodies)
	}
	r.console.got()
	for _, body := range []string{"u=alice&u=alice&p=pw-alice", "u=alice&p=pw-alice&u=bob"} {
		if a := r.browser().post("/login", body); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", body, a.StatusCode)
		}
	}
	r.nothingReached(t, "a doubled name")
}

// TestPoint7AFormDoesNotSwallowTheHeldPage: it goes to the console, and the
// next page load shows what the login was answered with.
func TestPoint7AFormDoesNotSwallowTheHeldPage(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.FormValue("u") == "" {
			r.console.wiki.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Set-Cookie", "auth=alice."+secret)
		_, _ = w.Write([]byte("WELCOME"))
	})
	b := r.browser()
	r.sleep(30 * time.Second)
	b.post("/login", "u=alice&p=x")
	b.answer(b.formID(), "code="+code(t, key, r.clock()))
	r.console.got()
	if a := b.post("/save", "text=1"); !strings.Contains(a.body, `/save for "alice"`) || len(r.console.got()) != 1 {
		t.Errorf("the form: %d %s", a.StatusCode, a.body)
	}
	if a := b.get("/login"); a.body != "WELCOME" {
		t.Errorf("the held page: %d %s", a.StatusCode, a.body)
	}
}
