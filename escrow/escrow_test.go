package escrow

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
)

type memory struct {
	mu    sync.Mutex
	blobs map[string][]byte
}

func (m *memory) Put(_ context.Context, id string, blob []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[id] = blob
	return nil
}

func (m *memory) Take(_ context.Context, id string, _ time.Time) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, ok := m.blobs[id]
	delete(m.blobs, id)
	if !ok {
		return nil, ErrNotFound
	}
	return blob, nil
}

// spent is what is remembered when the memory is not.
type spent struct{ ids sync.Map }

func (s *spent) SpendID(_ context.Context, id string, _ time.Time) error {
	if _, twice := s.ids.LoadOrStore(id, true); twice {
		return accounts.ErrSpent
	}
	return nil
}

var key = bytes.Repeat([]byte{1}, 32)

func held(t *testing.T) (*Escrow, *memory) {
	t.Helper()
	m := &memory{blobs: map[string][]byte{}}
	e := New(m, &spent{}, time.Now)
	h := Held{Answer: Answer{Status: 302, Header: http.Header{"Set-Cookie": {"sid=s3cr3t"}}, Body: []byte("s3cr3t")}, URL: "/s3cr3t"}
	if err := e.Hold(t.Context(), "id", key, h, time.Now().Add(time.Hour), "wiki", "alice"); err != nil {
		t.Fatal(err)
	}
	return e, m
}

// TestRule8OnlyTheBrowserOpens what is held, for its site and person, once;
// the store reads nothing.
func TestRule8OnlyTheBrowserOpens(t *testing.T) {
	for what, open := range map[string]func(e *Escrow) error{
		"another key": func(e *Escrow) error {
			_, err := e.Release(t.Context(), "id", bytes.Repeat([]byte{2}, 32), "wiki", "alice")
			return err
		},
		"another person": func(e *Escrow) error { _, err := e.Release(t.Context(), "id", key, "wiki", "bob"); return err },
		"joined parts":   func(e *Escrow) error { _, err := e.Release(t.Context(), "id", key, "wikialice"); return err },
		"no parts":       func(e *Escrow) error { _, err := e.Release(t.Context(), "id", key); return err },
	} {
		e, m := held(t)
		if bytes.Contains(m.blobs["id"], []byte("s3cr3t")) {
			t.Fatal("the store can read it")
		}
		if err := open(e); err == nil {
			t.Errorf("%s opens it", what)
		}
		if _, err := e.Release(t.Context(), "id", key, "wiki", "alice"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: a failed look does not use it up: %v", what, err)
		}
	}
	e, _ := held(t)
	h, err := e.Release(t.Context(), "id", key, "wiki", "alice")
	if err != nil || string(h.Answer.Body) != "s3cr3t" || h.URL != "/s3cr3t" || h.Answer.Header.Get("Set-Cookie") != "sid=s3cr3t" {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestRule5AStoreThatForgets that something was taken gives it out once all
// the same.
func TestRule5AStoreThatForgets(t *testing.T) {
	e, m := held(t)
	before := m.blobs["id"]
	if _, err := e.Release(t.Context(), "id", key, "wiki", "alice"); err != nil {
		t.Fatal(err)
	}
	m.blobs["id"] = before
	if _, err := e.Release(t.Context(), "id", key, "wiki", "alice"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after a failover: %v", err)
	}
}

func TestCaptureKeepsWhatWasSentFirst(t *testing.T) {
	c := NewCapture(nil)
	c.Header().Set("X", "1")
	c.WriteHeader(http.StatusEarlyHints)
	c.WriteHeader(403)
	c.Header().Set("X", "2")
	c.WriteHeader(200)
	_, _ = c.Write([]byte("body"))
	a, err := c.Answer()
	if err != nil || a.Status != 403 || a.Header.Get("X") != "1" || string(a.Body) != "body" {
		t.Errorf("%+v, %v", a, err)
	}
	w := httptest.NewRecorder()
	a.WriteTo(w)
	if w.Code != 403 || w.Body.String() != "body" || w.Header().Get("X") != "1" {
		t.Errorf("%+v", w)
	}
	if empty, err := NewCapture(nil).Answer(); err != nil || empty.Status != 200 {
		t.Errorf("%+v, %v", empty, err)
	}
}

func TestCaptureIsBounded(t *testing.T) {
	c := NewCapture(nil)
	for range 64 {
		if n, err := c.Write([]byte(strings.Repeat("x", 1<<20))); err != nil || n != 1<<20 {
			t.Fatal(n, err)
		}
	}
	if _, err := c.Answer(); !errors.Is(err, ErrTooLarge) || c.body.Cap() > 4*MaxBody {
		t.Errorf("%v, %d bytes kept", err, c.body.Cap())
	}
	var w http.ResponseWriter = NewCapture(nil)
	if _, ok := w.(http.Hijacker); ok {
		t.Error("it can be hijacked")
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
		t.Error("it can be hijacked by the controller")
	}
}
