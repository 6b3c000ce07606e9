package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

// Passwords runs the suite. open gives an empty store, which it also closes at
// the end of the test.
func Passwords(t *testing.T, open func(t *testing.T) accounts.Passwords) {
	for name, test := range map[string]func(*testing.T, accounts.Passwords){
		"create":         personCreate,
		"create, crowd":  personCreateCrowd,
		"odd names":      personOddNames,
		"links":          personLinks,
		"links, crowd":   personLinkCrowd,
		"change":         personChange,
		"change, crowd":  personChangeCrowd,
		"same password":  personSamePassword,
		"canceled":       personCanceled,
		"other accounts": personOthers,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var personAnswers = []error{accounts.ErrPersonExists, accounts.ErrNoPerson, accounts.ErrNoLink, accounts.ErrPasswordChanged}

// wantPerson compares what is stored of alice.
func wantPerson(t *testing.T, s accounts.Passwords, what string, want accounts.Person) {
	t.Helper()
	got, err := s.Person(t.Context(), want.Subject)
	must(t, err)
	if got.Subject != want.Subject || !bytes.Equal(got.Password, want.Password) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
	same(t, what+": created", got.CreatedAt, want.CreatedAt)
	same(t, what+": set", got.SetAt, want.SetAt)
	same(t, what+": the link expires", got.LinkExpiresAt, want.LinkExpiresAt)
}

func personCreate(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	_, err := s.Person(ctx, alice)
	wantErr(t, "nobody", err, accounts.ErrNoPerson)
	must(t, s.CreatePerson(ctx, alice, now))
	wantErr(t, "twice", s.CreatePerson(ctx, alice, now.Add(time.Hour)), accounts.ErrPersonExists)
	wantPerson(t, s, "created", accounts.Person{Subject: alice, CreatedAt: now})
	must(t, s.CreatePerson(ctx, bob, now))
	must(t, s.CreatePerson(ctx, identity.Subject{Realm: "blog", Name: "carol"}, now))
	all, err := s.People(ctx, alice.Realm)
	must(t, err)
	if len(all) != 2 || all[0].Subject != alice || all[1].Subject != bob {
		t.Errorf("the people are %+v", all)
	}
	if none, err := s.People(ctx, "other"); err != nil || len(none) != 0 {
		t.Errorf("of an empty realm: %v, %v", none, err)
	}
}

func personCreateCrowd(t *testing.T, s accounts.Passwords) {
	won := race(t, accounts.ErrPersonExists, func(int) error { return s.CreatePerson(t.Context(), alice, clock()) })
	if won != 1 {
		t.Errorf("%d created the same person", won)
	}
}

// personOddNames: one person, one spelling, and each of them another one.
func personOddNames(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	for i, name := range oddNames {
		who := identity.Subject{Realm: alice.Realm, Name: name}
		must(t, s.CreatePerson(ctx, who, now))
		must(t, s.IssueLink(ctx, who, []byte{1, byte(i)}, now.Add(time.Hour)))
		must(t, s.RedeemLink(ctx, who, []byte{1, byte(i)}, []byte{2, byte(i)}, now))
	}
	for i, name := range oddNames {
		got, err := s.Person(ctx, identity.Subject{Realm: alice.Realm, Name: name})
		if err != nil || got.Subject.Name != name || !bytes.Equal(got.Password, []byte{2, byte(i)}) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	all, err := s.People(ctx, alice.Realm)
	must(t, err)
	inOrder := slices.IsSortedFunc(all, func(a, b accounts.Person) int {
		return bytes.Compare([]byte(a.Subject.Name), []byte(b.Subject.Name))
	})
	if len(all) != len(oddNames) || !inOrder {
		t.Errorf("%d people, in order: %v", len(all), inOrder)
	}
}

func personLinks(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	later := now.Add(24 * time.Hour)
	wantErr(t, "for nobody", s.IssueLink(ctx, alice, []byte("one"), later), accounts.ErrNoPerson)
	must(t, s.CreatePerson(ctx, alice, now))
	must(t, s.CreatePerson(ctx, bob, now))
	must(t, s.IssueLink(ctx, alice, []byte("one"), later))
	must(t, s.IssueLink(ctx, alice, []byte("two"), later))
	must(t, s.IssueLink(ctx, bob, []byte("bob's"), later))
	wantPerson(t, s, "issued", accounts.Person{Subject: alice, CreatedAt: now, LinkExpiresAt: later})
	for what, c := range map[string]struct {
		realm, digest string
		at            time.Time
	}{
		"replaced":           {alice.Realm, "one", now},
		"of another realm":   {"blog", "two", now},
		"expired":            {alice.Realm, "two", later},
		"unknown":            {alice.Realm, "tw", now},
		"nobody's":           {alice.Realm, "", now},
		"in another spacing": {alice.Realm, "two\x00", now},
	} {
		_, err := s.Link(ctx, c.realm, []byte(c.digest), c.at)
		wantErr(t, what, err, accounts.ErrNoLink)
		who := identity.Subject{Realm: c.realm, Name: alice.Name}
		wantErr(t, what, s.RedeemLink(ctx, who, []byte(c.digest), []byte("x"), c.at), accounts.ErrNoLink)
	}
	who, err := s.Link(ctx, alice.Realm, []byte("two"), now)
	if err != nil || who != alice {
		t.Errorf("the link is %v's, %v", who, err)
	}
	wantErr(t, "for bob", s.RedeemLink(ctx, bob, []byte("two"), []byte("x"), now), accounts.ErrNoLink)
	must(t, s.RedeemLink(ctx, alice, []byte("two"), []byte("first"), now.Add(time.Minute)))
	wantErr(t, "twice", s.RedeemLink(ctx, alice, []byte("two"), []byte("x"), now), accounts.ErrNoLink)
	wantPerson(t, s, "redeemed", accounts.Person{Subject: alice, CreatedAt: now, Password: []byte("first"), SetAt: now.Add(time.Minute)})
	wantPerson(t, s, "bob", accounts.Person{Subject: bob, CreatedAt: now, LinkExpiresAt: later})
}

// personLinkCrowd: one link, one password, however many send it at once.
func personLinkCrowd(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	must(t, s.CreatePerson(ctx, alice, now))
	must(t, s.IssueLink(ctx, alice, []byte("one"), now.Add(time.Hour)))
	won := race(t, accounts.ErrNoLink, func(i int) error {
		return s.RedeemLink(ctx, alice, []byte("one"), []byte(fmt.Sprint("p", i)), now)
	})
	if won != 1 {
		t.Errorf("%d used the same link", won)
	}
}

// withPassword makes alice, whose password is "old" since now.
func withPassword(t *testing.T, s accounts.Passwords, now time.Time) {
	t.Helper()
	must(t, s.CreatePerson(t.Context(), alice, now))
	must(t, s.IssueLink(t.Context(), alice, []byte("link"), now.Add(time.Hour)))
	must(t, s.RedeemLink(t.Context(), alice, []byte("link"), []byte("old"), now))
}

func personChange(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	wantErr(t, "of nobody", s.SetPassword(ctx, alice, []byte("old"), []byte("new"), now), accounts.ErrPasswordChanged)
	must(t, s.CreatePerson(ctx, bob, now))
	for _, none := range [][]byte{nil, {}} {
		wantErr(t, "of who has none", s.SetPassword(ctx, bob, none, []byte("new"), now), accounts.ErrPasswordChanged)
	}
	withPassword(t, s, now)
	must(t, s.IssueLink(ctx, alice, []byte("again"), now.Add(time.Hour)))
	wantErr(t, "of another", s.SetPassword(ctx, alice, []byte("other"), []byte("new"), now), accounts.ErrPasswordChanged)
	must(t, s.SetPassword(ctx, alice, []byte("old"), []byte("new"), now.Add(time.Minute)))
	wantErr(t, "twice", s.SetPassword(ctx, alice, []byte("old"), []byte("x"), now), accounts.ErrPasswordChanged)
	wantPerson(t, s, "changed", accounts.Person{Subject: alice, CreatedAt: now, Password: []byte("new"), SetAt: now.Add(time.Minute)})
	wantErr(t, "a link of before", s.RedeemLink(ctx, alice, []byte("again"), []byte("x"), now), accounts.ErrNoLink)
}

// personSamePassword: another form of the same password voids no link.
func personSamePassword(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	withPassword(t, s, now)
	must(t, s.IssueLink(ctx, alice, []byte("again"), now.Add(time.Hour)))
	must(t, s.SetPassword(ctx, alice, []byte("old"), []byte("better"), now))
	wantPerson(t, s, "hashed anew", accounts.Person{Subject: alice, CreatedAt: now, Password: []byte("better"), SetAt: now, LinkExpiresAt: now.Add(time.Hour)})
	must(t, s.RedeemLink(ctx, alice, []byte("again"), []byte("x"), now))
}

func personChangeCrowd(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	withPassword(t, s, now)
	won := race(t, accounts.ErrPasswordChanged, func(i int) error {
		return s.SetPassword(ctx, alice, []byte("old"), []byte(fmt.Sprint("p", i)), now.Add(time.Minute))
	})
	if won != 1 {
		t.Errorf("%d changed the same password", won)
	}
}

func personCanceled(t *testing.T, s accounts.Passwords) {
	now := clock()
	withPassword(t, s, now)
	must(t, s.IssueLink(t.Context(), alice, []byte("again"), now.Add(time.Hour)))
	ctx := canceled(t)
	for what, do := range map[string]func(context.Context) error{
		"create":   func(ctx context.Context) error { return s.CreatePerson(ctx, bob, now) },
		"person":   func(ctx context.Context) error { _, err := s.Person(ctx, alice); return err },
		"people":   func(ctx context.Context) error { _, err := s.People(ctx, alice.Realm); return err },
		"issue":    func(ctx context.Context) error { return s.IssueLink(ctx, alice, []byte("x"), now) },
		"link":     func(ctx context.Context) error { _, err := s.Link(ctx, alice.Realm, []byte("again"), now); return err },
		"redeem":   func(ctx context.Context) error { return s.RedeemLink(ctx, alice, []byte("again"), []byte("x"), now) },
		"password": func(ctx context.Context) error { return s.SetPassword(ctx, alice, []byte("old"), []byte("x"), now) },
	} {
		wantUnknown(t, what, do(ctx), personAnswers...)
	}
	must(t, s.RedeemLink(t.Context(), alice, []byte("again"), []byte("new"), now))
}

// personOthers: two people never have one link.
func personOthers(t *testing.T, s accounts.Passwords) {
	ctx, now := t.Context(), clock()
	elsewhere := identity.Subject{Realm: "blog", Name: alice.Name}
	for _, who := range []identity.Subject{alice, bob, elsewhere} {
		must(t, s.CreatePerson(ctx, who, now))
	}
	must(t, s.IssueLink(ctx, alice, []byte("one"), now.Add(time.Hour)))
	must(t, s.IssueLink(ctx, elsewhere, []byte("one"), now.Add(time.Hour)))
	wantUnknown(t, "a link in use", s.IssueLink(ctx, bob, []byte("one"), now.Add(time.Hour)), personAnswers...)
	must(t, s.RedeemLink(ctx, alice, []byte("one"), []byte("p"), now))
	if who, err := s.Link(ctx, "blog", []byte("one"), now); err != nil || who != elsewhere {
		t.Errorf("the other realm's link is %v's, %v", who, err)
	}
}
