package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var factorTests = map[string]func(*testing.T, People){
	"bind":            factorBind,
	"bind, states":    factorBindStates,
	"bind, instead":   factorBindInstead,
	"instead, crowd":  factorInsteadCrowd,
	"rebinding":       factorRebinding,
	"rename":          factorRename,
	"remove":          factorRemove,
	"remove, crowd":   factorRemoveCrowd,
	"plan":            factorPlan,
	"plan, crowd":     factorPlanCrowd,
	"plan and remove": factorPlanAndRemoveCrowd,
	"use cancels":     factorUseCancels,
	"due":             factorDue,
	"prefer":          factorPrefer,
	"notice":          factorNotice,
	"canceled":        factorCanceled,
}

// plain is a credential of a subject that nobody touched since it was bound.
func plain(who identity.Subject, id string, f identity.Factor, at time.Time) accounts.Credential {
	return accounts.Credential{ID: id, Subject: who, Factor: f, Secret: []byte{1}, BoundAt: at, Strength: f.Strength()}
}

// withFactors binds TOTP factors with these ids, a minute apart.
func withFactors(t *testing.T, s People, who identity.Subject, now time.Time, ids ...string) {
	t.Helper()
	must(t, s.BindFirst(t.Context(), plain(who, ids[0], identity.TOTP, now)))
	for i, id := range ids[1:] {
		must(t, s.Bind(t.Context(), plain(who, id, identity.TOTP, now.Add(time.Duration(i+1)*time.Minute))))
	}
}

func account(t *testing.T, s People, who identity.Subject) accounts.Account {
	t.Helper()
	got, err := s.Account(t.Context(), who)
	must(t, err)
	return got
}

