package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// SessionStores is what lies in the store of sessions.
type SessionStores struct {
	Sessions   sessions.Store
	Challenges challenge.Store
	Escrows    escrow.Store
}

// Sessions runs the suite. open gives an empty store, which it also closes at
// the end of the test.
func Sessions(t *testing.T, open func(t *testing.T) SessionStores) {
	for name, test := range map[string]func(*testing.T, sessions.Store){
		"round trip":     sessionRoundTrip,
		"strength":       sessionStrength,
		"odd names":      sessionOddNames,
		"create twice":   sessionCreateTwice,
		"expiry":         sessionExpiry,
		"touch":          sessionTouch,
		"touch, crowd":   sessionTouchCrowd,
		"touch, many":    sessionTouchMany,
		"replace":        sessionReplace,
		"list":           sessionList,
		"replace, crowd": sessionReplaceCrowd,
		"end, crowd":     sessionEndCrowd,
		"end subject":    sessionEndSubject,
		"canceled":       sessionCanceled,
	} {
		t.Run("sessions/"+name, func(t *testing.T) { test(t, open(t).Sessions) })
	}
	challenges(t, open)
	escrows(t, open)
}

// newSession has a value in every field.
func newSession(now time.Time) sessions.Record { return newSessionOf(alice, now) }

// newSessionOf has an id in its subject's shard, as all sessions do.
func newSessionOf(who identity.Subject, now time.Time) sessions.Record {
	r := sessions.Record{
		Site: "wiki", Source: "console", Subject: who, Level: identity.Verified, AMR: []string{"pwd", "otp"},
		BeganAt: now.Add(-time.Minute), AuthTime: now.Add(-30 * time.Second), SeenAt: now,
		ExpiresAt: now.Add(24 * time.Hour), Idle: time.Hour, Challenge: "c1", Waiting: "shown/c1",
		Bound: [][]byte{{1, 0, 255}, {2}}, Passed: true, Strength: identity.Device, Groups: []string{"staff/it", "用户"}, Address: "2001:db8::1", Browser: "Mozilla/5.0 \xe2\x82", // cut inside a rune
	}
	_, _ = rand.Read(r.ID[:])
	r.ID[0] = sessions.ShardOf(who)
	_, _ = rand.Read(r.Family[:])
	return r
}

