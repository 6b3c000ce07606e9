package sessions

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

var alice = identity.Subject{Realm: "staff", Name: "alice"}

// memory is a store that counts, and that a test can stop before it answers.
type memory struct {
	mu       sync.Mutex
	records  map[ID]Record
	finds    atomic.Int64
	touches  atomic.Int64
	found    func() // called between the reading of a record and its return
	touching error
}

func (m *memory) Create(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[r.ID] = r
	return nil
}

func (m *memory) Find(_ context.Context, id ID, now time.Time) (Record, error) {
	m.finds.Add(1)
	m.mu.Lock()
	r, ok := m.records[id]
	hook := m.found
	m.mu.Unlock()
	if hook != nil {
		hook()
	}
	if !ok || !now.Before(r.ExpiresAt) || !now.Before(r.SeenAt.Add(r.Idle)) {
		return Record{}, ErrNotFound
	}
	return r, nil
}

func (m *memory) Replace(_ context.Context, old ID, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[old]; !ok {
		return ErrNotFound
	}
	delete(m.records, old)
	m.records[r.ID] = r
	return nil
}

func (m *memory) Touch(_ context.Context, seen map[ID]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, at := range seen {
		m.touches.Add(1)
		if r, ok := m.records[id]; ok && m.touching == nil {
			r.SeenAt = at
			m.records[id] = r
		}
	}
	return m.touching
}

func (m *memory) End(_ context.Context, id ID) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[id]
	delete(m.records, id)
	if !ok {
		return r, ErrNotFound
	}
	return r, nil
}

func (m *memory) List(_ context.Context, who identity.Subject, now time.Time) (all []Record, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Subject == who && now.Before(r.ExpiresAt) && now.Before(r.SeenAt.Add(r.Idle)) {
			all = append(all, r)
		}
	}
	return all, nil
}

func (m *memory) EndSubject(_ context.Context, who identity.Subject) (ids []ID, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.records {
		if r.Subject == who {
			ids = append(ids, id)
			delete(m.records, id)
		}
	}
	return ids, nil
}

// ledger is what survives the memory.
type ledger struct {
	mu    sync.Mutex
	ended map[string]bool
	from  map[identity.Subject]time.Time
	err   error
}

func (l *ledger) EndSession(_ context.Context, id string, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[id] = true
	return l.err
}

func (l *ledger) EndSessions(_ context.Context, who identity.Subject, from time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from[who] = from
	return l.err
}

func (l *ledger) Ended(_ context.Context, who identity.Subject, id string, began time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended[id] || began.Before(l.from[who]), l.err
}

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(0, c.Load()).UTC() }
func (c *clock) sleep(d time.Duration) { c.Add(int64(d)) }

func service(t testing.TB) (*Sessions, *memory, *clock) {
	t.Helper()
	m, c := &memory{records: map[ID]Record{}}, new(clock)
	c.Store(time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	return over(t, m, ringOf(t, "k1"), c.now), m, c
}

// over is the service over a store, which another one may have used before.
func over(t testing.TB, store Store, ring *seal.Ring, now func() time.Time) *Sessions {
	t.Helper()
	s, err := New(Options{Store: store, Ledger: &ledger{ended: map[string]bool{}, from: map[identity.Subject]time.Time{}}, Ring: ring, Now: now})
	check(t, err)
	t.Cleanup(s.Close)
	return s
}

func ringOf(t testing.TB, sealing string) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(sealing, seal.Key{ID: "k1", Secret: [seal.KeySize]byte{1}}, seal.Key{ID: "k2", Secret: [seal.KeySize]byte{2}})
	check(t, err)
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t testing.TB, s *Sessions, tokens ...string) (*Session, *http.Cookie) {
	t.Helper()
	now := s.Now()
	live, ck, err := s.Begin(Record{Site: "wiki", Source: "console", Subject: alice, BeganAt: now, ExpiresAt: now.Add(30 * time.Minute), Idle: 30 * time.Minute}, tokens...)
	check(t, err)
	check(t, s.Start(t.Context(), live))
	return live, ck
}

