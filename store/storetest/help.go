package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var helpTests = map[string]func(*testing.T, People){
	"search":           helpSearch,
	"search, paged":    helpSearchPaged,
	"search, people":   helpSearchPeople,
	"reset":            helpReset,
	"reset one":        helpResetOne,
	"reset to nothing": helpResetToNothing,
	"reset, planned":   helpResetPlanned,
	"ticket, void":     helpTicketVoid,
	"lock":             helpLock,
	"rebinding":        helpRebinding,
	"tickets":          helpTickets,
	"ticket, crowd":    helpTicketCrowd,
	"canceled":         helpCanceled,
}

func search(t *testing.T, s People, realm, part, after string, limit int) (names []string) {
	t.Helper()
	got, err := s.Search(t.Context(), realm, part, after, limit)
	must(t, err)
	for _, who := range got {
		if who.Realm != realm {
			t.Errorf("found %v in %s", who, realm)
		}
		names = append(names, who.Name)
	}
	return names
}

// helpSearch: what is sought stands in the name byte for byte; nothing in it
// is a pattern.
func helpSearch(t *testing.T, s People) {
	for _, name := range oddNames {
		must(t, s.EndSessions(t.Context(), identity.Subject{Realm: "wiki", Name: name}, clock()))
	}
	must(t, s.EndSessions(t.Context(), identity.Subject{Realm: "blog", Name: "alice in the blog"}, clock()))
	for _, part := range append(oddNames, "", "li", "LI", "%", "_", `\`, "é", "\xe9", "\xff", "\xfe", "ali%", "a_ice", "用", "\xe7", " ", "'", "nobody") {
		var want []string
		for _, name := range oddNames {
			if strings.Contains(name, part) {
				want = append(want, name)
			}
		}
		slices.SortFunc(want, func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) })
		if got := search(t, s, "wiki", part, "", 100); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", part, got, want)
		}
	}
	if got := search(t, s, "blog", "ali", "", 100); !slices.Equal(got, []string{"alice in the blog"}) {
		t.Errorf("in the other realm: %q", got)
	}
	for _, none := range []int{0, -1} {
		if got := search(t, s, "wiki", "", "", none); len(got) != 0 {
			t.Errorf("limit %d: %q", none, got)
		}
	}
}

func helpSearchPaged(t *testing.T, s People) {
	for _, name := range oddNames {
		must(t, s.EndSessions(t.Context(), identity.Subject{Realm: "wiki", Name: name}, clock()))
	}
	var all []string
	for after := ""; ; {
		page := search(t, s, "wiki", "", after, 3)
		if len(page) == 0 {
			break
		}
		all, after = append(all, page...), page[len(page)-1]
	}
	inOrder := slices.IsSortedFunc(all, func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) })
	if len(slices.Compact(all)) != len(oddNames) || !inOrder {
		t.Errorf("the pages are %q", all)
	}
}

// helpSearchPeople: whoever signs in on our own page is found before they
// have an account, and once.
func helpSearchPeople(t *testing.T, s People) {
	passwords, ok := s.(accounts.Passwords)
	if !ok {
		t.Fatal("the store keeps no people of its own")
	}
	var want []string
	for i := range 9 {
		who := identity.Subject{Realm: "wiki", Name: fmt.Sprint("p", i)}
		want = append(want, who.Name)
		if i%3 != 0 {
			must(t, passwords.CreatePerson(t.Context(), who, clock()))
		}
		if i%3 != 1 {
			must(t, s.EndSessions(t.Context(), who, clock()))
		}
	}
	must(t, passwords.CreatePerson(t.Context(), identity.Subject{Realm: "blog", Name: "p"}, clock()))
	for limit := range 10 {
		if got := search(t, s, "wiki", "p", "", limit); !slices.Equal(got, want[:limit]) {
			t.Errorf("limit %d: got %q", limit, got)
		}
	}
	if got := search(t, s, "wiki", "p", "p4", 2); !slices.Equal(got, want[5:7]) {
		t.Errorf("behind p4: got %q", got)
	}
}

func helpReset(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2")
	withFactors(t, s, bob, now, "b1")
	withCodes(t, s, alice, now)
	must(t, s.PutContact(ctx, newContact(alice, "c1", now), ""))
	must(t, s.Bind(ctx, plain(alice, "c1", identity.SMS, now)))
	must(t, s.RequireRebinding(ctx, alice, now.Add(time.Hour)))
	must(t, s.ResetFactors(ctx, alice))
	got := account(t, s, alice)
	if got.State != identity.Reset || len(got.Credentials) != 0 || len(got.Contacts) != 1 || !got.RebindFrom.IsZero() {
		t.Errorf("got %+v", got)
	}
	wantErr(t, "for free", s.BindFirst(ctx, plain(alice, "k3", identity.TOTP, now)), accounts.ErrAlreadyBound)
	must(t, s.ResetFactors(ctx, alice))
	if got := account(t, s, alice).State; got != identity.Reset {
		t.Errorf("reset again: %v", got)
	}
	wantFactors(t, "another's", s, bob, "b1")
	_, err := s.SpendCode(ctx, "r", code(0), now)
	wantErr(t, "a code of before", err, accounts.ErrNoCredential)
}

func helpResetOne(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2", "k3")
	withFactors(t, s, bob, now, "b1")
	withCodes(t, s, alice, now)
	for _, ids := range [][]string{{"k9"}, {"b1"}, {"k1", "k9"}, {""}} {
		wantErr(t, fmt.Sprint(ids), s.ResetFactors(ctx, alice, ids...), accounts.ErrNoCredential)
	}
	wantFactors(t, "refused", s, alice, "k1", "k2", "k3", "r")
	must(t, s.ResetFactors(ctx, alice, "k2", "k2"))
	wantFactors(t, "one", s, alice, "k1", "k3", "r")
	if got := account(t, s, alice).State; got != identity.Bound {
		t.Errorf("the state is %v", got)
	}
	must(t, s.ResetFactors(ctx, alice, "k3", "k1"))
	wantFactors(t, "recovery codes at most", s, alice)
	if got := account(t, s, alice).State; got != identity.Reset {
		t.Errorf("the state is %v", got)
	}
	must(t, s.BindFirst(ctx, plain(alice, "k4", identity.TOTP, now), identity.Reset))
	withCodes(t, s, alice, now)
	must(t, s.ResetFactors(ctx, alice, "r"))
	wantFactors(t, "the codes alone", s, alice, "k4")
}

// helpResetToNothing: who never bound anything may still bind a first factor
// as before.
func helpResetToNothing(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	must(t, s.ResetFactors(ctx, alice))
	accountNeverSeen(t, s)
	wantErr(t, "what nobody has", s.ResetFactors(ctx, alice, "k1"), accounts.ErrNoCredential)
	for who, want := range map[identity.Subject]identity.Enrollment{alice: identity.NeverBound, bob: identity.Federated} {
		must(t, s.EndSessions(ctx, who, now))
		if want == identity.Federated {
			must(t, s.NoteFederated(ctx, who))
		}
		must(t, s.ResetFactors(ctx, who))
		if got := account(t, s, who).State; got != want {
			t.Errorf("%v became %v", want, got)
		}
	}
}

// helpResetPlanned: what is about to go does not keep anybody Bound, who would
// have nothing a moment later.
func helpResetPlanned(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2")
	must(t, s.PlanRemoval(ctx, alice, "k1", now.Add(time.Hour)))
	must(t, s.ResetFactors(ctx, alice, "k2"))
	wantFactors(t, "planned", s, alice)
	if got := account(t, s, alice).State; got != identity.Reset {
		t.Errorf("the state is %v", got)
	}
}

// helpTicketVoid: what was taken back opens nothing.
func helpTicketVoid(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	must(t, s.VoidTicket(ctx, alice))
	accountNeverSeen(t, s)
	for _, who := range []identity.Subject{alice, bob} {
		must(t, s.IssueTicket(ctx, who, []byte("one"), now.Add(time.Hour)))
	}
	must(t, s.VoidTicket(ctx, alice))
	wantErr(t, "taken back", s.RedeemTicket(ctx, alice, []byte("one"), now), accounts.ErrNoTicket)
	must(t, s.RedeemTicket(ctx, bob, []byte("one"), now))
}

func helpLock(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	must(t, s.SetLocked(ctx, alice, now))
	got := account(t, s, alice)
	same(t, "locked", got.LockedAt, now)
	if got.State != identity.NeverBound {
		t.Errorf("the state is %v", got.State)
	}
	withFactors(t, s, alice, now, "k1")
	withFactors(t, s, bob, now, "b1")
	same(t, "bound meanwhile", account(t, s, alice).LockedAt, now)
	must(t, s.SetLocked(ctx, alice, now.Add(time.Hour)))
	same(t, "again", account(t, s, alice).LockedAt, now.Add(time.Hour))
	same(t, "another", account(t, s, bob).LockedAt, time.Time{})
	must(t, s.SetLocked(ctx, alice, time.Time{}))
	same(t, "let in", account(t, s, alice).LockedAt, time.Time{})
	wantFactors(t, "let in", s, alice, "k1")
}

func helpRebinding(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	wantErr(t, "of nobody", s.RequireRebinding(ctx, alice, now), accounts.ErrNotBound)
	accountNeverSeen(t, s)
	withFactors(t, s, alice, now, "k1")
	withFactors(t, s, bob, now, "b1")
	must(t, s.RequireRebinding(ctx, alice, now.Add(time.Hour)))
	same(t, "required", account(t, s, alice).RebindFrom, now.Add(time.Hour))
	same(t, "of another", account(t, s, bob).RebindFrom, time.Time{})
	must(t, s.ResetFactors(ctx, alice))
	wantErr(t, "of who was reset", s.RequireRebinding(ctx, alice, now), accounts.ErrNotBound)
}

func helpTickets(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	elsewhere := identity.Subject{Realm: "blog", Name: alice.Name}
	wantErr(t, "none was issued", s.RedeemTicket(ctx, alice, []byte("one"), now), accounts.ErrNoTicket)
	must(t, s.IssueTicket(ctx, alice, []byte("one"), now.Add(time.Hour)))
	if got := account(t, s, alice); got.State != identity.NeverBound {
		t.Errorf("the account became %+v", got)
	}
	must(t, s.IssueTicket(ctx, alice, []byte("two"), now.Add(time.Hour)))
	must(t, s.IssueTicket(ctx, bob, []byte("bob's"), now.Add(time.Hour)))
	for what, c := range map[string]struct {
		who    identity.Subject
		digest string
		at     time.Time
	}{
		"replaced":         {alice, "one", now},
		"another's":        {alice, "bob's", now},
		"at another":       {bob, "two", now},
		"in another realm": {elsewhere, "two", now},
		"expired":          {alice, "two", now.Add(time.Hour)},
		"empty":            {alice, "", now},
		"longer":           {alice, "two\x00", now},
	} {
		wantErr(t, what, s.RedeemTicket(ctx, c.who, []byte(c.digest), c.at), accounts.ErrNoTicket)
	}
	must(t, s.RedeemTicket(ctx, alice, []byte("two"), now.Add(time.Hour-time.Millisecond)))
	wantErr(t, "twice", s.RedeemTicket(ctx, alice, []byte("two"), now), accounts.ErrNoTicket)
	must(t, s.RedeemTicket(ctx, bob, []byte("bob's"), now))
}

func helpTicketCrowd(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	must(t, s.IssueTicket(ctx, alice, []byte("one"), now.Add(time.Hour)))
	if won := race(t, accounts.ErrNoTicket, func(int) error { return s.RedeemTicket(ctx, alice, []byte("one"), now) }); won != 1 {
		t.Errorf("%d redeemed the same ticket", won)
	}
}

func helpCanceled(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now, "k1")
	must(t, s.IssueTicket(t.Context(), alice, []byte("one"), now.Add(time.Hour)))
	open, err := s.FileRequest(t.Context(), newRequest("A", now))
	must(t, err)
	before := account(t, s, alice)
	ctx := canceled(t)
	for what, do := range map[string]func() error{
		"search":   func() error { _, err := s.Search(ctx, "wiki", "", "", 9); return err },
		"reset":    func() error { return s.ResetFactors(ctx, alice) },
		"none":     func() error { return s.ResetFactors(ctx, alice, "k9") },
		"lock":     func() error { return s.SetLocked(ctx, alice, now) },
		"rebind":   func() error { return s.RequireRebinding(ctx, alice, now) },
		"issue":    func() error { return s.IssueTicket(ctx, alice, []byte("two"), now) },
		"void":     func() error { return s.VoidTicket(ctx, alice) },
		"redeem":   func() error { return s.RedeemTicket(ctx, alice, []byte("one"), now) },
		"wrong":    func() error { return s.RedeemTicket(ctx, alice, []byte("nine"), now) },
		"file":     func() error { _, err := s.FileRequest(ctx, newRequest("B", now)); return err },
		"request":  func() error { _, err := s.Request(ctx, "Z"); return err },
		"requests": func() error { _, err := s.Requests(ctx, "wiki", "", 9); return err },
		"decide":   func() error { _, err := s.Decide(ctx, "A", accounts.RequestApproved, "", "", now); return err },
	} {
		wantUnknown(t, what, do(), accountAnswers...)
	}
	sameAccount(t, "canceled", account(t, s, alice), before)
	wantRequest(t, "canceled", s, open)
	must(t, s.RedeemTicket(t.Context(), alice, []byte("one"), now))
}
