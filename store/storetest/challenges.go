package storetest

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

func challenges(t *testing.T, open func(t *testing.T) SessionStores) {
	for name, test := range map[string]func(*testing.T, challenge.Store){
		"round trip":     challengeRoundTrip,
		"expiry":         challengeExpiry,
		"attempts":       challengeAttempts,
		"attempt, crowd": challengeAttemptCrowd,
		"take, crowd":    challengeTakeCrowd,
		"canceled":       challengeCanceled,

		"parts":              partsRoundTrip,
		"keep part":          partKept,
		"keep part, crowd":   partKeptCrowd,
		"put part":           partPut,
		"put part, crowd":    partPutCrowd,
		"take part":          partTaken,
		"take part, crowd":   partTakenCrowd,
		"parts, all at once": partsApart,
		"open":               gateOpened,
		"open, crowd":        gateOpenedCrowd,
	} {
		t.Run("challenges/"+name, func(t *testing.T) { test(t, open(t).Challenges) })
	}
}

// newChallenge has a value in every field.
func newChallenge(now time.Time) challenge.Record {
	return challenge.Record{
		ID: "c-1", Session: sessions.ID{1, 0, 255}, Subject: alice, Site: "wiki", Purpose: challenge.Login,
		Reference: "7K3F-9QXM", Enroll: true, Gate: policy.ByOldFactor, Opened: "passkey",
		Binds: identity.TOTP, Instead: "credential-1", Strength: identity.Telephone,
		ReturnTo: "/a?b=%00'\"&c=\xff", Escrow: true,
		CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute), Attempts: 2,
		Parts: map[string]challenge.Part{"key": newPart("key", "p-0", now), "sent": newPart("sent", "p-1", now)},
	}
}

// sameChallenge compares; a store need not tell no parts from none.
func sameChallenge(t *testing.T, got, want challenge.Record) {
	t.Helper()
	if len(got.Parts) != len(want.Parts) {
		t.Errorf("%d parts, want %d", len(got.Parts), len(want.Parts))
	}
	for name, p := range want.Parts {
		samePart(t, got.Parts[name], p)
	}
	for _, r := range []*challenge.Record{&got, &want} {
		r.Parts = nil
		r.CreatedAt, r.ExpiresAt = r.CreatedAt.UTC(), r.ExpiresAt.UTC()
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func challengeRoundTrip(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	full := newChallenge(now)
	bare := challenge.Record{ID: "bare", Subject: alice, ExpiresAt: now.Add(time.Minute)}
	long := newChallenge(now)
	long.ID, long.ReturnTo = "long", "/"+strings.Repeat("%C3%A9", 5000)
	for _, r := range []challenge.Record{full, bare, long} {
		must(t, s.Create(ctx, r))
		wantUnknown(t, "create with an id in use", s.Create(ctx, r), challenge.ErrNotFound)
		got, err := s.Find(ctx, r.ID, now)
		must(t, err)
		sameChallenge(t, got, r)
		got, err = s.Take(ctx, r.ID, now)
		must(t, err)
		sameChallenge(t, got, r)
		_, err = s.Take(ctx, r.ID, now)
		wantErr(t, "taken twice", err, challenge.ErrNotFound)
	}
}

func challengeExpiry(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := newChallenge(now)
	r.Opened = ""
	r.Parts["key"] = newPart("key", "p-0", r.ExpiresAt) // no part outlives its challenge
	must(t, s.Create(ctx, r))
	_, err := s.Find(ctx, r.ID, r.ExpiresAt.Add(-time.Millisecond))
	must(t, err)
	for what, do := range challengeCalls(s, r.ID, r.ExpiresAt) {
		wantErr(t, what+" at expiry", do(ctx), challenge.ErrNotFound)
	}
	for what, do := range challengeCalls(s, "never", now) {
		wantErr(t, what+" of one that never was", do(ctx), challenge.ErrNotFound)
	}
}

func challengeCalls(s challenge.Store, id string, now time.Time) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"find":    func(ctx context.Context) error { _, err := s.Find(ctx, id, now); return err },
		"attempt": func(ctx context.Context) error { _, err := s.Attempt(ctx, id, 9, now); return err },
		"keep": func(ctx context.Context) error {
			_, err := s.KeepPart(ctx, id, newPart("new", "p", now), now)
			return err
		},
		"put":       func(ctx context.Context) error { return s.PutPart(ctx, id, newPart("new", "p", now), now) },
		"take part": func(ctx context.Context) error { _, err := s.TakePart(ctx, id, "key", "p-0", now); return err },
		"open":      func(ctx context.Context) error { return s.Open(ctx, id, "ticket", identity.Key, now) },
		"take":      func(ctx context.Context) error { _, err := s.Take(ctx, id, now); return err },
	}
}

