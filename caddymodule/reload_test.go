package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/templates"
)

// Point 7: a reload, a failed reload and a restart keep sessions,
// enrollments, used codes and locks.
func TestReloadKeeps(t *testing.T) {
	g := newGate(t)
	alice, bob := g.browser(), g.browser()
	alice.enroll("alice")
	used := alice.code(0)
	bob.enroll("bob")
	g.lockOut("bob")
	for _, change := range []struct {
		name string
		do   func()
	}{
		{"reload", func() { g.mustLoad("brand Other") }},
		{"broken configuration", func() { g.refused("brand {env.STEPGATE_MISSING}") }},
		{"foreign keys", func() { g.refused("keys " + keyDir(t, "k1")) }},
		{"taken port", func() { g.startOnTakenPort() }},
		{"restart", func() { g.stop(); g.mustLoad("brand Test") }},
	} {
		t.Run(strings.ReplaceAll(change.name, " ", "_"), func(t *testing.T) {
			g.t = t
			change.do()
			alice.mustSee("alice")
			bob.mustSee("bob")
			other := g.browser()
			if a := other.answer(other.login("alice"), "code", used); !strings.Contains(a.body, "already been used") {
				t.Errorf("a used code: %s\n%s", a.Status, a.body)
			}
			other.mustNotSee()
			stranger := g.browser()
			if a := stranger.answer(stranger.login("bob"), "code", bob.code(1)); !strings.Contains(a.body, locked) {
				t.Errorf("bob is no longer locked: %s\n%s", a.Status, a.body)
			}
			stranger.mustNotSee()
		})
	}
	g.t = t
	awaitQuietStep()
	later := g.browser()
	later.answer(later.login("alice"), "code", alice.code(1))
	later.mustSee("alice")
}

// locked is how the page is marked on which no code is taken.
const locked = `class="challenge locked"`

// lockOut guesses until the person is locked, as a stranger.
func (g *gate) lockOut(name string) {
	g.t.Helper()
	b := g.browser()
	page := b.login(name)
	for range 30 {
		page = b.answer(page, "code", "000000")
		switch {
		case strings.Contains(page.body, locked):
			return
		case !challengeField.MatchString(page.body):
			page = b.login(name)
		}
	}
	g.t.Fatalf("%s is not locked out:\n%s", name, page.body)
}

// startOnTakenPort loads a configuration of which another app fails to start.
func (g *gate) startOnTakenPort() {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	config := strings.ReplaceAll(string(g.config("brand Other")), g.address, l.Addr().String())
	if err := caddy.Load([]byte(config), true); err == nil {
		g.t.Fatal("started on a port that is taken")
	}
}

