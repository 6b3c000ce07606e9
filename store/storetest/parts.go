package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

const partLife = 5 * time.Minute

func newPart(name, id string, now time.Time) challenge.Part {
	return challenge.Part{Name: name, ID: id, Data: []byte{0, 1, 255}, ExpiresAt: now.Add(partLife)}
}

func samePart(t *testing.T, got, want challenge.Part) {
	t.Helper()
	same(t, "the end of part "+want.ID, got.ExpiresAt, want.ExpiresAt)
	if got.Name != want.Name || got.ID != want.ID || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("got part %.40q %.40q of %d bytes, want %.40q %.40q of %d",
			got.Name, got.ID, len(got.Data), want.Name, want.ID, len(want.Data))
	}
}

// ungated is a challenge that has neither parts nor an open gate.
func ungated(t *testing.T, s challenge.Store, now time.Time) challenge.Record {
	t.Helper()
	r := newChallenge(now)
	r.Parts, r.Opened, r.Strength = nil, "", identity.Unproved
	must(t, s.Create(t.Context(), r))
	return r
}

// holds: the challenge is what it was, and has these parts.
func holds(t *testing.T, s challenge.Store, r challenge.Record, now time.Time, parts ...challenge.Part) {
	t.Helper()
	r.Parts = map[string]challenge.Part{}
	for _, p := range parts {
		r.Parts[p.Name] = p
	}
	got, err := s.Find(t.Context(), r.ID, now)
	must(t, err)
	sameChallenge(t, got, r)
}

// partsRoundTrip: any name, id and data come back, and nothing else changes.
func partsRoundTrip(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	all := []challenge.Part{
		newPart("key", "p-1", now),
		newPart("key ", "p-1", now),
		newPart("KEY", "", now),
		{Name: "'; DROP--", ID: "\x00\xff|", Data: nil, ExpiresAt: now.Add(time.Hour)}, // outlives its challenge
		{Name: "用户", ID: strings.Repeat("x", 300), Data: bytes.Repeat([]byte("\x00\xff'\n"), 1<<13), ExpiresAt: now.Add(time.Minute)},
	}
	for i, p := range all {
		must(t, s.PutPart(ctx, r.ID, p, now))
		holds(t, s, r, now, all[:i+1]...)
	}
	for i, p := range all {
		got, err := s.TakePart(ctx, r.ID, p.Name, p.ID, now)
		must(t, err)
		samePart(t, got, p)
		holds(t, s, r, now, all[i+1:]...)
	}
}

func partKept(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	other := newPart("other", "p-0", now.Add(time.Hour))
	must(t, s.PutPart(ctx, r.ID, other, now))
	keep := func(what, id string, at time.Time, want challenge.Part) {
		t.Helper()
		got, err := s.KeepPart(ctx, r.ID, newPart("key", id, at), at)
		must(t, err)
		samePart(t, got, want)
		if t.Failed() {
			t.Fatal(what)
		}
		holds(t, s, r, at, other, want)
	}
	first, after := newPart("key", "p-1", now), now.Add(partLife)
	keep("none there", "p-1", now, first)
	keep("one there", "p-2", after.Add(-time.Millisecond), first)
	keep("it expired", "p-3", after, newPart("key", "p-3", after))
}

func partKeptCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	got := make([]challenge.Part, crowd)
	race(t, nil, func(i int) (err error) {
		got[i], err = s.KeepPart(ctx, r.ID, newPart("key", fmt.Sprint("p-", i), now), now)
		return err
	})
	for _, p := range got {
		if p.ID != got[0].ID {
			t.Fatalf("the crowd does not agree: %q and %q", got[0].ID, p.ID)
		}
	}
	holds(t, s, r, now, got[0])
}

// partPut: the last one holds, and what was before it is worth nothing.
func partPut(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	first, second := newPart("sent", "p-1", now), newPart("sent", "p-2", now)
	second.Data, second.ExpiresAt = []byte("longer than the first"), now.Add(time.Minute)
	must(t, s.PutPart(ctx, r.ID, first, now))
	must(t, s.PutPart(ctx, r.ID, second, now))
	holds(t, s, r, now, second)
	_, err := s.TakePart(ctx, r.ID, "sent", "p-1", now)
	wantErr(t, "take the one before", err, challenge.ErrNotFound)
	kept, err := s.KeepPart(ctx, r.ID, first, now)
	must(t, err)
	samePart(t, kept, second)
	got, err := s.TakePart(ctx, r.ID, "sent", "p-2", now)
	must(t, err)
	samePart(t, got, second)
}

// partPutCrowd: names do not get into each other's way.
func partPutCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	race(t, nil, func(i int) error {
		return s.PutPart(ctx, r.ID, newPart(fmt.Sprint("name ", i%8), fmt.Sprint(i), now), now)
	})
	got, err := s.Find(ctx, r.ID, now)
	must(t, err)
	if len(got.Parts) != 8 {
		t.Errorf("%d parts of 8 are there", len(got.Parts))
	}
}

