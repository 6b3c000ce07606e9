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
	"github.com/stepgate/stepgate/policy"
)

func TestTheWholeWay(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	if a := b.get("/private?x=1"); a.StatusCode != 303 || a.Header.Get("Location") != "/login?return=%2Fprivate%3Fx%3D1" {
		t.Fatalf("without a session: %d %v", a.StatusCode, a.Header)
	}
	if a := b.password("alice"); a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("a first login: %d %v", a.StatusCode, a.Header)
	}
	shown := b.get("/.stepgate/challenge")
	key := shownKey(shown.body)
	one, two := code(t, key, r.clock()), code(t, key, r.clock().Add(30*time.Second))
	b.clean("before the pass")
	a := b.answer(challengeID.FindStringSubmatch(shown.body)[1], "code1="+one+"&code2="+two)
	if a.StatusCode != 303 || a.Header.Get("Location") != "/home?id=start" {
		t.Fatalf("after binding: %d %v %s", a.StatusCode, a.Header, a.body)
	}
	if got := b.user(); got != "alice" {
		t.Errorf("the console knows %q", got)
	}
	want := []audit.Event{audit.ChallengeAsked, audit.FactorBound}
	if got := r.events(); !slices.Equal(got, want) {
		t.Errorf("the trail is %v", got)
	}
	if b.jar["theme"] != "dark" {
		t.Error("the console's ordinary cookie is lost")
	}
}

// TestPoint1NothingIsReachable: an attacker with name and password of the
// victim, and with console cookies of the victim, sees nothing protected.
func TestPoint1NothingIsReachable(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	raw := "auth=alice." + secret + "-alice-1"
	b := r.browser()
	try := func(what string, send func() *reply) {
		t.Helper()
		send()
		b.clean(what)
		r.anonymous(what)
		b.wire.Reset()
	}
	headers := [][]string{nil, {"Cookie: " + raw}, {"Cookie: AUTH=alice." + secret}, {"Cookie: x=1, " + raw}, {"Cookie: a%75th=alice." + secret},
		{"Cookie: x=1," + raw}, {"Cookie: =" + raw}, {"Cookie: \xa0" + raw}, {"X-Api-Token: " + secret + "-alice"}, {"X_api_token: " + secret + "-alice"},
		{"Authorization: Basic " + secret}, {"Cookie: " + raw, "Cookie: " + raw}}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "CONNECT"} {
		for _, h := range headers {
			if method == "CONNECT" {
				continue
			}
			try(fmt.Sprint(method, h), func() *reply { return b.send(method, "/private", "", h...) })
			try(fmt.Sprint(method, " page ", h), func() *reply { return b.send(method, "/private", "", append(h, page...)...) })
		}
	}
	b.password("alice") // and now at first_factor
	b.clean("the login")
	r.console.got()
	for _, h := range headers {
		try(fmt.Sprint("pending ", h), func() *reply { return b.fetch("/private", h...) })
		try(fmt.Sprint("pending page ", h), func() *reply { return b.get("/private", h...) })
	}
}

// TestPoint1PublicIsAnonymous: public requests carry nothing by which the
// console could know a person, and no body unless declared.
func TestPoint1PublicIsAnonymous(t *testing.T) {
	r := newRig(t)
	victim := r.verified("alice")
	r.console.got()
	for _, b := range []*browser{r.browser(), victim} {
		for _, h := range []string{"Cookie: auth=alice." + secret, "Cookie: a.b=1; Auth=alice." + secret, "X-Api-Token: " + secret + "-alice", "X_Api_Token: " + secret} {
			a := b.fetch("/public/logo", h)
			if !strings.Contains(a.body, "/public/logo") {
				t.Fatalf("public is not public: %d", a.StatusCode)
			}
			if b != victim {
				r.anonymous(h)
			}
		}
	}
	b := r.browser()
	b.jar["lang"] = "de"
	b.send("GET", "/public/x", "u=alice&p=pw-alice", "Content-Type: text/plain")
	seen := r.console.got()
	if len(seen) == 0 || seen[len(seen)-1].ContentLength > 0 || seen[len(seen)-1].Header.Get("Cookie") != "lang=de" {
		t.Errorf("the console got %+v", seen[len(seen)-1])
	}
	if a := b.send("POST", "/public/x", "a=1"); strings.Contains(a.body, protected) {
		t.Error("a POST to a public path passes undeclared")
	}
	if a := b.send("POST", "/hook", "a=1", "Content-Type: application/x-www-form-urlencoded"); !strings.Contains(a.body, protected) {
		t.Error("a declared public POST does not pass")
	}
	if a := b.send("POST", "/hook", "u=alice&p=pw-alice", "Content-Type: application/x-www-form-urlencoded", page[0]); a.StatusCode != 303 || strings.Contains(a.raw, secret) {
		t.Errorf("a login by a public POST: %d", a.StatusCode)
	}
}

