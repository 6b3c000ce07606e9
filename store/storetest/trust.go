package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var trustTests = map[string]func(*testing.T, People){
	"trust":           trustBrowser,
	"ends":            trustEnds,
	"stays":           trustStays,
	"planned removal": trustUntilRemoval,
	"browsers":        trustBrowsers,
	"many browsers":   trustManyBrowsers,
}

// trusted makes a browser of the subject trusted until then.
func trusted(t *testing.T, s People, who identity.Subject, mark byte, now, until time.Time) {
	t.Helper()
	must(t, s.KnowBrowser(t.Context(), who, newPlace(mark), now))
	must(t, s.TrustBrowser(t.Context(), who, newPlace(mark).Mark, until))
}

func wantTrust(t *testing.T, what string, s People, who identity.Subject, mark byte, want time.Time) {
	t.Helper()
	b, err := s.Browser(t.Context(), who, newPlace(mark).Mark)
	must(t, err)
	same(t, what, b.TrustedUntil, want)
}

func trustBrowser(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	until := now.Add(30 * 24 * time.Hour)
	wantErr(t, "a stranger", s.TrustBrowser(ctx, alice, newPlace(1).Mark, until), accounts.ErrNoBrowser)
	trusted(t, s, alice, 1, now, until)
	must(t, s.KnowBrowser(ctx, alice, newPlace(2), now))
	must(t, s.KnowBrowser(ctx, bob, newPlace(1), now))
	wantErr(t, "another's browser", s.TrustBrowser(ctx, bob, newPlace(3).Mark, until), accounts.ErrNoBrowser)
	wantTrust(t, "the trusted one", s, alice, 1, until)
	wantTrust(t, "another one", s, alice, 2, time.Time{})
	wantTrust(t, "another's", s, bob, 1, time.Time{})
	must(t, s.KnowBrowser(ctx, alice, newPlace(1), now.Add(time.Hour)))
	wantTrust(t, "passed again", s, alice, 1, until)
	trusted(t, s, bob, 1, now, until)
	must(t, s.DistrustBrowsers(ctx, alice))
	wantTrust(t, "distrusted", s, alice, 1, time.Time{})
	wantTrust(t, "another's", s, bob, 1, until)
	b, err := s.Browser(ctx, alice, newPlace(1).Mark)
	must(t, err)
	if !b.Known || !b.PassedAt.Equal(now.Add(time.Hour)) {
		t.Errorf("the browser became %+v", b)
	}
}

// trustEnds: with every change of what is bound.
func trustEnds(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	until := now.Add(time.Hour)
	trusted(t, s, bob, 1, now, until)
	for i, change := range []func() error{
		func() error { return s.BindFirst(ctx, plain(alice, "k1", identity.TOTP, now)) },
		func() error { return s.Bind(ctx, plain(alice, "k2", identity.TOTP, now)) },
		func() error { return s.Remove(ctx, alice, "k1") },
		func() error { return s.RequireRebinding(ctx, alice, now) },
		func() error { return s.PutContact(ctx, newContact(alice, "c1", now), "") }, // for the next
		func() error { return s.Bind(ctx, plain(alice, "c1", identity.SMS, now)) },
		func() error { return s.PutContact(ctx, newContact(alice, "c2", now), "c1") },
		func() error { return s.RemoveContact(ctx, alice, "c2") },
		func() error { return s.EndSessions(ctx, alice, now) },
		func() error { return s.EndSessions(ctx, alice, now.Add(-time.Hour)) },
		func() error { return s.ResetFactors(ctx, alice, "k2") },
		func() error { return s.BindFirst(ctx, plain(alice, "k3", identity.TOTP, now), identity.Reset) },
		func() error { return s.ResetFactors(ctx, alice) },
	} {
		trusted(t, s, alice, 1, now, until)
		must(t, change())
		if i != 4 {
			wantTrust(t, fmt.Sprint("after change ", i), s, alice, 1, time.Time{})
		}
	}
	wantTrust(t, "another's", s, bob, 1, until)
}