// wantFactors compares the ids of a subject's credentials, oldest first.
func wantFactors(t *testing.T, what string, s People, who identity.Subject, want ...string) {
	t.Helper()
	var got []string
	for _, c := range account(t, s, who).Credentials {
		got = append(got, c.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s has %v, want %v", what, who, got, want)
	}
}

func credentialOf(t *testing.T, s People, who identity.Subject, id string) accounts.Credential {
	t.Helper()
	for _, c := range account(t, s, who).Credentials {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("%s has no %s", who, id)
	return accounts.Credential{}
}

// factorBind: one that is bound later may be the older one.
func factorBind(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1")
	c := newCredential("k2", now.Add(-time.Hour))
	must(t, s.Bind(ctx, c))
	wantFactors(t, "bound", s, alice, "k2", "k1")
	sameCredential(t, credentialOf(t, s, alice, "k2"), c)
	withFactors(t, s, bob, now, "k3")
	wantUnknown(t, "an id in use", s.Bind(ctx, plain(bob, "k1", identity.TOTP, now)), accountAnswers...)
	wantFactors(t, "an id in use", s, bob, "k3")
	for strength := identity.Unproved; strength <= identity.Key; strength++ {
		c := plain(bob, fmt.Sprint("s", strength), identity.Passkey, now.Add(time.Hour))
		c.Strength = strength
		must(t, s.Bind(ctx, c))
		sameCredential(t, credentialOf(t, s, bob, c.ID), c)
	}
}

func factorBindStates(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	c := plain(alice, "k1", identity.TOTP, now)
	wantErr(t, "never seen", s.Bind(ctx, c), accounts.ErrNotBound)
	accountNeverSeen(t, s)
	must(t, s.EndSessions(ctx, alice, now))
	wantErr(t, "never bound", s.Bind(ctx, c), accounts.ErrNotBound)
	must(t, s.NoteFederated(ctx, alice))
	wantErr(t, "federated", s.Bind(ctx, c), accounts.ErrNotBound)
	must(t, s.BindFirst(ctx, c, identity.Federated))
	must(t, s.ResetFactors(ctx, alice))
	wantErr(t, "reset", s.Bind(ctx, c), accounts.ErrNotBound)
	wantFactors(t, "refused", s, alice)
}

func factorBindInstead(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2", "k3")
	withFactors(t, s, bob, now, "b1")
	fresh := func(id string) accounts.Credential { return plain(alice, id, identity.Passkey, now.Add(time.Hour)) }
	for _, instead := range [][]string{{"k9"}, {"k1", "k9"}, {"b1"}, {""}} {
		wantErr(t, fmt.Sprint(instead), s.Bind(ctx, fresh("k4"), instead...), accounts.ErrNoCredential)
		wantFactors(t, fmt.Sprint(instead), s, alice, "k1", "k2", "k3")
	}
	must(t, s.Bind(ctx, fresh("k4"), "k3", "k1"))
	wantFactors(t, "replaced", s, alice, "k2", "k4")
	must(t, s.Bind(ctx, fresh("k5"), "k2", "k4"))
	wantFactors(t, "all replaced", s, alice, "k5")
	wantFactors(t, "another's", s, bob, "b1")
}

// factorInsteadCrowd: what takes the place of another does so once.
func factorInsteadCrowd(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now, "old", "kept")
	won := race(t, accounts.ErrNoCredential, func(i int) error {
		return s.Bind(t.Context(), plain(alice, fmt.Sprint("new", i), identity.TOTP, now), "old")
	})
	if n := len(account(t, s, alice).Credentials); won != 1 || n != 2 {
		t.Errorf("%d took the place, %d credentials are there", won, n)
	}
}

func factorRebinding(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2")
	from := now.Add(time.Hour)
	must(t, s.RequireRebinding(ctx, alice, from))
	is := func(what string, want time.Time) {
		t.Helper()
		got := account(t, s, alice)
		same(t, what, got.RebindFrom, want)
		if got.Rebinding() == want.IsZero() {
			t.Errorf("%s: rebinding is %v", what, got.Rebinding())
		}
	}
	is("required", from)
	must(t, s.Bind(ctx, plain(alice, "k3", identity.TOTP, from)))
	is("added", from)
	must(t, s.Bind(ctx, plain(alice, "k4", identity.TOTP, from), "k1"))
	is("the first replaced", from)
	must(t, s.Bind(ctx, plain(alice, "k5", identity.TOTP, from), "k2"))
	is("all replaced", time.Time{})
}

func factorRename(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2")
	wantErr(t, "unknown", s.Rename(ctx, alice, "k9", "x"), accounts.ErrNoCredential)
	wantErr(t, "another's", s.Rename(ctx, bob, "k1", "x"), accounts.ErrNoCredential)
	for _, name := range append(oddNames, "", "<b>&amp;") {
		must(t, s.Rename(ctx, alice, "k1", name))
		if got := credentialOf(t, s, alice, "k1").Name; got != name {
			t.Errorf("got %q, want %q", got, name)
		}
	}
	if got := credentialOf(t, s, alice, "k2").Name; got != "" {
		t.Errorf("the other one is called %q", got)
	}
}

func factorRemove(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	wantErr(t, "of nobody", s.Remove(ctx, alice, "k1"), accounts.ErrNoCredential)
	withFactors(t, s, alice, now, "k1", "k2")
	withCodes(t, s, alice, now)
	wantErr(t, "unknown", s.Remove(ctx, alice, "k9"), accounts.ErrNoCredential)
	wantErr(t, "another's", s.Remove(ctx, bob, "k1"), accounts.ErrNoCredential)
	must(t, s.Remove(ctx, alice, "k1"))
	wantErr(t, "twice", s.Remove(ctx, alice, "k1"), accounts.ErrNoCredential)
	wantErr(t, "the last but for recovery codes", s.Remove(ctx, alice, "k2"), accounts.ErrLast)
	wantFactors(t, "refused", s, alice, "k2", "r")
	must(t, s.Remove(ctx, alice, "r"))
	wantErr(t, "the last", s.Remove(ctx, alice, "k2"), accounts.ErrLast)
	must(t, s.Bind(ctx, plain(alice, "k3", identity.TOTP, now)))
	must(t, s.PlanRemoval(ctx, alice, "k3", now.Add(time.Hour)))
	wantErr(t, "beside one that is to go", s.Remove(ctx, alice, "k2"), accounts.ErrLast)
	must(t, s.Remove(ctx, alice, "k3"))
	wantFactors(t, "in the end", s, alice, "k2")
	if got := account(t, s, alice).State; got != identity.Bound {
		t.Errorf("the state became %v", got)
	}
}

// notTwice lets a loser be told either way that there is nothing to do.
func notTwice(err error) error {
	if errors.Is(err, accounts.ErrNoCredential) {
		return accounts.ErrLast
	}
	return err
}

// rounds are how often a race is run whose window is small: a store connects
// in the first.
const rounds = 6

// factorRemoveCrowd: of some removals that together would leave none, one
// fails.
func factorRemoveCrowd(t *testing.T, s People) {
	for round := range rounds {
		who, ids := withThree(t, s, round)
		won := race(t, accounts.ErrLast, func(i int) error { return notTwice(s.Remove(t.Context(), who, ids[i%3])) })
		if n := len(account(t, s, who).Credentials); won != 2 || n != 1 {
			t.Errorf("%d removed one, %d are left", won, n)
		}
	}
}

// withThree is another subject each round.
func withThree(t *testing.T, s People, round int) (who identity.Subject, ids []string) {
	t.Helper()
	for i := range 3 {
		ids = append(ids, fmt.Sprint("k", round, i))
	}
	who = sharer(round)
	withFactors(t, s, who, clock(), ids...)
	return who, ids
}

func factorPlan(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	at := now.Add(72 * time.Hour)
	withFactors(t, s, alice, now, "k1", "k2")
	withCodes(t, s, alice, now)
	wantErr(t, "unknown", s.PlanRemoval(ctx, alice, "k9", at), accounts.ErrNoCredential)
	wantErr(t, "another's", s.PlanRemoval(ctx, bob, "k1", at), accounts.ErrNoCredential)
	wantErr(t, "another's, canceled", s.PlanRemoval(ctx, bob, "k1", time.Time{}), accounts.ErrNoCredential)
	must(t, s.PlanRemoval(ctx, alice, "r", at))
	must(t, s.PlanRemoval(ctx, alice, "k1", at))
	same(t, "planned", credentialOf(t, s, alice, "k1").RemoveAt, at)
	wantErr(t, "the last that stays", s.PlanRemoval(ctx, alice, "k2", at), accounts.ErrLast)
	must(t, s.PlanRemoval(ctx, alice, "k1", at.Add(time.Hour)))
	same(t, "planned anew", credentialOf(t, s, alice, "k1").RemoveAt, at.Add(time.Hour))
	must(t, s.PlanRemoval(ctx, alice, "k1", time.Time{}))
	same(t, "canceled", credentialOf(t, s, alice, "k1").RemoveAt, time.Time{})
	must(t, s.PlanRemoval(ctx, alice, "k2", at))
	wantErr(t, "now the last", s.PlanRemoval(ctx, alice, "k1", at), accounts.ErrLast)
	same(t, "the codes", credentialOf(t, s, alice, "r").RemoveAt, at)
}

func factorPlanCrowd(t *testing.T, s People) {
	for round := range rounds {
		who, ids := withThree(t, s, round)
		race(t, accounts.ErrLast, func(i int) error { return s.PlanRemoval(t.Context(), who, ids[i%3], clock().Add(time.Hour)) })
		wantOneStays(t, s, who)
	}
}

// factorPlanAndRemoveCrowd: neither way around leads to nobody.
func factorPlanAndRemoveCrowd(t *testing.T, s People) {
	for round := range rounds {
		who, ids := withThree(t, s, round)
		race(t, accounts.ErrLast, func(i int) error {
			if i%2 == 0 {
				return notTwice(s.Remove(t.Context(), who, ids[i%3]))
			}
			return notTwice(s.PlanRemoval(t.Context(), who, ids[i%3], clock().Add(time.Hour)))
		})
		wantOneStays(t, s, who)
	}
}

func wantOneStays(t *testing.T, s People, who identity.Subject) {
	t.Helper()
	stay := 0
	for _, c := range account(t, s, who).Credentials {
		if c.RemoveAt.IsZero() {
			stay++
		}
	}
	if stay != 1 {
		t.Errorf("%d stay, want 1", stay)
	}
}

// uses are the ways to use a credential with codes and steps.
func uses(s People, id string, now time.Time) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"step": func(ctx context.Context) error { return s.AdvanceStep(ctx, id, now.Unix(), true, now) },
		"use":  func(ctx context.Context) error { return s.NoteUse(ctx, id, now) },
		"code": func(ctx context.Context) error { _, err := s.SpendCode(ctx, id, code(3), now); return err },
	}
}

