package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
)

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
