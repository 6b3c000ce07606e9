package storetest

import (
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var bob = identity.Subject{Realm: "wiki", Name: "bob"}

func accountBrowsers(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	laptop, phone := newPlace(255), newPlace(254)
	is := func(what string, who identity.Subject, at accounts.Place, known bool, passed time.Time) {
		t.Helper()
		b, err := s.Browser(ctx, who, at.Mark)
		if err != nil || b.Known != known {
			t.Errorf("%s: got %+v, %v", what, b, err)
		}
		same(t, what, b.PassedAt, passed)
	}
	is("before", alice, laptop, false, time.Time{})
	must(t, s.KnowBrowser(ctx, alice, laptop, now))
	is("after", alice, laptop, true, now)
	must(t, s.KnowBrowser(ctx, alice, laptop, now.Add(time.Hour)))
	must(t, s.KnowBrowser(ctx, alice, laptop, now))
	is("never back", alice, laptop, true, now.Add(time.Hour))
	is("another browser", alice, accounts.Place{Mark: laptop.Mark[1:]}, false, time.Time{})
	for _, none := range [][]byte{nil, {}} {
		wantUnknown(t, "a browser without a mark", s.KnowBrowser(ctx, alice, accounts.Place{Mark: none}, now), accountAnswers...)
		is("without a mark", alice, accounts.Place{Mark: none}, false, time.Time{})
	}
	is("another person", bob, laptop, false, time.Time{})

	must(t, s.KnowBrowser(ctx, alice, phone, now))
	must(t, s.KnowBrowser(ctx, bob, laptop, now))
	must(t, s.ForgetPasses(ctx, alice))
	is("forgotten", alice, laptop, true, time.Time{})
	is("all of them", alice, phone, true, time.Time{})
	is("no one else's", bob, laptop, true, now)
	must(t, s.KnowBrowser(ctx, alice, phone, now))
	is("passed again", alice, phone, true, now)
}

// accountEndings: a session ended by its own id, or by its subject's
// ValidFrom, which moves forward only.
func accountEndings(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	is := func(what string, who identity.Subject, id string, began time.Time, want bool) {
		t.Helper()
		if got, err := s.Ended(ctx, who, id, began); err != nil || got != want {
			t.Errorf("%s: got %v, %v", what, got, err)
		}
	}
	is("never seen", alice, "session/1", now, false)
	must(t, s.SpendID(ctx, "session/1", now.Add(time.Hour)))
	is("by its id", alice, "session/1", now, true)
	is("another one", alice, "session/2", now, false)

	must(t, s.BindFirst(ctx, newCredential("k1", now)))
	must(t, s.KnowBrowser(ctx, alice, newPlace(1), now))
	must(t, s.EndSessions(ctx, alice, now))
	is("began earlier", alice, "session/2", now.Add(-time.Millisecond), true)
	is("began then", alice, "session/2", now, false)
	is("of another person", bob, "session/2", now.Add(-time.Millisecond), false)
	must(t, s.EndSessions(ctx, alice, now.Add(-time.Hour)))
	is("never back", alice, "session/2", now.Add(-time.Millisecond), true)

	a, err := s.Account(ctx, alice)
	must(t, err)
	if a.State != identity.Bound || len(a.Credentials) != 1 {
		t.Errorf("the account became %+v", a)
	}
	same(t, "ValidFrom", a.ValidFrom, now)
	b, err := s.Browser(ctx, alice, newPlace(1).Mark)
	must(t, err)
	if !b.Known || !b.PassedAt.IsZero() {
		t.Errorf("the browser became %+v", b)
	}
	must(t, s.EndSessions(ctx, bob, now))
	is("without an account", bob, "session/3", now.Add(-time.Millisecond), true)
	if a, err = s.Account(ctx, bob); err != nil || a.State != identity.NeverBound {
		t.Errorf("got %+v, %v", a, err)
	}
}