// sameSession compares; a store need not tell an empty list from none.
func sameSession(t *testing.T, got, want sessions.Record) {
	t.Helper()
	for _, r := range []*sessions.Record{&got, &want} {
		r.AMR, r.Bound = slices.Clip(append([]string{}, r.AMR...)), append([][]byte{}, r.Bound...)
		for _, at := range []*time.Time{&r.BeganAt, &r.AuthTime, &r.SeenAt, &r.ExpiresAt} {
			*at = at.UTC()
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func sessionRoundTrip(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	full := newSession(now)
	bare := sessions.Record{ID: sessions.ID{sessions.ShardOf(alice)}, Subject: alice, Level: identity.FirstFactor,
		SeenAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour}
	empty := newSession(now)
	empty.AMR, empty.Bound = []string{}, [][]byte{}
	long := newSession(now)
	long.Browser, long.AMR = strings.Repeat("é", 10_000), slices.Repeat([]string{"otp"}, 500)
	for _, r := range []sessions.Record{full, bare, empty, long} {
		must(t, s.Create(ctx, r))
		got, err := s.Find(ctx, r.ID, now)
		must(t, err)
		sameSession(t, got, r)
	}
	got, err := s.End(ctx, full.ID)
	must(t, err)
	sameSession(t, got, full)
}

// sessionStrength: each comes back as itself, whatever else is known; one that
// does not exist is refused.
func sessionStrength(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	for strength := identity.Unproved; strength <= identity.Key; strength++ {
		for _, level := range []identity.Level{identity.FirstFactor, identity.Verified} {
			r := newSession(now)
			r.Strength, r.Level, r.Passed = strength, level, false
			must(t, s.Create(ctx, r))
			got, err := s.Find(ctx, r.ID, now)
			must(t, err)
			sameSession(t, got, r)
		}
	}
	odd := newSession(now)
	odd.Strength = identity.Key + 1
	wantUnknown(t, "a strength that does not exist", s.Create(ctx, odd), sessions.ErrNotFound)
}

func sessionOddNames(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	ids := map[string]sessions.ID{}
	for _, name := range oddNames {
		r := newSessionOf(identity.Subject{Realm: alice.Realm, Name: name}, now)
		ids[name] = r.ID
		must(t, s.Create(ctx, r))
		got, err := s.Find(ctx, r.ID, now)
		must(t, err)
		sameSession(t, got, r)
	}
	for name, id := range ids {
		ended, err := s.EndSubject(ctx, identity.Subject{Realm: alice.Realm, Name: name})
		must(t, err)
		if !slices.Equal(ended, []sessions.ID{id}) {
			t.Errorf("%q: ended %d sessions, not its own one", name, len(ended))
		}
	}
}

func sessionCreateTwice(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	first := newSession(now)
	second := newSession(now)
	second.ID, second.Family = first.ID, sessions.Family{}
	must(t, s.Create(ctx, first))
	wantUnknown(t, "create with an id in use", s.Create(ctx, second), sessions.ErrNotFound)
	got, err := s.Find(ctx, first.ID, now)
	must(t, err)
	sameSession(t, got, first)
}

func sessionExpiry(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	for name, c := range map[string]struct {
		change func(*sessions.Record)
		last   time.Duration // the last millisecond in which it is found
	}{
		"absolute": {func(r *sessions.Record) { r.ExpiresAt = now.Add(time.Minute) }, time.Minute},
		"idle":     {func(r *sessions.Record) { r.Idle = time.Minute }, time.Minute},
		"seen":     {func(r *sessions.Record) { r.Idle, r.SeenAt = time.Minute, now.Add(-30*time.Second) }, 30 * time.Second},
	} {
		r := newSession(now)
		c.change(&r)
		must(t, s.Create(ctx, r))
		if _, err := s.Find(ctx, r.ID, now.Add(c.last-time.Millisecond)); err != nil {
			t.Errorf("%s: a moment before: %v", name, err)
		}
		_, err := s.Find(ctx, r.ID, now.Add(c.last))
		wantErr(t, name+": at the instant itself", err, sessions.ErrNotFound)
	}
	_, err := s.Find(ctx, sessions.ID{9}, now)
	wantErr(t, "never there", err, sessions.ErrNotFound)
}

func seenAt(at time.Time, ids ...sessions.ID) map[sessions.ID]time.Time {
	seen := make(map[sessions.ID]time.Time)
	for _, id := range ids {
		seen[id] = at
	}
	return seen
}

// sessionTouchMany: of many at once, each is touched; those that are gone keep
// no other one back.
func sessionTouchMany(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	seen := seenAt(now.Add(time.Minute), sessions.ID{9})
	var all []sessions.Record
	for i := range 1500 {
		r := newSession(now)
		r.Subject.Name = fmt.Sprint("person ", i)
		r.ID[0] = sessions.ShardOf(r.Subject)
		if i%300 == 0 { // the others need not be there
			must(t, s.Create(ctx, r))
			all = append(all, r)
		}
		seen[r.ID] = now.Add(time.Minute)
	}
	must(t, s.Touch(ctx, seen))
	for _, r := range all {
		got, err := s.Find(ctx, r.ID, now.Add(time.Minute))
		must(t, err)
		same(t, r.Subject.Name, got.SeenAt, now.Add(time.Minute))
	}
	must(t, s.Touch(ctx, nil))
}

func sessionTouch(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	r := newSession(now)
	must(t, s.Create(ctx, r))
	seen := func(what string, want time.Time) {
		t.Helper()
		got, err := s.Find(ctx, r.ID, want)
		must(t, err)
		same(t, what, got.SeenAt, want)
	}
	must(t, s.Touch(ctx, seenAt(now.Add(time.Minute), r.ID)))
	seen("forward", now.Add(time.Minute))
	must(t, s.Touch(ctx, seenAt(now, r.ID)))
	seen("not back", now.Add(time.Minute))
	must(t, s.Touch(ctx, seenAt(now, sessions.ID{9})))
	must(t, s.Touch(ctx, seenAt(now.Add(2*time.Hour), r.ID))) // idle since the hour before
	_, err := s.Find(ctx, r.ID, now.Add(2*time.Hour))
	wantErr(t, "touched after it ended", err, sessions.ErrNotFound)
}

func sessionTouchCrowd(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	r := newSession(now)
	must(t, s.Create(ctx, r))
	race(t, nil, func(i int) error { return s.Touch(ctx, seenAt(now.Add(time.Duration(i)*time.Second), r.ID)) })
	got, err := s.Find(ctx, r.ID, now.Add(time.Minute))
	must(t, err)
	same(t, "the latest holds", got.SeenAt, now.Add((crowd-1)*time.Second))
}

// sessionList: what Find finds, of one subject, also what others say of it.
func sessionList(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	mine, said, over, other := newSession(now), newSession(now), newSession(now), newSessionOf(identity.Subject{Realm: alice.Realm, Name: "bob"}, now)
	said.Passed = false
	over.Idle = time.Minute
	for _, r := range []sessions.Record{mine, said, over, other} {
		must(t, s.Create(ctx, r))
	}
	got, err := s.List(ctx, alice, now.Add(2*time.Minute))
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("%d sessions", len(got))
	}
	if got[0].ID != mine.ID {
		got[0], got[1] = got[1], got[0]
	}
	sameSession(t, got[0], mine)
	sameSession(t, got[1], said)
	none, err := s.List(ctx, identity.Subject{Realm: alice.Realm, Name: "carol"}, now)
	if err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}

func sessionReplace(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	old, next, late := newSession(now), newSession(now), newSession(now)
	must(t, s.Create(ctx, old))
	must(t, s.Replace(ctx, old.ID, next))
	_, err := s.Find(ctx, old.ID, now)
	wantErr(t, "the old one", err, sessions.ErrNotFound)
	got, err := s.Find(ctx, next.ID, now)
	must(t, err)
	sameSession(t, got, next)

	wantErr(t, "replace one that is gone", s.Replace(ctx, old.ID, late), sessions.ErrNotFound)
	_, err = s.Find(ctx, late.ID, now)
	wantErr(t, "nothing was stored", err, sessions.ErrNotFound)

	taken := late
	taken.ID = next.ID
	must(t, s.Create(ctx, old))
	wantUnknown(t, "replace by an id in use", s.Replace(ctx, old.ID, taken), sessions.ErrNotFound)
	_, err = s.Find(ctx, old.ID, now)
	must(t, err) // half a replacement is none
}

func sessionReplaceCrowd(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	old := newSession(now)
	must(t, s.Create(ctx, old))
	next := make([]sessions.Record, crowd)
	for i := range next {
		next[i] = newSession(now)
	}
	if won := race(t, sessions.ErrNotFound, func(i int) error { return s.Replace(ctx, old.ID, next[i]) }); won != 1 {
		t.Errorf("%d replaced the same session", won)
	}
	left, err := s.EndSubject(ctx, alice)
	must(t, err)
	if len(left) != 1 {
		t.Errorf("%d sessions are left of one", len(left))
	}
}

func sessionEndCrowd(t *testing.T, s sessions.Store) {
	ctx := t.Context()
	r := newSession(clock())
	must(t, s.Create(ctx, r))
	if won := race(t, sessions.ErrNotFound, func(int) error { _, err := s.End(ctx, r.ID); return err }); won != 1 {
		t.Errorf("%d ended the same session", won)
	}
}

func sessionEndSubject(t *testing.T, s sessions.Store) {
	ctx, now := t.Context(), clock()
	mine := []sessions.Record{newSession(now), newSession(now)}
	other := newSessionOf(identity.Subject{Realm: alice.Realm, Name: "bob"}, now)
	realm := newSessionOf(identity.Subject{Realm: "blog", Name: alice.Name}, now)
	for _, r := range append(mine, other, realm) {
		must(t, s.Create(ctx, r))
	}
	ended, err := s.EndSubject(ctx, alice)
	must(t, err)
	if len(ended) != 2 || !slices.Contains(ended, mine[0].ID) || !slices.Contains(ended, mine[1].ID) {
		t.Errorf("ended %d sessions, want alice's two", len(ended))
	}
	for _, r := range mine {
		_, err := s.Find(ctx, r.ID, now)
		wantErr(t, "ended", err, sessions.ErrNotFound)
	}
	for _, r := range []sessions.Record{other, realm} {
		_, err := s.Find(ctx, r.ID, now)
		must(t, err)
	}
	if again, err := s.EndSubject(ctx, alice); err != nil || len(again) != 0 {
		t.Errorf("again: %d ids, %v", len(again), err)
	}
}

func sessionCanceled(t *testing.T, s sessions.Store) {
	now := clock()
	r := newSession(now)
	must(t, s.Create(t.Context(), r))
	ctx := canceled(t)
	for what, do := range map[string]func(context.Context) error{
		"create":  func(ctx context.Context) error { return s.Create(ctx, newSession(now)) },
		"find":    func(ctx context.Context) error { _, err := s.Find(ctx, r.ID, now); return err },
		"find 2":  func(ctx context.Context) error { _, err := s.Find(ctx, sessions.ID{9}, now); return err },
		"replace": func(ctx context.Context) error { return s.Replace(ctx, r.ID, newSession(now)) },
		"touch":   func(ctx context.Context) error { return s.Touch(ctx, seenAt(now, r.ID)) },
		"end":     func(ctx context.Context) error { _, err := s.End(ctx, r.ID); return err },
		"subject": func(ctx context.Context) error { _, err := s.EndSubject(ctx, alice); return err },
	} {
		wantUnknown(t, what, do(ctx), sessions.ErrNotFound)
	}
	_, err := s.Find(t.Context(), r.ID, now)
	must(t, err)
}