func challengeAttempts(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := newChallenge(now) // two are spent
	must(t, s.Create(ctx, r))
	for _, want := range []int{2, 1, 0} {
		if left, err := s.Attempt(ctx, r.ID, 5, now); err != nil || left != want {
			t.Errorf("got %d left, %v; want %d", left, err, want)
		}
	}
	_, err := s.Attempt(ctx, r.ID, 5, now)
	wantErr(t, "the sixth", err, challenge.ErrExhausted)
	got, err := s.Find(ctx, r.ID, now)
	must(t, err)
	if got.Attempts != 5 {
		t.Errorf("%d attempts are on record, want 5", got.Attempts)
	}
}

func challengeAttemptCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := newChallenge(now)
	r.Attempts = 0
	must(t, s.Create(ctx, r))
	var mu sync.Mutex
	left := map[int]bool{}
	won := race(t, challenge.ErrExhausted, func(int) error {
		n, err := s.Attempt(ctx, r.ID, 5, now)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			left[n] = true
		}
		return err
	})
	if won != 5 || len(left) != 5 {
		t.Errorf("%d attempts of 5 succeeded, with %d different remainders", won, len(left))
	}
}

func challengeTakeCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := newChallenge(now)
	must(t, s.Create(ctx, r))
	if won := race(t, challenge.ErrNotFound, func(int) error { _, err := s.Take(ctx, r.ID, now); return err }); won != 1 {
		t.Errorf("%d took the same challenge", won)
	}
}

func challengeCanceled(t *testing.T, s challenge.Store) {
	now := clock()
	r := newChallenge(now)
	r.Opened = ""
	must(t, s.Create(t.Context(), r))
	for _, id := range []string{r.ID, "never"} {
		for what, do := range challengeCalls(s, id, now) {
			wantUnknown(t, what, do(canceled(t)), challenge.ErrNotFound, challenge.ErrExhausted)
		}
	}
	got, err := s.Find(t.Context(), r.ID, now)
	must(t, err)
	sameChallenge(t, got, r)
}

func escrows(t *testing.T, open func(t *testing.T) SessionStores) {
	for name, test := range map[string]func(*testing.T, escrow.Store){
		"once":        escrowOnce,
		"expiry":      escrowExpiry,
		"take, crowd": escrowCrowd,
	} {
		t.Run("escrows/"+name, func(t *testing.T) { test(t, open(t).Escrows) })
	}
}

func escrowOnce(t *testing.T, s escrow.Store) {
	ctx, now := t.Context(), clock()
	big := bytes.Repeat([]byte("\x00\xff'\n"), 1<<18)
	for id, blob := range map[string][]byte{"a": {0}, "b": big, "c": {}, "d": nil} {
		must(t, s.Put(ctx, id, blob, now.Add(time.Minute)))
		wantUnknown(t, "put under an id in use", s.Put(ctx, id, []byte("other"), now.Add(time.Hour)), escrow.ErrNotFound)
		_, err := s.Take(canceled(t), id, now)
		wantUnknown(t, "take, canceled", err, escrow.ErrNotFound)
		got, err := s.Take(ctx, id, now)
		must(t, err)
		if !bytes.Equal(got, blob) {
			t.Errorf("%s: %d bytes came back of %d", id, len(got), len(blob))
		}
		_, err = s.Take(ctx, id, now)
		wantErr(t, "taken twice", err, escrow.ErrNotFound)
	}
	wantUnknown(t, "put, canceled", s.Put(canceled(t), "e", nil, now), escrow.ErrNotFound)
}

func escrowExpiry(t *testing.T, s escrow.Store) {
	ctx, now := t.Context(), clock()
	must(t, s.Put(ctx, "a", []byte("x"), now.Add(time.Minute)))
	must(t, s.Put(ctx, "b", []byte("x"), now.Add(time.Minute)))
	_, err := s.Take(ctx, "a", now.Add(time.Minute-time.Millisecond))
	must(t, err)
	_, err = s.Take(ctx, "b", now.Add(time.Minute))
	wantErr(t, "at expiry", err, escrow.ErrNotFound)
	_, err = s.Take(ctx, "never", now)
	wantErr(t, "never there", err, escrow.ErrNotFound)
}

func escrowCrowd(t *testing.T, s escrow.Store) {
	ctx, now := t.Context(), clock()
	must(t, s.Put(ctx, "a", []byte("x"), now.Add(time.Minute)))
	if won := race(t, escrow.ErrNotFound, func(int) error { _, err := s.Take(ctx, "a", now); return err }); won != 1 {
		t.Errorf("%d took the same escrow", won)
	}
}
