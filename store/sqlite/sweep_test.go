package sqlite

import (
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

func bind(t *testing.T, a *Accounts, name string, ids ...string) identity.Subject {
	t.Helper()
	who := identity.Subject{Realm: "wiki", Name: name}
	for i, id := range ids {
		c := accounts.Credential{ID: id, Subject: who, Factor: identity.TOTP}
		if i == 0 {
			must(t, a.BindFirst(t.Context(), c))
		} else {
			must(t, a.Bind(t.Context(), c))
		}
	}
	return who
}

// TestSweepRemovals: a planned removal is done some time after it was due, but
// nobody is left with recovery codes at most.
func TestSweepRemovals(t *testing.T) {
	a, ctx, now := mustOpen(t, OpenAccounts), t.Context(), time.Now()
	old, young := now.Add(-sweepAfter), now.Add(-sweepAfter+time.Millisecond)
	alice, bob := bind(t, a, "alice", "a1", "a2", "a3"), bind(t, a, "bob", "b1", "b2")
	must(t, a.MakeCodes(ctx, accounts.Credential{ID: "b-codes", Subject: bob, Factor: identity.Recovery}, [][]byte{{1}, {2}}))
	must(t, a.PlanRemoval(ctx, alice, "a1", old))
	must(t, a.PlanRemoval(ctx, alice, "a2", young))
	must(t, a.PlanRemoval(ctx, bob, "b1", old))
	must(t, a.PlanRemoval(ctx, bob, "b-codes", old))
	must(t, a.f.exec(ctx, "DELETE FROM credentials WHERE id = 'b2'")) // which no call does
	must(t, a.f.sweep(ctx, now))
	for who, want := range map[identity.Subject]string{alice: "a2 a3 ", bob: "b1 "} {
		got, err := a.Account(ctx, who)
		must(t, err)
		ids := ""
		for _, c := range got.Credentials {
			ids += c.ID + " "
		}
		if ids != want || got.State != identity.Bound {
			t.Errorf("%s has %s, state %v", who, ids, got.State)
		}
	}
	var codes int
	must(t, a.f.reader.QueryRow("SELECT count(*) FROM codes").Scan(&codes))
	if codes != 0 {
		t.Errorf("%d codes are nobody's", codes)
	}
}

// TestSweepHelp: tickets that expired go, and requests that were decided long
// ago; an open one stays however old it is.
func TestSweepHelp(t *testing.T) {
	a, ctx, now := mustOpen(t, OpenAccounts), t.Context(), time.Now()
	old, young := now.Add(-sweepAfter), now.Add(-sweepAfter+time.Millisecond)
	const life = 180 * 24 * time.Hour
	request := func(name string) identity.Subject {
		who := identity.Subject{Realm: "wiki", Name: name}
		_, err := a.FileRequest(ctx, accounts.Request{Reference: name, Subject: who, At: now.Add(-2 * life)})
		must(t, err)
		return who
	}
	request("open")
	for name, at := range map[string]time.Time{"old": old, "young": young} {
		must(t, a.IssueTicket(ctx, request(name), []byte(name), at))
		_, err := a.Decide(ctx, name, accounts.RequestRefused, "root", "", at.Add(-life))
		must(t, err)
	}
	must(t, a.f.sweep(ctx, now))
	for query, want := range map[string]string{
		"SELECT group_concat(reference) FROM (SELECT reference FROM requests ORDER BY reference)": "open,young",
		"SELECT group_concat(CAST(digest AS TEXT)) FROM tickets":                                  "young",
	} {
		var got string
		must(t, a.f.reader.QueryRow(query).Scan(&got))
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}
