package storetest

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
)

// People is the store of people, whole.
type People interface {
	accounts.Store
	accounts.Factors
	accounts.Help
}

// AccountStores is what lies in the store of accounts.
type AccountStores struct {
	Accounts People
	Budgets  limits.Store
	Trail    audit.Trail
	Reader   audit.Reader
}

// Accounts runs the suite. open gives an empty store, which it also closes at
// the end of the test.
func Accounts(t *testing.T, open func(t *testing.T) AccountStores) {
	for name, test := range map[string]func(*testing.T, accounts.Store){
		"never seen":      accountNeverSeen,
		"bind first":      accountBindFirst,
		"federated":       accountFederated,
		"one id":          accountOneID,
		"odd names":       accountOddNames,
		"bind, crowd":     accountBindCrowd,
		"steps":           accountSteps,
		"step, crowd":     accountStepCrowd,
		"steps, crowd":    accountStepsCrowd,
		"spend":           accountSpend,
		"spend, crowd":    accountSpendCrowd,
		"browsers":        accountBrowsers,
		"endings":         accountEndings,
		"meta":            accountMeta,
		"meta, crowd":     accountMetaCrowd,
		"canceled":        accountCanceled,
		"bind or nothing": accountNoHalfBinding,
	} {
		t.Run("accounts/"+name, func(t *testing.T) { test(t, open(t).Accounts) })
	}
	for part, tests := range map[string]map[string]func(*testing.T, People){
		"factors": factorTests, "codes": codeTests, "contacts": contactTests, "trust": trustTests,
		"help": helpTests, "requests": requestTests, "apart": apartTests,
	} {
		for name, test := range tests {
			t.Run(part+"/"+name, func(t *testing.T) { test(t, open(t).Accounts) })
		}
	}
	budgets(t, open)
	trail(t, open)
}

var accountAnswers = []error{
	accounts.ErrSpent, accounts.ErrAlreadyBound, accounts.ErrNotBound, accounts.ErrNoCredential, accounts.ErrLast,
	accounts.ErrNoContact, accounts.ErrShared, accounts.ErrNoBrowser, accounts.ErrNoTicket, accounts.ErrNoRequest, accounts.ErrDecided,
}

// newCredential has a value in every field.
func newCredential(id string, now time.Time) accounts.Credential {
	return accounts.Credential{
		ID: id, Subject: alice, Factor: identity.TOTP, Name: "Alice's \xf0\x9f\x93\xb1 phone \xff",
		Secret: []byte{0, 1, 255, '\''}, LastStep: 59_000_000, BoundAt: now, Bound: newPlace(7), UsedAt: now.Add(time.Second),
		Strength: identity.Telephone, Noticed: true, RemoveAt: now.Add(time.Hour),
	}
}

// newPlace is the place of the browser with this mark.
func newPlace(mark byte) accounts.Place {
	return accounts.Place{Address: "2001:db8::7", Browser: "Mozilla/5.0 \xff 'x'", Mark: []byte{1, 0, mark}}
}

