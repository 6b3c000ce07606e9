package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var contactTests = map[string]func(*testing.T, People){
	"put":             contactPut,
	"put, crowd":      contactPutCrowd,
	"factor":          contactFactor,
	"moved factor":    contactMoved,
	"remove":          contactRemove,
	"shared":          contactShared,
	"shared, crowd":   contactSharedCrowd,
	"beside factors":  contactBesideFactors,
	"replaced, crowd": contactReplacedCrowd,
	"only in a state": contactOnly,
	"only, crowd":     contactOnlyCrowd,
	"older keys":      contactOlderKeys,
	"older, crowd":    contactOlderKeysCrowd,
}

// newContact has a value in every field.
func newContact(who identity.Subject, id string, now time.Time) accounts.Contact {
	return accounts.Contact{ID: id, Subject: who, Kind: identity.SMS, Address: []byte{0, 255, '\''}, Digest: []byte("digest of " + id),
		Language: "zh-Hant-TW", BoundAt: now}
}

func wantContacts(t *testing.T, what string, s People, who identity.Subject, want ...accounts.Contact) {
	t.Helper()
	got := account(t, s, who).Contacts
	for _, c := range [][]accounts.Contact{got, want} {
		for i := range c {
			c[i].BoundAt = c[i].BoundAt.UTC()
		}
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v\nwant %+v", what, got, want)
	}
}

func contactPut(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	phone, mail := newContact(alice, "c1", now), newContact(alice, "c2", now)
	mail.Kind = identity.Email
	wantErr(t, "in place of what is not there", s.PutContact(ctx, phone, "c0"), accounts.ErrNoContact)
	accountNeverSeen(t, s)
	must(t, s.PutContact(ctx, phone, ""))
	if got := account(t, s, alice).State; got != identity.NeverBound {
		t.Errorf("the account became %v", got)
	}
	must(t, s.PutContact(ctx, mail, ""))
	wantContacts(t, "both", s, alice, mail, phone)

	next := newContact(alice, "c3", now.Add(time.Hour))
	for _, old := range []string{"", "c0", "c2", "C1"} {
		wantErr(t, "in place of "+old, s.PutContact(ctx, next, old), accounts.ErrNoContact)
	}
	wantContacts(t, "refused", s, alice, mail, phone)
	must(t, s.PutContact(ctx, next, "c1"))
	wantContacts(t, "replaced", s, alice, mail, next)
	next.Language = "en"
	must(t, s.PutContact(ctx, next, "c3"))
	wantContacts(t, "in another language", s, alice, mail, next)
	if got, ok := account(t, s, alice).Contact(identity.Email); !ok || got.ID != "c2" {
		t.Errorf("the mail address is %+v, %v", got, ok)
	}
	foreign := newContact(bob, "c3", now)
	wantUnknown(t, "an id in use", s.PutContact(ctx, foreign, ""), accountAnswers...)
	wantErr(t, "in place of another's", s.PutContact(ctx, newContact(bob, "c4", now), "c3"), accounts.ErrNoContact)
	wantContacts(t, "bob", s, bob)
}

func contactPutCrowd(t *testing.T, s People) {
	now := clock()
	won := race(t, accounts.ErrNoContact, func(i int) error {
		return s.PutContact(t.Context(), newContact(alice, fmt.Sprint("c", i), now), "")
	})
	if n := len(account(t, s, alice).Contacts); won != 1 || n != 1 {
		t.Errorf("%d were put, %d are there", won, n)
	}
}

func contactReplacedCrowd(t *testing.T, s People) {
	now := clock()
	must(t, s.PutContact(t.Context(), newContact(alice, "old", now), ""))
	won := race(t, accounts.ErrNoContact, func(i int) error {
		return s.PutContact(t.Context(), newContact(alice, fmt.Sprint("c", i), now), "old")
	})
	if n := len(account(t, s, alice).Contacts); won != 1 || n != 1 {
		t.Errorf("%d replaced it, %d are there", won, n)
	}
}

