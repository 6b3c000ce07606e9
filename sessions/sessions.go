package sessions

import (
	"cmp"
	"context"
	"crypto/hmac"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// touchEvery is how much of a session's use may be lost: one write a minute,
// or four in a shorter idle time.
const touchEvery = time.Minute

// longest is how long a session can live at most.
const longest = 30 * 24 * time.Hour

// storeTimeout bounds a look at the stores: their fault is a denial within
// two seconds.
const storeTimeout = 2 * time.Second

// Opened is a line of cookies as a browser sent it, and as it was opened for a
// console: in memory only, and no longer than the session is near.
type Opened struct {
	For           any // the console's description
	Sent, Console string
}

// Options are what Sessions rest on.
type Options struct {
	Store  Store
	Feed   Feed // nil where this process alone has the store
	Ledger Ledger
	Ring   *seal.Ring
	Near   int              // how many sessions are kept near, NearByDefault if 0
	Now    func() time.Time // with Feed, one with a monotonic reading
	Log    *slog.Logger
}

// Sessions is safe for concurrent use. It lives as long as its store: across
// reloads of the configuration.
type Sessions struct {
	Options
	codec   codec
	near    *near
	jar     *otter.Cache[string, string]
	hearing *hearing
	streams streams
	stop    context.CancelFunc
	closed  atomic.Bool
	loops   sync.WaitGroup // what goes on until Close
	touches touches
	unended retries
}

// Session is a live session.
type Session struct {
	Record
	// Cookies opens and seals the console's cookies of this family.
	Cookies *seal.Boxes
	// Shown: no answer of the login waits to be shown any more. One is put by
	// only before the browser gets this session's cookie, so the store needs
	// to be asked once and not at every page load.
	Shown atomic.Bool
	// Opened is what the last request's cookies were for the console.
	Opened atomic.Pointer[Opened]

	tokens  [][]byte // keys of the digests of console tokens
	key     nearKey
	token   token
	read    moment // of the near cache, when the store was asked
	ended   atomic.Bool
	seen    atomic.Int64 // unix nanoseconds
	touched atomic.Int64
}

// New makes the service. Close stops it.
func New(o Options) (*Sessions, error) {
	o.Near = cmp.Or(o.Near, NearByDefault)
	near := newNear(o.Near)
	jar, err := newJar(o.Near)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Sessions{Options: o, codec: newCodec(o.Ring), near: near, jar: jar, stop: stop}
	s.hearing = newHearing(o.Feed, s.heardEnd, near.flush)
	if o.Feed != nil {
		s.loops.Go(func() { s.hearing.run(ctx, o.Log) })
	}
	s.loops.Go(func() { s.watchStreams(ctx) })
	s.loops.Go(func() { s.writeTouches(ctx) })
	return s, nil
}

// Close stops what goes on beside the requests, and writes down what was seen
// last. A server that is replaced may still answer for a while:
// nothing near counts any more, and what is open is cut, since nobody hears
// of endings.
func (s *Sessions) Close() {
	s.closed.Store(true)
	s.stop()
	s.loops.Wait()
	s.streams.cut(s.streams.sessions()...)
	s.writeDown()
}

// current tells whether what is near counts.
func (s *Sessions) current(now time.Time) bool { return s.hearing.current(now) && !s.closed.Load() }

// Find returns the session that a cookie's value stands for, and ErrNotFound
// for everything that stands for none: level none, forged, expired, ended.
// Any other error means that the store could not tell.
func (s *Sessions) Find(ctx context.Context, site, value string) (*Session, error) {
	key := nearKey(value)
	now := s.Now()
	if live := s.near.get(key); live != nil && live.Site == site && s.current(now) {
		if !live.expired(now) {
			s.use(live, now)
			return live, nil
		}
		s.near.drop(live) // another node may have seen it since: ask the store
	}
	cl, err := s.codec.decode(CookieName(site), value)
	if err != nil || !cl.hasToken {
		return nil, ErrNotFound
	}
	return s.load(ctx, site, key, cl, now)
}

// load asks the store, and keeps a verified session near unless one ended
// meanwhile: then the record may be the one that ended, and the next request
// asks again. Lower levels are not kept: what they would deny, the store has
// to confirm.
func (s *Sessions) load(ctx context.Context, site string, key nearKey, cl claim, now time.Time) (*Session, error) {
	read := s.near.now()
	rec, err := s.read(ctx, cl.token.id(), now)
	if err != nil {
		return nil, err
	}
	if rec.Site != site || rec.Family != cl.family {
		return nil, ErrNotFound
	}
	live := s.live(rec, cl.token, nearKey(strings.Clone(string(key))), read)
	s.keep(live)
	s.use(live, now)
	return live, nil
}

// read asks the store for a session, and the ledger whether it may go on.
func (s *Sessions) read(ctx context.Context, id ID, now time.Time) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	rec, err := s.Store.Find(ctx, id, now)
	if err != nil {
		return Record{}, err
	}
	ended, err := s.hasEnded(ctx, rec)
	if err == nil && ended {
		err = ErrNotFound
	}
	return rec, err
}