// TestPoint2EveryWayToLogIn is watched, wherever the console takes it.
func TestPoint2EveryWayToLogIn(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	form := "Content-Type: application/x-www-form-urlencoded"
	for what, send := range map[string]func(b *browser) *reply{
		"a form":                  func(b *browser) *reply { return b.password("alice") },
		"any address":             func(b *browser) *reply { return b.post("/some/where?x=1", "u=alice&p=pw-alice") },
		"a query":                 func(b *browser) *reply { return b.get("/private?u=alice&p=pw-alice") },
		"a public query":          func(b *browser) *reply { return b.get("/public/x?u=alice&p=pw-alice") },
		"a fetch":                 func(b *browser) *reply { return b.send("POST", "/api", "u=alice&p=pw-alice", form) },
		"a PUT":                   func(b *browser) *reply { return b.send("PUT", "/api", "u=alice&p=pw-alice", form) },
		"name and password apart": func(b *browser) *reply { return b.post("/x?p=pw-alice", "u=alice") },
		"chunks": func(b *browser) *reply {
			return b.send("POST", "/login", "5\r\nu=ali\r\nb\r\nce&p=pw-ali\r\n2\r\nce\r\n0\r\n\r\n", form, "Transfer-Encoding: chunked")
		},
		"a body of a GET": func(b *browser) *reply { return b.send("GET", "/private", "u=alice&p=pw-alice", form) },
	} {
		b := r.browser()
		send(b)
		b.clean(what)
		if b.jar["__Host-stepgate-wiki"] == "" && what != "a body of a GET" {
			t.Errorf("%s: no challenge is asked", what)
		}
		if got := b.user(); got != "-" {
			t.Errorf("%s: signed in as %q", what, got)
		}
	}
}

// TestPoint2ALoginCarriesOnlyWhatWasTyped: no session of the console goes with
// it, by which an answer could be another person's than the one who typed.
func TestPoint2ALoginCarriesOnlyWhatWasTyped(t *testing.T) {
	r := newRig(t)
	victim := r.verified("alice")
	for _, b := range []*browser{r.browser(), victim.copy()} {
		r.console.got()
		b.post("/login", "u=bob&p=wrong", "Cookie: auth=alice."+secret+"; a%75th=alice."+secret, "X-Api-Token: "+secret, "X_Api_Token: "+secret, "Authorization: Basic "+secret)
		r.anonymous("a login")
	}
}

// TestPoint2AnyAnswerThatSetsASession is a login, whatever the request was.
func TestPoint2AnyAnswerThatSetsASession(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	for what, h := range map[string]http.HandlerFunc{
		"a cookie on GET": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "auth=alice."+secret+"; Path=/")
			_, _ = w.Write([]byte(protected))
		},
		"a token header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Api-Token", secret)
			_, _ = w.Write([]byte(protected))
		},
		"two people": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "auth=alice."+secret)
			w.Header().Add("Set-Cookie", "auth=bob."+secret+"; Path=/x")
			_, _ = w.Write([]byte(protected))
		},
		"set and deleted": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "auth=alice."+secret)
			w.Header().Add("Set-Cookie", "auth=alice."+secret+"; Max-Age=0")
			_, _ = w.Write([]byte(protected))
		},
		"a folded name": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "%61uth=alice."+secret)
			_, _ = w.Write([]byte(protected))
		},
		"early": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "auth=alice."+secret)
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(200)
			_, _ = w.Write([]byte(protected))
		},
		"an early token": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Api-Token", secret)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("X-Api-Token")
			w.WriteHeader(200)
		},
		"a trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Set-Cookie, X-Api-Token")
			_, _ = w.Write([]byte("x"))
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			w.Header().Set("X-Api-Token", secret)
		},
		"an unannounced trailer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "auth=alice."+secret)
			w.Header().Set(http.TrailerPrefix+"X-Api-Token", secret)
		},
		"an upgrade": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = conn.Write([]byte(protected))
				_ = conn.Close()
			}
		},
		"a stream": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write([]byte(protected))
			_ = http.NewResponseController(w).Flush()
		},
		"a large body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "auth=alice."+secret)
			for range 40 {
				_, _ = w.Write([]byte(strings.Repeat(protected, 8000)))
			}
		},
	} {
		r.console.answers(h)
		for _, uri := range []string{"/public/x", "/login", "/private?u=alice&p=x"} {
			b := r.browser()
			for _, kind := range [][]string{nil, page, {"Upgrade: websocket", "Connection: Upgrade, close"}} {
				b.send("GET", uri, "", kind...)
			}
			b.clean(what + " at " + uri)
			if r.console.answers(nil); b.user() != "-" {
				t.Errorf("%s at %s: signed in", what, uri)
			}
			r.console.answers(h)
		}
	}
}

