package firstfactor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyServer is an issuer's address, which counts how often it is asked.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer http.HandlerFunc
}

func newKeyServer(t *testing.T, text []byte) *keyServer {
	s := new(keyServer)
	s.says(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) does(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *keyServer) says(text []byte) {
	s.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
}

// settled waits until no keys are being read.
func settled(t *testing.T, j *JWT) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		j.keys.mu.Lock()
		doing := j.keys.doing
		j.keys.mu.Unlock()
		if doing == nil {
			return
		}
	}
	t.Fatal("keys are still being read")
}

func down(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) }

// unknown is neither a person nor a refusal: it cannot be told.
func unknown(err error) bool {
	return err != nil && !errors.Is(err, ErrAssertion) && !errors.Is(err, ErrNoAssertion)
}

// TestJWTRotation: a new key counts with its first token; one that was taken
// back counts no more, not even for tokens that were seen.
func TestJWTRotation(t *testing.T) {
	s := newKeyServer(t, published(t, public("old", rsaKey)))
	j, clock := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
	old := sign(t, jose.RS256, "old", rsaKey, good())
	next := sign(t, jose.ES256, "next", ecKey, good())
	asserts := func(what, raw string, holds bool) {
		t.Helper()
		if _, err := j.Assert(t.Context(), bearer(raw)); (err == nil) != holds {
			t.Errorf("%s: %v", what, err)
		}
	}
	asserts("the old key", old, true)
	s.says(published(t, public("old", rsaKey), public("next", ecKey)))
	clock.sleep(keysEvery)
	asserts("a new key", next, true)
	if n := s.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times", n)
	}
	s.says(published(t, public("next", ecKey)))
	clock.sleep(keysFresh)
	_, _ = j.Assert(t.Context(), bearer(old)) // has the keys read, and does not wait
	settled(t, j)
	asserts("a key that was taken back", old, false)
	asserts("the key that stays", next, true)
}

// TestJWTKeyUnderAnOldName: an issuer that starts anew may call its new key as
// the one that it lost, which then counts no more.
func TestJWTKeyUnderAnOldName(t *testing.T) {
	s := newKeyServer(t, published(t, public("only", rsaKey)))
	j, clock := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
	for _, kid := range []string{"only", ""} {
		old, next := sign(t, jose.RS256, kid, rsaKey, good()), sign(t, jose.RS256, kid, otherRSA, good())
		s.says(published(t, public("only", rsaKey)))
		clock.sleep(keysFresh)
		if _, err := j.Assert(t.Context(), bearer(old)); err != nil {
			t.Fatal(err)
		}
		s.says(published(t, public("only", otherRSA)))
		clock.sleep(keysEvery)
		if _, err := j.Assert(t.Context(), bearer(next)); err != nil {
			t.Errorf("kid %q, the new key: %v", kid, err)
		}
		if _, err := j.Assert(t.Context(), bearer(old)); !errors.Is(err, ErrAssertion) {
			t.Errorf("kid %q, the old key: %v", kid, err)
		}
	}
}