// contactFactor: a number that is not the person's own contact is no factor.
func contactFactor(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	sms := plain(alice, "c1", identity.SMS, now)
	sms.Secret = nil
	wantErr(t, "first, without a contact", s.BindFirst(ctx, sms), accounts.ErrNoContact)
	accountNeverSeen(t, s)
	must(t, s.PutContact(ctx, newContact(bob, "c1", now), ""))
	wantErr(t, "first, with another's contact", s.BindFirst(ctx, sms), accounts.ErrNoContact)
	mail := newContact(alice, "c2", now)
	mail.Kind = identity.Email
	must(t, s.PutContact(ctx, mail, ""))
	sms.ID = "c2"
	wantErr(t, "first, with a mail address", s.BindFirst(ctx, sms), accounts.ErrNoContact)
	must(t, s.PutContact(ctx, newContact(alice, "c3", now), ""))
	sms.ID = "c3"
	must(t, s.BindFirst(ctx, sms))
	sameCredential(t, credentialOf(t, s, alice, "c3"), sms)
	email := plain(alice, "c2", identity.Email, now.Add(time.Minute))
	for _, id := range []string{"c1", "c3", "c9", ""} {
		other := email
		other.ID = id
		wantErr(t, "added, with "+id, s.Bind(ctx, other), accounts.ErrNoContact)
	}
	must(t, s.Bind(ctx, email))
	wantFactors(t, "both", s, alice, "c3", "c2")
}

// contactMoved: a factor goes on with the next number, as nobody has seen it.
func contactMoved(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	must(t, s.PutContact(ctx, newContact(alice, "c1", now), ""))
	c := newCredential("c1", now)
	c.Factor, c.Secret = identity.SMS, nil
	must(t, s.BindFirst(ctx, c))
	withFactors(t, s, bob, now, "b1")
	must(t, s.PutContact(ctx, newContact(alice, "c2", now.Add(time.Hour)), "c1"))
	c.ID, c.BoundAt, c.Bound, c.UsedAt, c.LastStep, c.Noticed = "c2", now.Add(time.Hour), accounts.Place{}, time.Time{}, 0, false
	got := account(t, s, alice)
	if len(got.Credentials) != 1 || got.State != identity.Bound {
		t.Fatalf("got %+v", got)
	}
	sameCredential(t, got.Credentials[0], c)
}

func contactRemove(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	wantErr(t, "of nobody", s.RemoveContact(ctx, alice, "c1"), accounts.ErrNoContact)
	must(t, s.PutContact(ctx, newContact(alice, "c1", now), ""))
	wantErr(t, "another's", s.RemoveContact(ctx, bob, "c1"), accounts.ErrNoContact)
	must(t, s.RemoveContact(ctx, alice, "c1"))
	wantErr(t, "twice", s.RemoveContact(ctx, alice, "c1"), accounts.ErrNoContact)

	must(t, s.PutContact(ctx, newContact(alice, "c1", now), ""))
	must(t, s.BindFirst(ctx, plain(alice, "c1", identity.SMS, now)))
	withCodes(t, s, alice, now)
	wantErr(t, "the last factor", s.RemoveContact(ctx, alice, "c1"), accounts.ErrLast)
	wantContacts(t, "refused", s, alice, newContact(alice, "c1", now))
	must(t, s.Bind(ctx, plain(alice, "k1", identity.TOTP, now)))
	wantErr(t, "a credential's id", s.RemoveContact(ctx, alice, "k1"), accounts.ErrNoContact)
	must(t, s.RemoveContact(ctx, alice, "c1"))
	wantFactors(t, "removed", s, alice, "k1", "r")
	wantContacts(t, "removed", s, alice)
}

// sharer is somebody in a realm of their own.
func sharer(i int) identity.Subject {
	return identity.Subject{Realm: fmt.Sprint("realm", i%7), Name: fmt.Sprint("person", i)}
}

func sharedContact(who identity.Subject, id string) accounts.Contact {
	c := newContact(who, id, clock())
	c.Digest = []byte("shared\x00\xff")
	return c
}

func contactShared(t *testing.T, s People) {
	ctx := t.Context()
	for i := range accounts.MaxShared {
		must(t, s.PutContact(ctx, sharedContact(sharer(i), fmt.Sprint("c", i)), ""))
	}
	wantErr(t, "one more", s.PutContact(ctx, sharedContact(alice, "c"), ""), accounts.ErrShared)
	accountNeverSeen(t, s)
	must(t, s.PutContact(ctx, newContact(alice, "own", clock()), ""))
	wantErr(t, "in place of another", s.PutContact(ctx, sharedContact(alice, "c"), "own"), accounts.ErrShared)
	wantContacts(t, "refused", s, alice, account(t, s, alice).Contacts[0])
	must(t, s.PutContact(ctx, sharedContact(sharer(0), "again"), "c0"))
	must(t, s.RemoveContact(ctx, sharer(1), "c1"))
	must(t, s.PutContact(ctx, sharedContact(alice, "c"), "own"))
	wantErr(t, "full again", s.PutContact(ctx, sharedContact(sharer(1), "c1"), ""), accounts.ErrShared)
}

