package sessions

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// Begin makes a session at first_factor, which Start stores. It chooses id and
// family, binds the tokens that the console issued, and returns the cookie
// that the browser must get once the session is stored.
func (s *Sessions) Begin(rec Record, tokens ...string) (*Session, *http.Cookie, error) {
	rec.Level = identity.FirstFactor
	return s.begin(rec, tokens)
}

// Admit makes a verified session and stores it: of somebody who is not asked
// for a second factor of ours, which the policy has decided. AMR and AuthTime
// are what the issuer said.
func (s *Sessions) Admit(ctx context.Context, rec Record, tokens ...string) (*Session, *http.Cookie, error) {
	rec.Level = identity.Verified
	live, ck, err := s.begin(rec, tokens)
	if err == nil {
		err = s.Start(ctx, live)
	}
	if err == nil {
		err = s.overtaken(ctx, live)
	}
	if err != nil {
		return nil, nil, err
	}
	s.keep(live)
	return live, ck, nil
}

// overtaken ends a session, with ErrNotFound, whose subject's sessions were
// ended while it was on its way into the store.
func (s *Sessions) overtaken(ctx context.Context, live *Session) error {
	ended, err := s.Ledger.Ended(ctx, live.Subject, live.ID.inLedger(), live.BeganAt)
	if err != nil || !ended {
		return err
	}
	return errors.Join(ErrNotFound, s.End(ctx, live))
}

func (s *Sessions) begin(rec Record, tokens []string) (*Session, *http.Cookie, error) {
	cl := newClaim().withToken(rec.Subject)
	rec.ID, rec.Family = cl.token.id(), cl.family
	rec.SeenAt, rec.Bound = rec.BeganAt, nil
	for _, t := range tokens {
		rec.Bound = append(rec.Bound, seal.Digest(s.tokenKeys(rec.Site, rec.Family)[0], t))
	}
	ck, err := s.cookieFor(rec.Site, cl)
	if err != nil {
		return nil, nil, err
	}
	return s.live(rec, cl.token, nearKey(ck.Value), s.near.now()), ck, nil
}

// Start stores a session that was begun.
func (s *Sessions) Start(ctx context.Context, live *Session) error {
	return s.Store.Create(ctx, live.Record)
}

// Raised is what becomes of a session whose person passed.
type Raised struct {
	AMR      []string // of the first factor and the second
	Strength identity.Strength
	AuthTime time.Time
	Waiting  string // an answer of the console that is to be shown at the first page load
	Idle     time.Duration
	Life     time.Duration // from now on
}

// Raise makes a first_factor session verified, under a new token and the same
// family. The old token is void: of two parallel calls one gets ErrNotFound.
func (s *Sessions) Raise(ctx context.Context, live *Session, to Raised) (*Session, *http.Cookie, error) {
	if live.Level != identity.FirstFactor {
		return nil, nil, errors.New("sessions: only a first_factor session can be raised")
	}
	rec := live.Record
	rec.Level, rec.Passed = identity.Verified, true
	rec.AMR, rec.Strength, rec.AuthTime = to.AMR, to.Strength, to.AuthTime
	rec.Challenge, rec.Waiting = "", to.Waiting
	rec.Idle, rec.ExpiresAt = to.Idle, s.Now().Add(to.Life)
	return s.replace(ctx, live, rec)
}

// Renew notes that the person of a verified session passed again, under a new
// token. It lives no longer for that. What is open of it is cut: it belongs to
// the old token, which is void.
func (s *Sessions) Renew(ctx context.Context, live *Session, amr []string, strength identity.Strength, at time.Time) (*Session, *http.Cookie, error) {
	if live.Level != identity.Verified {
		return nil, nil, errors.New("sessions: only a verified session can be renewed")
	}
	rec := live.Record
	rec.Passed, rec.AMR, rec.Strength, rec.AuthTime = true, amr, strength, at
	renewed, ck, err := s.replace(ctx, live, rec)
	if err == nil {
		s.heardEnd(live.ID)
	}
	return renewed, ck, err
}

// replace stores a session under a new token in place of the old one.
func (s *Sessions) replace(ctx context.Context, live *Session, rec Record) (*Session, *http.Cookie, error) {
	cl := claim{family: live.Family}.withToken(live.Subject)
	rec.ID, rec.SeenAt = cl.token.id(), s.Now()
	ck, err := s.cookieFor(rec.Site, cl)
	if err != nil {
		return nil, nil, err
	}
	read := s.near.now()
	if err := s.Store.Replace(ctx, live.ID, rec); err != nil {
		return nil, nil, err
	}
	live.ended.Store(true)
	next := s.live(rec, cl.token, nearKey(ck.Value), read)
	s.keep(next)
	return next, ck, nil
}
