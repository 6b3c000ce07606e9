//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Streaming is a small console in the test's own process. Anybody signs in with the password "open", and what it
// streams it streams without end, whatever became of its own session: only the gateway can cut it.
type Streaming struct {
	URL, Addr string

	pages   http.Handler
	mu      sync.Mutex
	people  map[string]string // by session
	open    map[string]int    // streams by person
	created map[string]int    // what was posted, by person
}

// StartStreaming runs the console on loopback.
func StartStreaming(t testing.TB) *Streaming {
	c := &Streaming{people: map[string]string{}, open: map[string]int{}, created: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", c.loginPage)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("GET /{$}", c.person(c.home))
	mux.HandleFunc("GET /whoami", c.person(c.whoami))
	mux.HandleFunc("POST /things", c.person(c.create))
	mux.HandleFunc("GET /events", c.person(c.events))
	mux.HandleFunc("/socket", c.person(c.socket))
	c.pages = mux
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	c.URL, c.Addr = server.URL, strings.TrimPrefix(server.URL, "http://")
	return c
}

func (c *Streaming) loginPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html><html lang="en"><title>Sign in</title><form method="post" action="/login">`+
		`<input id="user" name="user"><input id="password" name="password" type="password"><button id="in">Sign in</button></form>`)
}

func (c *Streaming) login(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("password") != "open" {
		http.Error(w, "wrong", http.StatusUnauthorized)
		return
	}
	session := rand.Text()
	c.mu.Lock()
	c.people[session] = r.PostFormValue("user")
	c.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "console_session", Value: session, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Streaming) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "console_session", Path: "/", MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// person serves people with a session of the console.
func (c *Streaming) person(serve func(w http.ResponseWriter, r *http.Request, name string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if cookie, err := r.Cookie("console_session"); err == nil {
			c.mu.Lock()
			name = c.people[cookie.Value]
			c.mu.Unlock()
		}
		if name == "" {
			http.Error(w, "not signed in at the console", http.StatusUnauthorized)
			return
		}
		serve(w, r, name)
	}
}

func (c *Streaming) home(w http.ResponseWriter, _ *http.Request, name string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Home</title><p id="name">%s</p>`+
		`<form method="post" action="/logout"><button id="out">Sign out</button></form>`, name)
}

func (c *Streaming) whoami(w http.ResponseWriter, _ *http.Request, name string) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"user": name})
}

func (c *Streaming) create(w http.ResponseWriter, _ *http.Request, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created[name]++
	w.WriteHeader(http.StatusCreated)
}

// events is an event stream with an event every 100 ms.
func (c *Streaming) events(w http.ResponseWriter, r *http.Request, name string) {
	defer c.streams(name)()
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		io.WriteString(w, "data: tick\n\n")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// socket upgrades, and sends back what it gets. It takes what is behind the upgrade for plain bytes: frames are
// between browser and console, and nothing in between looks into them.
func (c *Streaming) socket(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() { conn.Close() })()
	defer c.streams(name)()
	io.WriteString(conn, "begun\n")
	io.CopyN(conn, both, int64(both.Reader.Buffered()))
	io.Copy(conn, conn) // as a proxy does, which leaves the reader behind
}

// streams notes that a person has one more stream open, until it ends.
func (c *Streaming) streams(name string) (done func()) {
	add := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open[name] += n
	}
	add(1)
	return func() { add(-1) }
}

// Open is how many streams of a person are open at the console's end.
func (c *Streaming) Open(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[name]
}

// All is how often anybody posted.
func (c *Streaming) All() (all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.created {
		all += n
	}
	return all
}