func sameCredential(t *testing.T, got, want accounts.Credential) {
	t.Helper()
	for _, c := range []*accounts.Credential{&got, &want} {
		c.BoundAt, c.UsedAt, c.RemoveAt = c.BoundAt.UTC(), c.UsedAt.UTC(), c.RemoveAt.UTC()
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func accountNeverSeen(t *testing.T, s accounts.Store) {
	got, err := s.Account(t.Context(), alice)
	must(t, err)
	if want := (accounts.Account{Subject: alice, State: identity.NeverBound}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func accountBindFirst(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	c := newCredential("k1", now)
	must(t, s.BindFirst(ctx, c))
	wantErr(t, "a second factor", s.BindFirst(ctx, newCredential("k2", now)), accounts.ErrAlreadyBound)
	wantErr(t, "the same again", s.BindFirst(ctx, c), accounts.ErrAlreadyBound)
	got, err := s.Account(ctx, alice)
	must(t, err)
	if got.Subject != alice || got.State != identity.Bound || !got.ValidFrom.IsZero() || len(got.Credentials) != 1 {
		t.Fatalf("got %+v", got)
	}
	sameCredential(t, got.Credentials[0], c)

	fresh := newCredential("k3", now)
	fresh.Subject.Name, fresh.Name, fresh.UsedAt, fresh.LastStep = "bob", "", time.Time{}, 0
	fresh.Bound, fresh.Strength, fresh.Noticed, fresh.RemoveAt = accounts.Place{}, identity.Unproved, false, time.Time{}
	must(t, s.BindFirst(ctx, fresh))
	got, err = s.Account(ctx, fresh.Subject)
	must(t, err)
	sameCredential(t, got.Credentials[0], fresh)
}

// accountFederated: single sign-on marks those who have nothing to lose by it,
// and opens a binding only where the caller says so.
func accountFederated(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	must(t, s.NoteFederated(ctx, alice))
	must(t, s.NoteFederated(ctx, alice))
	if got, err := s.Account(ctx, alice); err != nil || got.State != identity.Federated {
		t.Errorf("%+v, %v", got, err)
	}
	c := newCredential("k1", now)
	wantErr(t, "a password's binding", s.BindFirst(ctx, c), accounts.ErrAlreadyBound)
	wantErr(t, "of who was reset", s.BindFirst(ctx, c, identity.Reset), accounts.ErrAlreadyBound)
	must(t, s.BindFirst(ctx, c, identity.Reset, identity.Federated))
	must(t, s.NoteFederated(ctx, alice))
	if got, err := s.Account(ctx, alice); err != nil || got.State != identity.Bound || len(got.Credentials) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func accountOneID(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	must(t, s.BindFirst(ctx, newCredential("k1", now)))
	foreign := newCredential("k1", now)
	foreign.Subject.Name = "mallory"
	wantUnknown(t, "an id in use", s.BindFirst(ctx, foreign), accountAnswers...)
	for who, want := range map[string]identity.Enrollment{"alice": identity.Bound, "mallory": identity.NeverBound} {
		got, err := s.Account(ctx, identity.Subject{Realm: alice.Realm, Name: who})
		must(t, err)
		if got.State != want {
			t.Errorf("%s: state %v, want %v", who, got.State, want)
		}
	}
}

// accountNoHalfBinding: whoever cannot be bound stays free to bind.
func accountNoHalfBinding(t *testing.T, s accounts.Store) {
	c := newCredential("k1", clock())
	wantUnknown(t, "bind, canceled", s.BindFirst(canceled(t), c), accountAnswers...)
	accountNeverSeen(t, s)
	must(t, s.BindFirst(t.Context(), c))
}

func accountOddNames(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	for i, name := range oddNames {
		c := newCredential(fmt.Sprint("k", i), now)
		c.Subject.Name = name
		must(t, s.BindFirst(ctx, c))
		must(t, s.KnowBrowser(ctx, c.Subject, newPlace(byte(i)), now))
	}
	for i, name := range oddNames {
		who := identity.Subject{Realm: alice.Realm, Name: name}
		got, err := s.Account(ctx, who)
		must(t, err)
		if len(got.Credentials) != 1 || got.Credentials[0].ID != fmt.Sprint("k", i) || got.Subject != who {
			t.Errorf("%q: got %+v", name, got)
		}
		b, err := s.Browser(ctx, who, newPlace(byte(i)).Mark)
		if err != nil || !b.Known {
			t.Errorf("%q: its browser is known: %+v, %v", name, b, err)
		}
	}
	other, err := s.Account(ctx, identity.Subject{Realm: "blog", Name: alice.Name})
	must(t, err)
	if other.State != identity.NeverBound {
		t.Error("a name of one realm is bound in another")
	}
}

func accountBindCrowd(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	won := race(t, accounts.ErrAlreadyBound, func(i int) error {
		return s.BindFirst(ctx, newCredential(fmt.Sprint("k", i), now))
	})
	got, err := s.Account(ctx, alice)
	must(t, err)
	if won != 1 || len(got.Credentials) != 1 {
		t.Errorf("%d bound a first factor, %d credentials are there", won, len(got.Credentials))
	}
}

func accountSteps(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	c := newCredential("k1", now)
	c.LastStep, c.UsedAt, c.RemoveAt = 100, time.Time{}, time.Time{}
	must(t, s.BindFirst(ctx, c))
	last := func(what string, step int64, used time.Time) {
		t.Helper()
		got, err := s.Account(ctx, alice)
		must(t, err)
		if got.Credentials[0].LastStep != step {
			t.Errorf("%s: last step %d, want %d", what, got.Credentials[0].LastStep, step)
		}
		same(t, what+": used", got.Credentials[0].UsedAt, used)
	}
	wantErr(t, "the step of the binding", s.AdvanceStep(ctx, "k1", 100, true, now), accounts.ErrSpent)
	last("refused", 100, time.Time{})
	must(t, s.AdvanceStep(ctx, "k1", 102, false, now))
	last("spent without a pass", 102, time.Time{})
	wantErr(t, "a lower step", s.AdvanceStep(ctx, "k1", 101, true, now), accounts.ErrSpent)
	must(t, s.AdvanceStep(ctx, "k1", 103, true, now))
	last("passed", 103, now)
	must(t, s.AdvanceStep(ctx, "k1", 104, false, now.Add(time.Minute)))
	last("spent later without a pass", 104, now)
	wantErr(t, "no such credential", s.AdvanceStep(ctx, "k9", 1, true, now), accounts.ErrNoCredential)
}

func accountStepCrowd(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	c := newCredential("k1", now)
	must(t, s.BindFirst(ctx, c))
	won := race(t, accounts.ErrSpent, func(int) error { return s.AdvanceStep(ctx, "k1", c.LastStep+1, true, now) })
	if won != 1 {
		t.Errorf("%d spent the same step", won)
	}
}

// accountStepsCrowd: whatever the order, the highest step holds.
func accountStepsCrowd(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	c := newCredential("k1", now)
	must(t, s.BindFirst(ctx, c))
	race(t, accounts.ErrSpent, func(i int) error { return s.AdvanceStep(ctx, "k1", c.LastStep+int64(i), true, now) })
	got, err := s.Account(ctx, alice)
	must(t, err)
	if want := c.LastStep + crowd - 1; got.Credentials[0].LastStep != want {
		t.Errorf("last step %d, want %d", got.Credentials[0].LastStep, want)
	}
}

func accountSpend(t *testing.T, s accounts.Store) {
	ctx, now := t.Context(), clock()
	must(t, s.SpendID(ctx, "a", now.Add(time.Minute)))
	wantErr(t, "twice", s.SpendID(ctx, "a", now.Add(time.Hour)), accounts.ErrSpent)
	for _, id := range oddNames {
		must(t, s.SpendID(ctx, "odd "+id, now.Add(time.Minute)))
		wantErr(t, "twice", s.SpendID(ctx, "odd "+id, now.Add(time.Minute)), accounts.ErrSpent)
	}
}

func accountSpendCrowd(t *testing.T, s accounts.Store) {
	ctx, expires := t.Context(), clock().Add(time.Minute)
	if won := race(t, accounts.ErrSpent, func(int) error { return s.SpendID(ctx, "a", expires) }); won != 1 {
		t.Errorf("%d spent the same id", won)
	}
}

func accountMeta(t *testing.T, s accounts.Store) {
	ctx := t.Context()
	unset, err := s.Meta(ctx, "keys")
	if err != nil || unset != nil {
		t.Errorf("unset: got %v, %v", unset, err)
	}
	for name, value := range map[string][]byte{"keys": {0, 255}, "empty": {}} {
		holds, err := s.SetMetaIfAbsent(ctx, name, value)
		must(t, err)
		later, err := s.SetMetaIfAbsent(ctx, name, []byte("other"))
		must(t, err)
		read, err := s.Meta(ctx, name)
		must(t, err)
		for _, got := range [][]byte{holds, later, read} {
			if got == nil || !bytes.Equal(got, value) {
				t.Errorf("%s: got %v, want %v", name, got, value)
			}
		}
	}
}

func accountMetaCrowd(t *testing.T, s accounts.Store) {
	ctx := t.Context()
	got := make([][]byte, crowd)
	race(t, nil, func(i int) (err error) {
		got[i], err = s.SetMetaIfAbsent(ctx, "keys", []byte{byte(i)})
		return err
	})
	for _, value := range got {
		if !bytes.Equal(value, got[0]) {
			t.Fatalf("the crowd does not agree: %v and %v", got[0], value)
		}
	}
}

func accountCanceled(t *testing.T, s accounts.Store) {
	now := clock()
	must(t, s.BindFirst(t.Context(), newCredential("k1", now)))
	ctx := canceled(t)
	for what, do := range map[string]func(context.Context) error{
		"account": func(ctx context.Context) error { _, err := s.Account(ctx, alice); return err },
		"bind":    func(ctx context.Context) error { return s.BindFirst(ctx, newCredential("k2", now)) },
		"advance": func(ctx context.Context) error { return s.AdvanceStep(ctx, "k1", 60_000_000, true, now) },
		"old":     func(ctx context.Context) error { return s.AdvanceStep(ctx, "k1", 1, true, now) },
		"use":     func(ctx context.Context) error { return s.NoteUse(ctx, "k1", now) },
		"spend":   func(ctx context.Context) error { return s.SpendID(ctx, "a", now.Add(time.Minute)) },
		"know":    func(ctx context.Context) error { return s.KnowBrowser(ctx, alice, newPlace(1), now) },
		"browser": func(ctx context.Context) error { _, err := s.Browser(ctx, alice, []byte{1}); return err },
		"forget":  func(ctx context.Context) error { return s.ForgetPasses(ctx, alice) },
		"end":     func(ctx context.Context) error { return s.EndSessions(ctx, alice, now) },
		"ended":   func(ctx context.Context) error { _, err := s.Ended(ctx, alice, "a", now); return err },
		"meta":    func(ctx context.Context) error { _, err := s.Meta(ctx, "keys"); return err },
		"set":     func(ctx context.Context) error { _, err := s.SetMetaIfAbsent(ctx, "keys", nil); return err },
	} {
		wantUnknown(t, what, do(ctx), accountAnswers...)
	}
	must(t, s.SpendID(t.Context(), "a", now.Add(time.Minute)))
}
