package sessions

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
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

// storeTimeout bounds a look at the store: its fault is a denial within two
// seconds.
const storeTimeout = 2 * time.Second

// nearSize bounds the near cache: about 1 KiB an entry.
const nearSize = 50_000

// Sessions is safe for concurrent use. It lives as long as its store: across
// reloads of the configuration.
type Sessions struct {
	store  Store
	ring   *seal.Ring
	codec  codec
	now    func() time.Time
	near   *otter.Cache[nearKey, *Session]
	epoch  atomic.Uint64  // grows with every ending, see load
	behind sync.WaitGroup // touches on their way to the store
}

type nearKey [sha256.Size]byte

// Session is a live session.
type Session struct {
	Record
	// Cookies opens and seals the console's cookies of this family.
	Cookies *seal.Boxes
	// Shown: no answer of the login waits to be shown any more. One is put by
	// only before the browser gets this session's cookie, so the store needs
	// to be asked once and not at every page load.
	Shown atomic.Bool

	tokens  [][]byte // keys of the digests of console tokens
	near    nearKey
	token   token
	settled atomic.Bool // in the near cache, and nothing ended meanwhile
	ended   atomic.Bool
	seen    atomic.Int64 // unix nanoseconds
	touched atomic.Int64
}

// New makes the service over a store. now is the clock.
func New(store Store, ring *seal.Ring, now func() time.Time) (*Sessions, error) {
	near, err := otter.New(&otter.Options[nearKey, *Session]{MaximumSize: nearSize})
	if err != nil {
		return nil, err
	}
	return &Sessions{store: store, ring: ring, codec: newCodec(ring), now: now, near: near}, nil
}

// Find returns the session that a cookie's value stands for, and ErrNotFound
// for everything that stands for none: level none, forged, expired, ended.
// Any other error means that the store could not tell.
func (s *Sessions) Find(ctx context.Context, site, value string) (*Session, error) {
	var room [512]byte // more than a cookie of ours has: on the stack
	key := sha256.Sum256(append(room[:0], value...))
	now := s.now()
	if live, ok := s.near.GetIfPresent(key); ok && live.Site == site && live.settled.Load() {
		if s.expired(live, now) {
			s.forget(live)
			return nil, ErrNotFound
		}
		s.use(live, now)
		return live, nil
	}
	cl, err := s.codec.decode(CookieName(site), value)
	if err != nil || !cl.hasToken {
		return nil, ErrNotFound
	}
	return s.load(ctx, site, key, cl, now)
}

// load reads a record into the near cache, unless a session ended meanwhile:
// then the record may be the one that ended, and the next request reads again.
func (s *Sessions) load(ctx context.Context, site string, key nearKey, cl claim, now time.Time) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	epoch := s.epoch.Load()
	rec, err := s.store.Find(ctx, cl.token.id(), now)
	if err != nil {
		return nil, err
	}
	if rec.Site != site || rec.Family != cl.family {
		return nil, ErrNotFound
	}
	live := s.live(rec, cl.token, key)
	s.near.Set(key, live)
	if s.epoch.Load() == epoch {
		live.settled.Store(true) // an end that comes now finds the entry
	} else {
		s.near.Invalidate(key)
	}
	s.use(live, now)
	return live, nil
}

func (s *Sessions) live(rec Record, t token, key nearKey) *Session {
	live := &Session{Record: rec, token: t, near: key,
		Cookies: s.ring.For("console-cookie", rec.Site, string(rec.Family[:])),
		tokens:  s.tokenKeys(rec.Site, rec.Family)}
	live.seen.Store(rec.SeenAt.UnixNano())
	live.touched.Store(rec.SeenAt.UnixNano())
	return live
}

func (s *Sessions) expired(live *Session, now time.Time) bool {
	return live.ended.Load() || !now.Before(live.ExpiresAt) ||
		now.UnixNano()-live.seen.Load() >= int64(live.Idle)
}