// trustStays: what refuses, and what binds nothing, ends none.
func trustStays(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	until := now.Add(time.Hour)
	withFactors(t, s, alice, now, "k1")
	withCodes(t, s, alice, now)
	trusted(t, s, alice, 1, now, until)
	for what, err := range map[string]error{
		"remove the last":   s.Remove(ctx, alice, "k1"),
		"bind over nothing": s.Bind(ctx, plain(alice, "k2", identity.TOTP, now), "k9"),
		"reset nothing":     s.ResetFactors(ctx, alice, "k9"),
		"remove no contact": s.RemoveContact(ctx, alice, "c9"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	must(t, s.Rename(ctx, alice, "k1", "x"))
	must(t, s.PutContact(ctx, newContact(alice, "c1", now), ""))
	withCodes(t, s, alice, now)
	must(t, s.ForgetPasses(ctx, alice))
	must(t, s.Prefer(ctx, alice, identity.TOTP))
	wantTrust(t, "in the end", s, alice, 1, until)
}

// trustUntilRemoval: a removal that nobody calls when it is due ends the trust
// all the same.
func trustUntilRemoval(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	due, until := now.Add(72*time.Hour), now.Add(30*24*time.Hour)
	withFactors(t, s, alice, now, "k1", "k2")
	trusted(t, s, alice, 1, now, until)
	trusted(t, s, alice, 2, now, now.Add(time.Hour))
	trusted(t, s, bob, 1, now, until)
	must(t, s.PlanRemoval(ctx, alice, "k1", due))
	wantTrust(t, "given before", s, alice, 1, due)
	wantTrust(t, "shorter", s, alice, 2, now.Add(time.Hour))
	wantTrust(t, "another's", s, bob, 1, until)
	trusted(t, s, alice, 3, now, until)
	wantTrust(t, "given after", s, alice, 3, due)
	must(t, s.PlanRemoval(ctx, alice, "k1", time.Time{}))
	trusted(t, s, alice, 3, now, until)
	wantTrust(t, "canceled", s, alice, 3, until)
}

func trustBrowsers(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	if got, err := s.Browsers(ctx, alice); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
	trusted(t, s, alice, 1, now, now.Add(24*time.Hour))
	must(t, s.KnowBrowser(ctx, alice, newPlace(2), now.Add(time.Minute)))
	must(t, s.KnowBrowser(ctx, bob, newPlace(3), now))
	moved := newPlace(1)
	moved.Address, moved.Browser = "192.0.2.1", "another"
	must(t, s.KnowBrowser(ctx, alice, moved, now.Add(time.Hour)))
	must(t, s.KnowBrowser(ctx, alice, newPlace(1), now.Add(time.Second))) // came late
	want := []accounts.Browser{
		{Known: true, PassedAt: now.Add(time.Hour), TrustedUntil: now.Add(24 * time.Hour), Place: moved, FirstAt: now, SeenAt: now.Add(time.Hour)},
		{Known: true, PassedAt: now.Add(time.Minute), Place: newPlace(2), FirstAt: now.Add(time.Minute), SeenAt: now.Add(time.Minute)},
	}
	wantBrowsers(t, "both", s, want...)
	must(t, s.ForgetPasses(ctx, alice))
	want[0].PassedAt, want[1].PassedAt = time.Time{}, time.Time{}
	wantBrowsers(t, "passes forgotten", s, want...)
	must(t, s.ForgetBrowser(ctx, alice, newPlace(3).Mark))
	must(t, s.ForgetBrowser(ctx, alice, newPlace(2).Mark))
	wantBrowsers(t, "one forgotten", s, want[0])
	if b, err := s.Browser(ctx, alice, newPlace(2).Mark); err != nil || b.Known {
		t.Errorf("the forgotten one: %+v, %v", b, err)
	}
	if b, err := s.Browser(ctx, bob, newPlace(3).Mark); err != nil || !b.Known {
		t.Errorf("bob's: %+v, %v", b, err)
	}
}

func wantBrowsers(t *testing.T, what string, s People, want ...accounts.Browser) {
	t.Helper()
	got, err := s.Browsers(t.Context(), alice)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v\nwant %+v", what, got, want)
	}
}

func trustManyBrowsers(t *testing.T, s People) {
	now := clock()
	for i := range 105 {
		must(t, s.KnowBrowser(t.Context(), alice, newPlace(byte(i)), now.Add(time.Duration(i)*time.Second)))
	}
	got, err := s.Browsers(t.Context(), alice)
	must(t, err)
	if len(got) != 100 || !got[0].SeenAt.Equal(now.Add(104*time.Second)) {
		t.Errorf("%d browsers, the first of %v", len(got), got[0].SeenAt)
	}
}