func verified(t testing.TB, s *Sessions) (*Session, *http.Cookie) {
	t.Helper()
	live, _ := begin(t, s)
	live, ck, err := s.Raise(t.Context(), live, Raised{AMR: []string{"otp"}, AuthTime: s.Now(), Idle: time.Hour, Life: 24 * time.Hour})
	check(t, err)
	return live, ck
}

func (s *Sessions) alive(t testing.TB, value string) bool {
	t.Helper()
	_, err := s.Find(t.Context(), "wiki", value)
	if err != nil && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestRule7LevelsChangeOnlyUpOnceAndUnderANewValue(t *testing.T) {
	s, _, _ := service(t)
	first, ck := begin(t, s)
	if first.Level != identity.FirstFactor {
		t.Fatalf("it begins at %v", first.Level)
	}
	raised, next, err := s.Raise(t.Context(), first, Raised{AMR: []string{"otp"}, AuthTime: s.Now(), Idle: time.Hour, Life: time.Hour})
	check(t, err)
	if next.Value == ck.Value || raised.ID == first.ID || raised.Family != first.Family || raised.Level != identity.Verified {
		t.Error("the value, the token or the family is wrong after the pass")
	}
	if s.alive(t, ck.Value) || !s.alive(t, next.Value) {
		t.Error("the old value lives, or the new one does not")
	}
	if _, _, err := s.Raise(t.Context(), raised, Raised{Idle: time.Hour, Life: time.Hour}); err == nil {
		t.Error("a verified session is raised")
	}
	if again, other := begin(t, s); again.Family == first.Family || other.Value == ck.Value {
		t.Error("two logins share a family")
	}
}

// TestRaiseInParallel: one wins.
func TestRaiseInParallel(t *testing.T) {
	s, _, _ := service(t)
	_, ck := begin(t, s)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			live, err := s.Find(t.Context(), "wiki", ck.Value)
			if err != nil {
				return
			}
			if _, _, err := s.Raise(t.Context(), live, Raised{Idle: time.Hour, Life: time.Hour}); err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
	if s.alive(t, ck.Value) {
		t.Error("the old value lives")
	}
}

// TestARaiseDoesNotLeaveTheOldSessionNear: a load that runs between the
// forgetting and the replacing must not keep the old one alive.
func TestARaiseDoesNotLeaveTheOldSessionNear(t *testing.T) {
	s, m, _ := service(t)
	live, ck := begin(t, s)
	slow := &slowReplace{memory: m, s: s, value: ck.Value, t: t}
	s.Store = slow
	_, _, err := s.Raise(t.Context(), live, Raised{Idle: time.Hour, Life: time.Hour})
	check(t, err)
	s.Store = m
	if s.alive(t, ck.Value) {
		t.Error("the old session is alive in the near cache")
	}
}

type slowReplace struct {
	*memory
	s     *Sessions
	value string
	t     testing.TB
}

func (m *slowReplace) Replace(ctx context.Context, old ID, r Record) error {
	_, _ = m.s.Find(ctx, "wiki", m.value)
	return m.memory.Replace(ctx, old, r)
}

// TestEndAgainstALoadUnderWay: a record that was read before the end is not
// cached after it.
func TestEndAgainstALoadUnderWay(t *testing.T) {
	for _, end := range []func(*Sessions, *Session) error{
		func(s *Sessions, live *Session) error { return s.End(t.Context(), live) },
		func(s *Sessions, live *Session) error { return s.EndSubject(t.Context(), live.Subject) },
	} {
		s, m, _ := service(t)
		live, ck := verified(t, s)
		s.near.flush()
		m.found = func() {
			m.mu.Lock()
			m.found = nil
			m.mu.Unlock()
			if err := end(s, live); err != nil {
				t.Error(err)
			}
		}
		s.alive(t, ck.Value)
		if s.alive(t, ck.Value) {
			t.Error("the ended session is alive in the near cache")
		}
	}
}

// TestEndInParallel: once End has returned, nobody finds the session.
func TestEndInParallel(t *testing.T) {
	s, _, _ := service(t)
	for range 200 {
		live, ck := verified(t, s)
		var ended atomic.Bool
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					before := ended.Load()
					if s.alive(t, ck.Value) && before {
						t.Error("found after its end")
						return
					}
				}
			})
		}
		all.Go(func() {
			check(t, s.End(t.Context(), live))
			ended.Store(true)
		})
		all.Wait()
	}
}