func factorUseCancels(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1")
	withCodes(t, s, alice, now)
	at := now.Add(time.Hour)
	for what, use := range uses(s, "r", now.Add(time.Minute)) {
		must(t, s.PlanRemoval(ctx, alice, "r", at))
		must(t, use(ctx))
		got := credentialOf(t, s, alice, "r")
		same(t, what+": to be removed", got.RemoveAt, time.Time{})
		same(t, what+": used", got.UsedAt, now.Add(time.Minute))
	}
	must(t, s.PlanRemoval(ctx, alice, "r", at))
	must(t, s.AdvanceStep(ctx, "r", now.Unix()+1000, false, now))
	same(t, "a step without a pass", credentialOf(t, s, alice, "r").RemoveAt, at)
	must(t, s.NoteUse(ctx, "r", now.Add(-time.Hour)))
	same(t, "never back", credentialOf(t, s, alice, "r").UsedAt, now.Add(time.Minute))
	wantErr(t, "unknown", s.NoteUse(ctx, "k9", now), accounts.ErrNoCredential)
}

// factorDue: when its time has come no use brings a credential back.
func factorDue(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1")
	withCodes(t, s, alice, now)
	must(t, s.PlanRemoval(ctx, alice, "r", now))
	before := credentialOf(t, s, alice, "r")
	for what, use := range uses(s, "r", now) {
		wantErr(t, what, use(ctx), accounts.ErrNoCredential)
	}
	wantErr(t, "a step without a pass", s.AdvanceStep(ctx, "r", 1, false, now), accounts.ErrNoCredential)
	sameCredential(t, credentialOf(t, s, alice, "r"), before)
}

