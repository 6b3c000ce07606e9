package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var apartTests = map[string]func(*testing.T, People){
	"another's call": apartCalls,
	"another's ids":  apartIDs,
}

// apart are subjects that something careless takes for one another.
var apart = []identity.Subject{
	alice, {Realm: "blog", Name: "alice"}, {Realm: "wiki@https:%2F%2Fid", Name: "alice"}, {Realm: "Wiki", Name: "alice"},
	{Realm: "wiki", Name: "Alice"}, {Realm: "wiki", Name: "alice "}, {Realm: "wiki", Name: "alice\x00"}, {Realm: "wiki", Name: "al%"},
	{Realm: "wiki", Name: "a_ice"}, {Realm: "wiki", Name: "\xff\xfe"}, {Realm: "wiki", Name: ""}, {Realm: "", Name: "alice"},
}

// whole is all that a store tells of a subject.
type whole struct {
	account  accounts.Account
	browsers []accounts.Browser
	requests []accounts.Request
}

func sameAccount(t *testing.T, what string, got, want accounts.Account) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v\nwant %+v", what, got, want)
	}
}

func wholeOf(t *testing.T, s People, who identity.Subject) (w whole) {
	t.Helper()
	w.account = account(t, s, who)
	var err error
	w.browsers, err = s.Browsers(t.Context(), who)
	must(t, err)
	all, err := s.Requests(t.Context(), who.Realm, "", 100)
	must(t, err)
	for _, r := range all {
		if r.Subject == who {
			w.requests = append(w.requests, r)
		}
	}
	return w
}

// furnish gives a subject one of everything; ids begin with i.
func furnish(t *testing.T, s People, i int, who identity.Subject, now time.Time) {
	t.Helper()
	ctx, id := t.Context(), func(name string) string { return fmt.Sprint(i, name) }
	withFactors(t, s, who, now, id("k1"), id("k2"))
	phone, mail := newContact(who, id("sms"), now), newContact(who, id("mail"), now)
	mail.Kind = identity.Email
	must(t, s.PutContact(ctx, phone, ""))
	must(t, s.PutContact(ctx, mail, ""))
	must(t, s.Bind(ctx, plain(who, id("sms"), identity.SMS, now)))
	must(t, s.MakeCodes(ctx, plain(who, id("r"), identity.Recovery, now), codes(0)))
	must(t, s.IssueTicket(ctx, who, []byte("ticket"), now.Add(time.Hour)))
	must(t, s.RequireRebinding(ctx, who, now.Add(time.Hour)))
	must(t, s.PlanRemoval(ctx, who, id("k2"), now.Add(time.Hour)))
	trusted(t, s, who, 1, now, now.Add(time.Minute))
	r := newRequest(id("request"), now)
	r.Subject = who
	file(t, s, r)
}

// calls change everything that is alice's. other is whose ids they name.
func calls(t *testing.T, s People, other int, now time.Time) map[string]func() error {
	ctx, id := t.Context(), func(name string) string { return fmt.Sprint(other, name) }
	checked := newRequest("fresh", now)
	checked.Checked = identity.SMS
	mail := newContact(alice, "fresh", now)
	mail.Kind = identity.Email
	return map[string]func() error{
		"bind":           func() error { return s.Bind(ctx, plain(alice, "x1", identity.TOTP, now), id("k1")) },
		"rename":         func() error { return s.Rename(ctx, alice, id("sms"), "x") },
		"plan":           func() error { return s.PlanRemoval(ctx, alice, id("sms"), now) },
		"cancel":         func() error { return s.PlanRemoval(ctx, alice, id("k2"), time.Time{}) },
		"remove":         func() error { return s.Remove(ctx, alice, id("r")) },
		"put contact":    func() error { return s.PutContact(ctx, mail, id("mail")) },
		"remove contact": func() error { return s.RemoveContact(ctx, alice, id("sms")) },
		"reset one":      func() error { return s.ResetFactors(ctx, alice, id("k1")) },
		"prefer":         func() error { return s.Prefer(ctx, alice, identity.SMS) },
		"notice":         func() error { return s.Notice(ctx, alice, now.Add(time.Hour)) },
		"make codes":     func() error { return s.MakeCodes(ctx, plain(alice, "x2", identity.Recovery, now), codes(0)) },
		"know":           func() error { return s.KnowBrowser(ctx, alice, newPlace(1), now.Add(time.Hour)) },
		"trust":          func() error { return s.TrustBrowser(ctx, alice, newPlace(1).Mark, now) },
		"distrust":       func() error { return s.DistrustBrowsers(ctx, alice) },
		"forget passes":  func() error { return s.ForgetPasses(ctx, alice) },
		"forget":         func() error { return s.ForgetBrowser(ctx, alice, newPlace(1).Mark) },
		"end":            func() error { return s.EndSessions(ctx, alice, now) },
		"lock":           func() error { return s.SetLocked(ctx, alice, now) },
		"rebind":         func() error { return s.RequireRebinding(ctx, alice, now) },
		"issue":          func() error { return s.IssueTicket(ctx, alice, []byte("ticket"), now.Add(time.Hour)) },
		"void":           func() error { return s.VoidTicket(ctx, alice) },
		"redeem":         func() error { return s.RedeemTicket(ctx, alice, []byte("ticket"), now) },
		"file":           func() error { _, err := s.FileRequest(ctx, checked); return err },
		"reset":          func() error { return s.ResetFactors(ctx, alice) },
	}
}

// apartCalls: whatever is done with alice, in whatever order, touches nobody
// else.
func apartCalls(t *testing.T, s People) {
	now := clock()
	var before []whole
	for i, who := range apart {
		furnish(t, s, i, who, now)
	}
	for _, who := range apart {
		before = append(before, wholeOf(t, s, who))
	}
	for what, do := range calls(t, s, 0, now) {
		_ = do() // what came before may have removed what it needs
		for i, who := range apart[1:] {
			if got := wholeOf(t, s, who); !reflect.DeepEqual(got, before[i+1]) {
				t.Fatalf("%s of %s changed %q: got %+v\nwant %+v", what, alice, who, got, before[i+1])
			}
		}
	}
	for i, who := range apart[1:] {
		must(t, s.RedeemTicket(t.Context(), who, []byte("ticket"), now))
		left, err := s.SpendCode(t.Context(), fmt.Sprint(i+1, "r"), code(0), now)
		if err != nil || left != 9 {
			t.Errorf("%s has %d codes left, %v", who, left, err)
		}
	}
}

// apartIDs: naming what is another's changes neither side.
func apartIDs(t *testing.T, s People) {
	now := clock()
	furnish(t, s, 0, alice, now)
	furnish(t, s, 1, apart[1], now)
	hers, others := wholeOf(t, s, alice), wholeOf(t, s, apart[1])
	all := calls(t, s, 1, now)
	for what, want := range map[string]error{
		"bind": accounts.ErrNoCredential, "rename": accounts.ErrNoCredential, "plan": accounts.ErrNoCredential,
		"cancel": accounts.ErrNoCredential, "remove": accounts.ErrNoCredential, "reset one": accounts.ErrNoCredential,
		"put contact": accounts.ErrNoContact, "remove contact": accounts.ErrNoContact,
	} {
		wantErr(t, what, all[what](), want)
		if got := wholeOf(t, s, alice); !reflect.DeepEqual(got, hers) {
			t.Errorf("%s changed alice: %+v\nwant %+v", what, got, hers)
		}
		if got := wholeOf(t, s, apart[1]); !reflect.DeepEqual(got, others) {
			t.Errorf("%s changed the other: %+v\nwant %+v", what, got, others)
		}
	}
}