func TestExpiry(t *testing.T) {
	s, m, c := service(t)
	_, ck := verified(t, s)
	for range 23 {
		c.sleep(59*time.Minute + 59*time.Second)
		if !s.alive(t, ck.Value) {
			t.Fatal("a session in use ended")
		}
	}
	c.sleep(59 * time.Minute)
	s.alive(t, ck.Value)
	c.sleep(2 * time.Minute)
	if s.alive(t, ck.Value) {
		t.Error("it outlives 24 hours")
	}
	_, ck = verified(t, s)
	s.alive(t, ck.Value)
	c.sleep(time.Hour)
	if s.alive(t, ck.Value) {
		t.Error("idle for an hour, it lives")
	}
	c.sleep(-time.Minute) // a clock that jumps back revives nothing
	s.alive(t, ck.Value)
	_, first := begin(t, s)
	c.sleep(30 * time.Minute)
	if s.alive(t, first.Value) {
		t.Error("a pending login lives on")
	}
	_ = m
}

// TestTouches are at most one a minute, and are tried again when they fail.
func TestTouches(t *testing.T) {
	s, m, c := service(t)
	_, ck := verified(t, s)
	for range 600 {
		c.sleep(time.Second)
		s.alive(t, ck.Value)
		s.writeDown()
	}
	s.writeDown()
	if n := m.touches.Load(); n < 9 || n > 10 {
		t.Errorf("%d touches in ten minutes", n)
	}
	if n := m.finds.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	m.touching = errors.New("gone")
	c.sleep(time.Minute)
	s.alive(t, ck.Value)
	s.writeDown()
	before := m.touches.Load()
	s.alive(t, ck.Value)
	s.writeDown()
	if m.touches.Load() != before+1 {
		t.Error("a touch that failed is not tried again")
	}
}

// TestForgedValuesCostNoLook at the store.
func TestForgedValuesCostNoLook(t *testing.T) {
	s, m, _ := service(t)
	_, ck := verified(t, s)
	dropped, err := s.Dropped("wiki")
	check(t, err)
	other := over(t, m, otherRing(t), s.Now)
	_, foreign := verified(t, other)
	elsewhere, err := s.codec.encode(CookieName("blog"), newClaim())
	check(t, err)
	for what, value := range map[string]string{
		"nothing": "", "noise": "abc", "cut": ck.Value[:len(ck.Value)-1], "longer": ck.Value + "A", "upper case": strings.ToUpper(ck.Value), "another key's": foreign.Value,
		"another site's": elsewhere, "level none": dropped.Value, "very long": strings.Repeat("A", 100_000), "quoted": `"` + ck.Value + `"`,
	} {
		if s.alive(t, value) {
			t.Errorf("%s is a session", what)
		}
	}
	if n := m.finds.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if _, err := s.Find(t.Context(), "blog", ck.Value); !errors.Is(err, ErrNotFound) {
		t.Error("a session of wiki is one of blog")
	}
	s.alive(t, ck.Value) // near now
	if _, err := s.Find(t.Context(), "blog", ck.Value); !errors.Is(err, ErrNotFound) {
		t.Error("a near session of wiki is one of blog")
	}
}

func otherRing(t testing.TB) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{9}})
	check(t, err)
	return r
}