func factorPrefer(t *testing.T, s People) {
	ctx := t.Context()
	must(t, s.Prefer(ctx, alice, identity.Passkey))
	accountNeverSeen(t, s)
	withFactors(t, s, alice, clock(), "k1")
	withFactors(t, s, bob, clock(), "b1")
	for _, f := range append(identity.Factors(), "") {
		must(t, s.Prefer(ctx, alice, f))
		if got := account(t, s, alice).Preferred; got != f {
			t.Errorf("got %q, want %q", got, f)
		}
	}
	must(t, s.Prefer(ctx, alice, identity.SMS))
	if got := account(t, s, bob).Preferred; got != "" {
		t.Errorf("bob prefers %q", got)
	}
}

func factorNotice(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2", "k3")
	withFactors(t, s, bob, now, "b1")
	must(t, s.Notice(ctx, alice, now.Add(time.Minute)))
	for id, want := range map[string]bool{"k1": true, "k2": true, "k3": false} {
		if got := credentialOf(t, s, alice, id).Noticed; got != want {
			t.Errorf("%s: noticed %v", id, got)
		}
	}
	if credentialOf(t, s, bob, "b1").Noticed {
		t.Error("bob's is noticed")
	}
}

func factorCanceled(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now, "k1", "k2")
	withCodes(t, s, alice, now)
	before := account(t, s, alice)
	ctx := canceled(t)
	for what, do := range uses(s, "r", now) {
		wantUnknown(t, what, do(ctx), accountAnswers...)
	}
	c := newContact(alice, "c1", now)
	for what, do := range map[string]func() error{
		"bind":     func() error { return s.Bind(ctx, plain(alice, "k3", identity.TOTP, now), "k1") },
		"rename":   func() error { return s.Rename(ctx, alice, "k1", "x") },
		"remove":   func() error { return s.Remove(ctx, alice, "k1") },
		"plan":     func() error { return s.PlanRemoval(ctx, alice, "k1", now) },
		"prefer":   func() error { return s.Prefer(ctx, alice, identity.SMS) },
		"notice":   func() error { return s.Notice(ctx, alice, now.Add(time.Hour)) },
		"make":     func() error { return s.MakeCodes(ctx, plain(alice, "r2", identity.Recovery, now), nil) },
		"contact":  func() error { return s.PutContact(ctx, c, "") },
		"no more":  func() error { return s.RemoveContact(ctx, alice, "c1") },
		"trust":    func() error { return s.TrustBrowser(ctx, alice, []byte{1}, now) },
		"distrust": func() error { return s.DistrustBrowsers(ctx, alice) },
		"browsers": func() error { _, err := s.Browsers(ctx, alice); return err },
		"forget":   func() error { return s.ForgetBrowser(ctx, alice, []byte{1}) },
	} {
		wantUnknown(t, what, do(), accountAnswers...)
	}
	sameAccount(t, "canceled", account(t, s, alice), before)
}