// hasEnded asks the ledger whether a session that the store has may not go on:
// the store forgot that it ended, or never heard of it.
func (s *Sessions) hasEnded(ctx context.Context, rec Record) (bool, error) {
	ended, err := s.Ledger.Ended(ctx, rec.Subject, rec.ID.inLedger(), rec.BeganAt)
	if err == nil && ended {
		s.endSoon(rec.ID)
	}
	return ended, err
}

// List returns the sessions of a person that Find would find.
func (s *Sessions) List(ctx context.Context, who identity.Subject) (live []Record, err error) {
	all, err := s.Store.List(ctx, who, s.Now())
	for _, rec := range all {
		ended, err := s.hasEnded(ctx, rec)
		if err != nil {
			return nil, err
		}
		if !ended {
			live = append(live, rec)
		}
	}
	return live, err
}

func (s *Sessions) keep(live *Session) {
	if live.Level == identity.Verified && s.current(s.Now()) {
		s.near.keep(live)
	}
}

func (s *Sessions) live(rec Record, t token, key nearKey, read moment) *Session {
	live := &Session{Record: rec, token: t, key: key, read: read,
		Cookies: s.Ring.For("console-cookie", rec.Site, string(rec.Family[:])),
		tokens:  s.tokenKeys(rec.Site, rec.Family)}
	live.seen.Store(rec.SeenAt.UnixNano())
	live.touched.Store(rec.SeenAt.UnixNano())
	return live
}

func (live *Session) expired(now time.Time) bool {
	return live.ended.Load() || !now.Before(live.ExpiresAt) ||
		now.UnixNano()-live.seen.Load() >= int64(live.Idle)
}

// use notes activity, to be written down at most once a minute.
func (s *Sessions) use(live *Session, now time.Time) {
	live.seen.Store(now.UnixNano())
	last := live.touched.Load()
	if now.UnixNano()-last >= int64(min(touchEvery, live.Idle/4)) && live.touched.CompareAndSwap(last, now.UnixNano()) {
		s.touches.add(live.ID, now)
	}
}

// Dropped is the cookie of a browser at level none: a new family, no record.
func (s *Sessions) Dropped(site string) (*http.Cookie, error) {
	return s.cookieFor(site, newClaim())
}

func (s *Sessions) cookieFor(site string, cl claim) (*http.Cookie, error) {
	value, err := s.codec.encode(CookieName(site), cl)
	return cookie(CookieName(site), value), err
}

// EscrowKey is the key of answers held for this session: derived from the
// token, which only the browser's cookie holds.
func (live *Session) EscrowKey() []byte {
	return seal.Digest(live.token[:], "escrow", live.Site)
}

// tokenKeys are the keys by which a session remembers header and body tokens
// that the console issued in its login: never a bare hash.
func (s *Sessions) tokenKeys(site string, f Family) [][]byte {
	return s.Ring.Derive("token-binding", site, string(f[:]))
}

// IssuedToken tells whether the console issued this token in the session's
// login.
func (live *Session) IssuedToken(token string) bool {
	for _, bound := range live.Bound {
		for _, key := range live.tokens {
			if hmac.Equal(seal.Digest(key, token), bound) {
				return true
			}
		}
	}
	return false
}