func contactSharedCrowd(t *testing.T, s People) {
	won := race(t, accounts.ErrShared, func(i int) error {
		return s.PutContact(t.Context(), sharedContact(sharer(i), fmt.Sprint("c", i)), "")
	})
	if won != accounts.MaxShared {
		t.Errorf("%d share it, want %d", won, accounts.MaxShared)
	}
}

// contactBesideFactors: nothing is there twice, however many there are of each.
func contactBesideFactors(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1", "k2", "k3")
	withCodes(t, s, alice, now)
	phone, mail := newContact(alice, "c1", now), newContact(alice, "c2", now)
	mail.Kind = identity.Email
	must(t, s.PutContact(ctx, phone, ""))
	must(t, s.PutContact(ctx, mail, ""))
	wantFactors(t, "beside contacts", s, alice, "k1", "k2", "k3", "r")
	wantContacts(t, "beside factors", s, alice, mail, phone)
	if left := credentialOf(t, s, alice, "r").Left; left != 10 {
		t.Errorf("%d codes", left)
	}
}

// contactOnly: whose state is another by now keeps the contacts that they have.
func contactOnly(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	never, federated := identity.NeverBound, identity.Federated
	must(t, s.PutContact(ctx, newContact(alice, "c1", now), "", never, federated))
	wantErr(t, "in no such state", s.PutContact(ctx, newContact(alice, "c2", now), "c1", identity.Bound), accounts.ErrAlreadyBound)
	must(t, s.NoteFederated(ctx, bob))
	must(t, s.PutContact(ctx, newContact(bob, "b1", now), "", never, federated))
	withFactors(t, s, alice, now, "k1")
	wantErr(t, "of who is bound", s.PutContact(ctx, newContact(alice, "c2", now), "c1", never, federated), accounts.ErrAlreadyBound)
	must(t, s.ResetFactors(ctx, alice))
	wantErr(t, "of who was reset", s.PutContact(ctx, newContact(alice, "c2", now), "c1", never, federated), accounts.ErrAlreadyBound)
	wantContacts(t, "refused", s, alice, newContact(alice, "c1", now))
}

// contactOnlyCrowd: in the moment of binding nobody slips a contact in. Each
// contact is as new as the one who bound could have seen it.
func contactOnlyCrowd(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	for round := range 5 {
		who := identity.Subject{Realm: "wiki", Name: fmt.Sprint("person", round)}
		var atBinding int
		race(t, accounts.ErrAlreadyBound, func(i int) error {
			if i != crowd/2 {
				return s.PutContact(ctx, newContact(who, fmt.Sprint(round, "-", i), now), "", identity.NeverBound)
			}
			defer func() { atBinding = len(account(t, s, who).Contacts) }()
			return s.BindFirst(ctx, plain(who, fmt.Sprint("k", round), identity.TOTP, now))
		}, accounts.ErrNoContact)
		if got := len(account(t, s, who).Contacts); got != atBinding {
			t.Errorf("%d contacts when they bound, %d afterwards", atBinding, got)
		}
	}
}

// contactOlderKeys: who was counted by another key still is.
func contactOlderKeys(t *testing.T, s People) {
	ctx := t.Context()
	for i := range accounts.MaxShared {
		c := sharedContact(sharer(i), fmt.Sprint("c", i))
		c.Digest = [][]byte{[]byte("by one"), []byte("by two"), []byte("by three")}[i%3]
		must(t, s.PutContact(ctx, c, ""))
	}
	c := sharedContact(alice, "c")
	c.Digest, c.Older = []byte("by three"), [][]byte{[]byte("by two"), []byte("by one")}
	wantErr(t, "one more", s.PutContact(ctx, c, ""), accounts.ErrShared)
	c.Older = c.Older[:1]
	must(t, s.PutContact(ctx, c, ""))
	wantContacts(t, "stored without", s, alice, accounts.Contact{ID: c.ID, Subject: c.Subject, Kind: c.Kind, Address: c.Address, Digest: c.Digest, Language: c.Language, BoundAt: c.BoundAt})
}

// contactOlderKeysCrowd: nodes that seal with different keys count together.
func contactOlderKeysCrowd(t *testing.T, s People) {
	won := race(t, accounts.ErrShared, func(i int) error {
		c, keys := sharedContact(sharer(i), fmt.Sprint("c", i)), [][]byte{[]byte("by one"), []byte("by two")}
		c.Digest, c.Older = keys[i%2], [][]byte{keys[1-i%2]}
		return s.PutContact(t.Context(), c, "")
	})
	if won != accounts.MaxShared {
		t.Errorf("%d share it, want %d", won, accounts.MaxShared)
	}
}
