package demo

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"
)

const (
	cookieName = "console_session"

	sessionLife  = 8 * time.Hour
	rememberLife = 30 * 24 * time.Hour

	// maxSessions keeps a demo that is left running from growing without bound.
	maxSessions = 4096
)

// session is one person's signed-in browser.
type session struct {
	token   string
	user    string
	csrf    string
	expires time.Time
}

// notice is what one page load says about the request before it.
type notice struct {
	Text   string
	Secret string // a new key's secret, shown once
}

// sessionTable remembers who is signed in. A token means nothing without it.
type sessionTable struct {
	mu      sync.Mutex
	live    map[string]session
	notices map[string]notice
}

func newSessionTable() *sessionTable {
	return &sessionTable{live: make(map[string]session), notices: make(map[string]notice)}
}

// start signs a person in under a new token.
func (t *sessionTable) start(user string, life time.Duration) session {
	s := session{token: rand.Text(), user: user, csrf: rand.Text(), expires: time.Now().Add(life)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom()
	t.live[s.token] = s
	return s
}

// makeRoom forgets what has expired, and then the session nearest to its end.
func (t *sessionTable) makeRoom() {
	var first session
	for token, s := range t.live {
		if !s.expires.After(time.Now()) {
			t.forget(token)
		} else if first.token == "" || s.expires.Before(first.expires) {
			first = s
		}
	}
	if len(t.live) >= maxSessions {
		t.forget(first.token)
	}
}

func (t *sessionTable) find(token string) (session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.live[token]
	if !ok || !s.expires.After(time.Now()) {
		return session{}, false
	}
	return s, true
}

func (t *sessionTable) end(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(token)
}

// forget expects the lock to be held.
func (t *sessionTable) forget(token string) {
	delete(t.live, token)
	delete(t.notices, token)
}

// tell leaves a notice for the session's next page.
func (t *sessionTable) tell(token string, n notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.live[token]; ok {
		t.notices[token] = n
	}
}

// takeNotice returns the notice that waits, once.
func (t *sessionTable) takeNotice(token string) notice {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.notices[token]
	delete(t.notices, token)
	return n
}

// same compares secrets without telling by its timing where they differ.
func same(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