func partTaken(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	must(t, s.PutPart(ctx, r.ID, newPart("sent", "p-1", now), now))
	must(t, s.PutPart(ctx, r.ID, newPart("other", "p-2", now), now))
	for what, try := range map[string]struct {
		challenge, name, id string
		at                  time.Time
	}{
		"another id":          {r.ID, "sent", "p-3", now},
		"no id":               {r.ID, "sent", "", now},
		"a part of the id":    {r.ID, "sent", "p-", now},
		"the id of another":   {r.ID, "sent", "p-2", now},
		"another name":        {r.ID, "key", "p-1", now},
		"another challenge's": {"c-2", "sent", "p-1", now},
		"at its end":          {r.ID, "sent", "p-1", now.Add(partLife)},
	} {
		_, err := s.TakePart(ctx, try.challenge, try.name, try.id, try.at)
		wantErr(t, what, err, challenge.ErrNotFound)
	}
	_, err := s.TakePart(ctx, r.ID, "sent", "p-1", now.Add(partLife-time.Millisecond))
	must(t, err)
	_, err = s.TakePart(ctx, r.ID, "sent", "p-1", now)
	wantErr(t, "a second time", err, challenge.ErrNotFound)
	holds(t, s, r, now, newPart("other", "p-2", now))

	again := ungatedAs(t, s, now, "c-2") // what is gone does not come back with another challenge
	_, err = s.Take(ctx, r.ID, now)
	must(t, err)
	r.ID, r.Parts = "c-1", nil
	must(t, s.Create(ctx, r))
	holds(t, s, r, now)
	holds(t, s, again, now)
}

func ungatedAs(t *testing.T, s challenge.Store, now time.Time, id string) challenge.Record {
	t.Helper()
	r := newChallenge(now)
	r.ID, r.Parts = id, nil
	must(t, s.Create(t.Context(), r))
	return r
}

func partTakenCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	want := newPart("sent", "p-1", now)
	must(t, s.PutPart(ctx, r.ID, want, now))
	won := race(t, challenge.ErrNotFound, func(int) error {
		got, err := s.TakePart(ctx, r.ID, "sent", "p-1", now)
		if err == nil {
			samePart(t, got, want)
		}
		return err
	})
	if won != 1 {
		t.Errorf("%d took the same part", won)
	}
}

// partsApart: attempts, parts and the gate change at once, and none undoes
// another's change.
func partsApart(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	must(t, s.PutPart(ctx, r.ID, newPart("gone", "p", now), now))
	var all sync.WaitGroup
	do := func(change func() error) {
		all.Go(func() {
			if err := change(); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 20 {
		do(func() error { _, err := s.Attempt(ctx, r.ID, 100, now); return err })
		do(func() error { return s.PutPart(ctx, r.ID, newPart(fmt.Sprint(i), "p", now), now) })
	}
	do(func() error { return s.Open(ctx, r.ID, "sms", identity.Telephone, now) })
	do(func() error { _, err := s.TakePart(ctx, r.ID, "gone", "p", now); return err })
	all.Wait()
	got, err := s.Find(ctx, r.ID, now)
	must(t, err)
	if _, back := got.Parts["gone"]; back || got.Attempts != r.Attempts+20 || len(got.Parts) != 20 || got.Opened != "sms" {
		t.Errorf("%d attempts, %d parts, opened by %q", got.Attempts, len(got.Parts), got.Opened)
	}
}

func gateOpened(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	part := newPart("sent", "p-1", now)
	must(t, s.PutPart(ctx, r.ID, part, now))
	must(t, s.Open(ctx, r.ID, "sms", identity.Telephone, now))
	r.Opened, r.Strength = "sms", identity.Telephone
	holds(t, s, r, now, part)
	for _, by := range []string{"sms", "ticket"} {
		wantErr(t, "opened again, by "+by, s.Open(ctx, r.ID, by, identity.Key, now), challenge.ErrNotFound)
	}
	holds(t, s, r, now, part)
	wantUnknown(t, "a strength that does not exist", s.Open(ctx, r.ID, "sms", identity.Key+1, now), challenge.ErrNotFound)

	opened := newChallenge(now)
	opened.ID, opened.Gate = "c-2", policy.ByTicket
	must(t, s.Create(ctx, opened))
	wantErr(t, "one that was created open", s.Open(ctx, opened.ID, "ticket", identity.Key, now), challenge.ErrNotFound)
}

// gateOpenedCrowd: the strength is of the one who won.
func gateOpenedCrowd(t *testing.T, s challenge.Store) {
	ctx, now := t.Context(), clock()
	r := ungated(t, s, now)
	var winner int
	won := race(t, challenge.ErrNotFound, func(i int) error {
		err := s.Open(ctx, r.ID, fmt.Sprint(i), identity.Strength(i%5), now)
		if err == nil {
			winner = i
		}
		return err
	})
	if won != 1 {
		t.Fatalf("%d opened the same gate", won)
	}
	r.Opened, r.Strength = fmt.Sprint(winner), identity.Strength(winner%5)
	holds(t, s, r, now)
}