// TestKeyRotation keeps sessions, cookies and tokens of the key before.
func TestKeyRotation(t *testing.T) {
	s, m, _ := service(t)
	live, ck := begin(t, s, "token")
	box := live.Cookies.Seal([]byte("x"), "wiki", "sid")
	next := over(t, m, ringOf(t, "k2"), s.Now)
	found, err := next.Find(t.Context(), "wiki", ck.Value)
	check(t, err)
	if plain, err := found.Cookies.Open(box, "wiki", "sid"); err != nil || string(plain) != "x" {
		t.Errorf("the console's cookie: %q, %v", plain, err)
	}
	if !found.IssuedToken("token") || found.IssuedToken("other") || found.IssuedToken("") {
		t.Error("the console's token")
	}
}

func TestTokensAreBoundToTheirSession(t *testing.T) {
	s, m, _ := service(t)
	one, _ := begin(t, s, "token")
	two, _ := begin(t, s)
	if two.IssuedToken("token") || string(one.EscrowKey()) == string(two.EscrowKey()) {
		t.Error("two sessions share a token or an escrow's key")
	}
	for _, r := range m.records {
		for _, digest := range r.Bound {
			if strings.Contains(string(digest), "token") || len(digest) != 32 {
				t.Errorf("stored as %q", digest)
			}
		}
	}
}

func TestBrowserMark(t *testing.T) {
	s, _, _ := service(t)
	mark, ck, err := s.Mark(Browser{}, "wiki", alice)
	check(t, err)
	of := func(lines ...string) Browser { return s.BrowserOf(&http.Request{Header: http.Header{"Cookie": lines}}) }
	if got := of(BrowserCookie + "=" + ck.Value); got.Digest("wiki", alice) == nil || string(got.Digest("wiki", alice)) != string(mark.Digest("wiki", alice)) {
		t.Error("the mark does not come back")
	}
	for _, line := range []string{"", BrowserCookie + "=", BrowserCookie + "=" + ck.Value + "x", BrowserCookie + "=" + ck.Value + "; " + BrowserCookie + "=" + ck.Value, "x=" + ck.Value} {
		if of(line).Knows("wiki", alice) {
			t.Errorf("%q is known", line)
		}
	}
	bob := identity.Subject{Realm: "staff", Name: "bob"}
	if mark.Knows("wiki", bob) || mark.Knows("blog", alice) || mark.Digest("wiki", bob) != nil {
		t.Error("a mark is for somebody else, or of another site")
	}
	again, _, err := s.Mark(mark, "wiki", alice)
	check(t, err)
	if string(again.Digest("wiki", alice)) != string(mark.Digest("wiki", alice)) {
		t.Error("renewing changes the mark")
	}
	if !ck.Secure || !ck.HttpOnly || ck.Path != "/" || ck.Domain != "" || ck.SameSite != http.SameSiteLaxMode {
		t.Errorf("%+v", ck)
	}
}

// TestBrowserOfMany: people who share a browser have marks of their own, of
// which those used longest ago go.
func TestBrowserOfMany(t *testing.T) {
	s, _, _ := service(t)
	b, ck := Browser{}, (*http.Cookie)(nil)
	person := func(i int) identity.Subject { return identity.Subject{Realm: "staff", Name: strings.Repeat("x", i+1)} }
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 0, 8} {
		before := b.Digest("wiki", person(0))
		var err error
		b, ck, err = s.Mark(b, "wiki", person(i))
		check(t, err)
		if i > 0 && string(before) != string(b.Digest("wiki", person(0))) {
			t.Fatalf("person %d changes the mark of another", i)
		}
	}
	b = s.BrowserOf(&http.Request{Header: http.Header{"Cookie": {BrowserCookie + "=" + ck.Value}}})
	for i := range 9 {
		if known := b.Knows("wiki", person(i)); known != (i != 1) {
			t.Errorf("person %d: %v", i, known)
		}
	}
	if len(ck.Value) > 500 {
		t.Errorf("the cookie has %d bytes", len(ck.Value))
	}
}