// Point 7: reloads drop no request and let none through.
func TestReloadUnderLoad(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var workers sync.WaitGroup
	var sent [8]int
	for i := range sent {
		workers.Go(func() {
			for ; ctx.Err() == nil; sent[i]++ {
				if err := g.visit(alice.copy(), i%2 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		if err := g.load(fmt.Sprintf("brand Test%d", i)); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	workers.Wait()
	for i, n := range sent {
		if n < 20 {
			t.Errorf("worker %d sent %d requests only", i, n)
		}
	}
}

// visit asks for a person's page, with a session or without.
func (g *gate) visit(b *browser, session bool) error {
	if !session {
		delete(b.cookies, "__Host-stepgate-demo")
	}
	a, err := b.try(http.MethodGet, "/", nil)
	switch {
	case err != nil:
		return err
	case session && (a.StatusCode != http.StatusOK || !strings.Contains(a.body, "alice")):
		return fmt.Errorf("with a session: %s\n%s", a.Status, a.body)
	case !session && (a.StatusCode != http.StatusSeeOther || strings.Contains(a.body, "alice")):
		return fmt.Errorf("without a session: %s\n%s", a.Status, a.body)
	}
	return nil
}

// Point 7: what is stopped lets go of everything.
func TestStopReleases(t *testing.T) {
	g := newGate(t)
	g.mustLoad("brand Again")
	g.refused("brand {env.STEPGATE_MISSING}")
	g.refused("keys " + keyDir(t, "k1"))
	g.stop()
	mustBeReleased(t)
	a := &App{dir: filepath.Dir(g.data(""))}
	if _, err := a.openStores(); err != nil {
		t.Fatalf("the files cannot be opened again: %v", err)
	}
	if err := a.Cleanup(); err != nil {
		t.Error(err)
	}
	mustBeReleased(t)
}

func mustBeReleased(t *testing.T) {
	t.Helper()
	pool.Range(func(key, _ any) bool {
		t.Errorf("%v is still held", key)
		return true
	})
}

// Point 7: apps stop in any order, and a process that ends answers its last
// requests while they do: the stores are there until all have stopped.
func TestStopKeepsStores(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	app, err := caddy.ActiveContext().App("stepgate")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(*App).Stop(); err != nil {
		t.Fatal(err)
	}
	g.browser().login("alice")
	alice.mustSee("alice")
}

// Point 7: a second process on the same data is told so.
func TestSecondProcess(t *testing.T) {
	g := newGate(t)
	g.stop()
	other, err := sqlite.OpenSessions(g.data("sessions.db")) // a lock of its own, as another process has
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if why := g.refused("brand Test"); !strings.Contains(why, "sessions.db") || !strings.Contains(why, "process") {
		t.Errorf("a second process is told: %s", why)
	}
}

// waits is a handler of an app that has not started.
func waits(t *testing.T, a *App) *Handler {
	t.Helper()
	pages, err := templates.New(templates.Options{Base: gateway.Base})
	if err != nil {
		t.Fatal(err)
	}
	site := gateway.Site{Name: "wiki", Console: new(firstfactor.Console)}
	return &Handler{app: a, waiting: gateway.New(site, gateway.Services{Now: time.Now}, pages, nil, nil)}
}

// Requests that come before the app has started wait, and then get 503.
func TestNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := waits(t, &App{settled: make(chan struct{})})
		began := time.Now()
		w, err := serve(h)
		if err != nil || w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "unavailable") {
			t.Errorf("before the start: %v, %d %s", err, w.Code, w.Body)
		}
		if w.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if waited := time.Since(began); waited != startTimeout {
			t.Errorf("waited %s", waited)
		}
	})
}

// Caddy may start its servers before this app: a request waits for it.
func TestWaitsForStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{settled: make(chan struct{})}
		time.AfterFunc(time.Second, func() {
			a.shared.Store(new(gateway.Services))
			close(a.settled)
		})
		if a.await(t.Context()) == nil {
			t.Error("a request did not wait for the start")
		}
	})
}

// A configuration that failed to start does not keep anybody waiting.
func TestNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{settled: make(chan struct{})}
		a.settle = func() { close(a.settled) }
		began := time.Now()
		time.AfterFunc(time.Millisecond, func() { _ = a.Cleanup() })
		if w, err := serve(waits(t, a)); err != nil || w.Code != http.StatusServiceUnavailable {
			t.Errorf("by an app that never started: %v, %d", err, w.Code)
		}
		if waited := time.Since(began); waited != time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

func serve(h *Handler) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	console := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { panic("reached the console") })
	return w, h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), console)
}

// Rule 1: a store that is lost lets nothing through.
func TestStoreLost(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	g.stop()
	g.mustLoad("brand Test") // nothing is in the near cache
	if err := held[*sqlite.Sessions](t).Close(); err != nil {
		t.Fatal(err)
	}
	before := g.reached.count.Load()
	mustBeUnavailable(t, alice.get("/whoami"))
	if g.reached.count.Load() != before {
		t.Error("a request reached the console")
	}
	if err := held[*sqlite.Accounts](t).Close(); err != nil {
		t.Fatal(err)
	}
	b := g.browser()
	mustBeUnavailable(t, b.post("/login", url.Values{"user": {"alice"}, "password": {"alice-demo"}}))
	if len(b.cookies) > 0 {
		t.Errorf("the browser got %v", b.cookies)
	}
	b.mustNotSee()
}

func mustBeUnavailable(t *testing.T, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
}

// held is what the pool holds of a type.
func held[T io.Closer](t *testing.T) (found T) {
	t.Helper()
	n := 0
	pool.Range(func(_, v any) bool {
		if e, ok := v.(entry[T]); ok {
			found, n = e.value, n+1
		}
		return true
	})
	if n != 1 {
		t.Fatalf("the pool holds %d of %T", n, found)
	}
	return found
}