// TestPoint2DropsBeforeTheConsoleHears: while the console still thinks, and
// if its answer gets lost, the browser is at level none.
func TestPoint2DropsBeforeTheConsoleHears(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	thief := b.copy()
	asked, answer := make(chan struct{}), make(chan struct{})
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.FormValue("u") == "" {
			r.console.wiki.ServeHTTP(w, q)
			return
		}
		close(asked)
		<-answer
		panic(http.ErrAbortHandler)
	})
	done := make(chan error)
	go func() {
		_, err := b.try("POST", "/login", "u=bob&p=pw-bob", "Content-Type: application/x-www-form-urlencoded")
		done <- err
	}()
	<-asked
	if got := thief.user(); got != "-" {
		t.Errorf("during the login the old session shows %q", got)
	}
	close(answer)
	if err := <-done; err == nil {
		t.Error("a console that breaks off gives an answer")
	}
	if got := thief.user(); got != "-" {
		t.Errorf("after a lost outcome the old session shows %q", got)
	}
}

// TestPoint2OutlivesTheClient: the console's answer is judged although nobody
// waits for it any more.
func TestPoint2OutlivesTheClient(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	asked, canceled := make(chan struct{}), make(chan bool, 1)
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		close(asked)
		select {
		case <-q.Context().Done():
			canceled <- true
		case <-time.After(300 * time.Millisecond):
			canceled <- false
		}
		r.console.wiki.ServeHTTP(w, q)
	})
	b := r.browser()
	conn := dial(t, r)
	_, err := conn.Write([]byte(b.request("POST", "/login", "u=alice&p=pw-alice", []string{"Content-Type: application/x-www-form-urlencoded"})))
	check(t, err)
	<-asked
	check(t, conn.Close())
	if <-canceled {
		t.Error("the exchange ends with the client")
	}
	for range 100 {
		if slices.Contains(r.events(), audit.ChallengeAsked) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the answer was not judged: %v", r.events())
}

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

// TestConsoleThatFails: nothing that it said before it broke gets out.
func TestConsoleThatFails(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice."+secret)
		_, _ = w.Write([]byte(protected))
		panic(http.ErrAbortHandler)
	})
	for _, uri := range []string{"/public/x", "/login?u=alice&p=x"} {
		b := r.browser()
		if a, err := b.try("GET", uri, ""); err == nil {
			t.Errorf("%s: %d", uri, a.StatusCode)
		}
		b.clean(uri)
	}
}

// TestObserveRefusesNothing, and still keeps our own cookies from the console.
func TestObserveRefusesNothing(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) { s.Observe = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC) })
	b := r.browser()
	b.jar["__Host-stepgate-wiki"] = "x"
	b.jar["auth"] = "alice." + secret
	if got := b.user(); got != "alice" {
		t.Errorf("it shows %q", got)
	}
	for _, q := range r.console.got() {
		if strings.Contains(q.Header.Get("Cookie"), "stepgate") {
			t.Errorf("the console got %q", q.Header.Get("Cookie"))
		}
	}
	r.sleep(24 * time.Hour)
	if got := b.user(); got != "-" {
		t.Errorf("after the day it shows %q", got)
	}
}

func TestBypassIsAuditedAndHoldsUnderEveryReading(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Bypass = []gateway.Bypass{{Name: "ci", Match: match.Match{Methods: []string{"GET", "POST"}, Paths: []string{"/api/*"}}}}
	})
	b := r.browser()
	b.jar["__Host-stepgate-wiki"] = "x"
	if a := b.fetch("/api/x", "Cookie: auth=ci."+secret); !strings.Contains(a.body, `"ci"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	for _, q := range r.console.got() {
		if strings.Contains(strings.Join(q.Header["Cookie"], ";"), "stepgate") {
			t.Errorf("the console got %q", q.Header["Cookie"])
		}
	}
	for _, uri := range []string{"/api/../private", "/api/..%2fprivate", "/api/%252e%252e/private", "/api/..;/private", "/api/x?_method=DELETE", "/api/x?%5fmethod=DELETE"} {
		if a := b.fetch(uri); strings.Contains(a.body, protected) {
			t.Errorf("%s passes", uri)
		}
	}
	records := r.trail()
	if len(records) != 1 || records[0].Event != audit.BypassUsed || records[0].Reasons[0] != (policy.Reason{Code: policy.ReasonBypass, Detail: "ci"}) {
		t.Errorf("%+v", records)
	}
}