// use notes activity, and writes it down at most once a minute.
func (s *Sessions) use(live *Session, now time.Time) {
	live.seen.Store(now.UnixNano())
	last := live.touched.Load()
	if now.UnixNano()-last < int64(min(touchEvery, live.Idle/4)) || !live.touched.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.behind.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if s.store.Touch(ctx, live.ID, now) != nil {
			live.touched.Store(last) // the next request tries again
		}
	})
}

// Begin starts a session at first_factor. It chooses id and family, binds the
// tokens that the console issued, and returns the cookie that the browser
// must get.
func (s *Sessions) Begin(ctx context.Context, rec Record, tokens ...string) (*Session, *http.Cookie, error) {
	cl := newClaim()
	rec.ID, rec.Family, rec.Level = cl.token.id(), cl.family, identity.FirstFactor
	rec.SeenAt, rec.Bound = rec.BeganAt, nil
	for _, t := range tokens {
		rec.Bound = append(rec.Bound, seal.Digest(s.tokenKeys(rec.Site, rec.Family)[0], t))
	}
	ck, err := s.cookieFor(rec.Site, cl)
	if err != nil {
		return nil, nil, err
	}
	if err := s.store.Create(ctx, rec); err != nil {
		return nil, nil, err
	}
	return s.live(rec, cl.token, sha256.Sum256([]byte(ck.Value))), ck, nil
}

// Raise makes a first_factor session verified, for lifetime and with idle
// from now on, under a new token and the same family. The old token is void:
// of two parallel calls one gets ErrNotFound. It keeps the id of its
// challenge, under which an answer of the console may wait to be shown.
func (s *Sessions) Raise(ctx context.Context, live *Session, amr []string, idle, lifetime time.Duration) (*Session, *http.Cookie, error) {
	if live.Level != identity.FirstFactor {
		return nil, nil, errors.New("sessions: only a first_factor session can be raised")
	}
	cl := newClaim()
	cl.family = live.Family
	rec, now := live.Record, s.now()
	rec.ID, rec.Level = cl.token.id(), identity.Verified
	rec.AMR, rec.AuthTime, rec.SeenAt = amr, now, now
	rec.Idle, rec.ExpiresAt = idle, now.Add(lifetime)
	ck, err := s.cookieFor(rec.Site, cl)
	if err != nil {
		return nil, nil, err
	}
	s.forget(live)
	err = s.store.Replace(ctx, live.ID, rec)
	s.forget(live) // a load may have put it back before it was replaced
	if err != nil {
		return nil, nil, err
	}
	return s.live(rec, cl.token, sha256.Sum256([]byte(ck.Value))), ck, nil
}

// End ends a session now. A session that is gone already is no error.
func (s *Sessions) End(ctx context.Context, live *Session) error {
	_, err := s.store.End(ctx, live.ID)
	s.forget(live)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// EndSubject ends all sessions of a subject. It is rare, and empties the near
// cache whole.
func (s *Sessions) EndSubject(ctx context.Context, who identity.Subject) error {
	_, err := s.store.EndSubject(ctx, who)
	s.epoch.Add(1)
	s.near.InvalidateAll()
	return errors.Join(err, s.store.ForgetPasses(ctx, who))
}

// forget takes a session out of the near cache, and keeps a load that is
// under way from putting it back.
func (s *Sessions) forget(live *Session) {
	live.ended.Store(true)
	s.epoch.Add(1)
	s.near.Invalidate(live.near)
}

// Dropped is the cookie of a browser at level none: a new family, no record.
func (s *Sessions) Dropped(site string) (*http.Cookie, error) {
	cl := newClaim()
	cl.hasToken = false
	return s.cookieFor(site, cl)
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

// Close waits for what is on its way to the store.
func (s *Sessions) Close() { s.behind.Wait() }

// tokenKeys are the keys by which a session remembers header and body tokens
// that the console issued in its login: never a bare hash.
func (s *Sessions) tokenKeys(site string, f Family) [][]byte {
	return s.ring.Derive("token-binding", site, string(f[:]))
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
