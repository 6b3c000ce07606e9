package gateway

import (
	"crypto/rand"
	"maps"
	"sync"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/seal"
)

// flights are the proofs of Basic credentials that are under way, or began a
// session a moment ago: a page's script sends many requests at once, and the
// browser attaches its cookies before the first answer has brought ours.
type flights struct {
	secret []byte
	mu     sync.Mutex
	byKey  map[string]*flight
}

// flight is one of them. Its result is written before done is closed.
type flight struct {
	done   chan struct{}
	cookie string         // of the session that began
	failed *escrow.Answer // of the console, to wrong credentials
	err    error          // why the console could not tell
	until  time.Time      // zero: under way
}

const (
	// flightRemembered is how long requests may lag behind that were sent at
	// the same time.
	flightRemembered = 5 * time.Second
	// maxFlights bounds the memory. Without room each request leads.
	maxFlights = 10_000
)

func newFlights() *flights {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	return &flights{secret: secret, byKey: make(map[string]*flight)}
}

// key names requests that the same browser sent with the same credentials,
// which are not kept.
func (fs *flights) key(parts ...string) string { return string(seal.Digest(fs.secret, parts...)) }

// join finds the flight of a key, or begins it: then the caller leads, and has
// to land it.
func (fs *flights) join(key string, now time.Time) (f *flight, leads bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	over := func(f *flight) bool { return !f.until.IsZero() && !now.Before(f.until) }
	if f := fs.byKey[key]; f != nil && !over(f) {
		return f, false
	}
	if len(fs.byKey) >= maxFlights {
		maps.DeleteFunc(fs.byKey, func(_ string, f *flight) bool { return over(f) })
	}
	f = &flight{done: make(chan struct{})}
	if len(fs.byKey) < maxFlights {
		fs.byKey[key] = f
	}
	return f, true
}

// land tells those who wait. Only the beginning of a session is remembered:
// who asks again after a failure asks the console.
func (fs *flights) land(key string, f *flight, now time.Time) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.until = now.Add(flightRemembered)
	if f.cookie == "" && fs.byKey[key] == f {
		delete(fs.byKey, key)
	}
	close(f.done)
}

// forget makes the next request lead.
func (fs *flights) forget(key string, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byKey[key] == f {
		delete(fs.byKey, key)
	}
}