// TestJWTUnknownKidsAreNoFlood: whatever tokens are sent, the issuer is asked
// once in a while.
func TestJWTUnknownKidsAreNoFlood(t *testing.T) {
	s := newKeyServer(t, published(t, public("rsa", rsaKey)))
	j, clock := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
	for range 50 {
		clock.sleep(time.Second)
		if _, err := j.Assert(t.Context(), bearer(sign(t, jose.ES256, "x", ecKey, good()))); !errors.Is(err, ErrAssertion) {
			t.Fatal(err)
		}
	}
	if n := s.asked.Load(); n < 4 || n > 6 {
		t.Errorf("asked %d times in 50 seconds", n)
	}
	var all sync.WaitGroup
	before := s.asked.Load()
	clock.sleep(time.Hour)
	raw := token(t, with("exp", now.Add(24*time.Hour).Unix()))
	for range 50 {
		all.Go(func() {
			if _, err := j.Assert(context.Background(), bearer(raw)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.asked.Load() - before; n != 1 {
		t.Errorf("asked %d times by requests that came together", n)
	}
}

// TestJWTIssuerDown: keys that were had count for a while, then nobody can be
// told from anybody, until the issuer is back.
func TestJWTIssuerDown(t *testing.T) {
	s := newKeyServer(t, nil)
	s.does(down)
	j, clock := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
	claims := with("exp", now.Add(24*time.Hour).Unix())
	raw := token(t, claims)
	if _, err := j.Assert(t.Context(), bearer(raw)); !unknown(err) || !strings.Contains(err.Error(), "502") {
		t.Fatalf("down from the start: %v", err)
	}
	s.says(published(t, public("rsa", rsaKey)))
	clock.sleep(keysEvery)
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil {
		t.Fatalf("back: %v", err)
	}
	s.does(down)
	clock.sleep(remoteStale - time.Minute)
	for _, name := range []string{"alice", "bob"} {
		claims["sub"] = name
		if _, err := j.Assert(t.Context(), bearer(token(t, claims))); err != nil {
			t.Errorf("down for a while, %s: %v", name, err)
		}
	}
	if _, err := j.Assert(t.Context(), bearer(sign(t, jose.ES256, "new", ecKey, claims))); !unknown(err) {
		t.Errorf("a key that nobody can look up: %v", err)
	}
	clock.sleep(2 * time.Minute)
	settled(t, j)
	if _, err := j.Assert(t.Context(), bearer(raw)); !unknown(err) {
		t.Errorf("down for too long: %v", err)
	}
	s.says(published(t, public("rsa", rsaKey)))
	clock.sleep(keysEvery)
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil {
		t.Errorf("back again: %v", err)
	}
}

// TestJWTIssuerMisbehaves: what is no key set is as good as none.
func TestJWTIssuerMisbehaves(t *testing.T) {
	good := published(t, public("rsa", rsaKey))
	elsewhere := newKeyServer(t, good)
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no keys":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"status":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(203); _, _ = w.Write(good) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", maxIssuerAnswer) + string(good)))
		},
	} {
		s := newKeyServer(t, nil)
		s.does(answer)
		j, _ := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
		if _, err := j.Assert(t.Context(), bearer(token(t, with("sub", "bob")))); !unknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// TestJWTIssuerHangs: a request waits no longer than for any other fault, and
// one that goes away leaves the answer to the others.
func TestJWTIssuerHangs(t *testing.T) {
	s := newKeyServer(t, nil)
	release := make(chan struct{})
	text := published(t, public("rsa", rsaKey))
	s.does(func(w http.ResponseWriter, _ *http.Request) { <-release; _, _ = w.Write(text) })
	j, _ := newJWT(t, func(j *JWT) { j.JWKS = s.URL })
	raw := token(t, good())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Assert(gone, bearer(raw)); !unknown(err) {
		t.Errorf("gone: %v", err)
	}
	began := time.Now()
	_, err := j.Assert(t.Context(), bearer(raw))
	if took := time.Since(began); !unknown(err) || took > keysWait+time.Second {
		t.Errorf("%v after %v", err, took)
	}
	close(release)
	settled(t, j)
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil || s.asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, s.asked.Load())
	}
}

// TestJWTKeyFile is read again when it changes; one that broke leaves the keys
// as they were.
func TestJWTKeyFile(t *testing.T) {
	path := keyFile(t, public("rsa", rsaKey))
	j, clock := newJWT(t, func(j *JWT) { j.JWKS = path })
	if err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, next := token(t, good()), sign(t, jose.ES256, "ec", ecKey, good())
	if _, err := j.Assert(t.Context(), bearer(old)); err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		clock.sleep(fileFresh)
	}
	write([]byte(`{"keys":`))
	if _, err := j.Assert(t.Context(), bearer(token(t, with("sub", "bob")))); err != nil {
		t.Errorf("half a file: %v", err)
	}
	write(published(t, public("ec", ecKey)))
	if _, err := j.Assert(t.Context(), bearer(next)); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if _, err := j.Assert(t.Context(), bearer(old)); !errors.Is(err, ErrAssertion) {
		t.Errorf("the old key: %v", err)
	}
}
