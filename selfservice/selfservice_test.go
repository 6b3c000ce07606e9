package selfservice_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/templates"
)

var alice = identity.Subject{Realm: "staff", Name: "alice"}

// desk is the service over real stores.
type desk struct {
	*selfservice.Service
	store *sqlite.Accounts
	now   time.Time
	sent  []notify.Message
	down  bool
}

func (d *desk) Has(notify.Channel) bool { return !d.down }

func (d *desk) Send(_ context.Context, m notify.Message) error {
	d.sent = append(d.sent, m)
	return nil
}

var texts = sync.OnceValues(func() (*templates.Set, error) { return templates.New(templates.Options{Base: "/.stepgate"}) })

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
	people, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
	check(t, err)
	live, err := sqlite.OpenSessions(filepath.Join(t.TempDir(), "sessions.db"))
	check(t, err)
	ring, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{7}})
	check(t, err)
	words, err := texts()
	check(t, err)
	now := func() time.Time { return d.now }
	all, err := sessions.New(sessions.Options{Store: live, Ledger: accounts.Ledger{Store: people}, Ring: ring, Now: now})
	check(t, err)
	t.Cleanup(func() {
		all.Close()
		_, _ = live.Close(), people.Close()
	})
	d.store = people
	d.Service = &selfservice.Service{Accounts: people, Sessions: all, Trail: people.Audit(), Past: people.Audit(), Ring: ring, Now: now,
		Book: &contacts.Book{Ring: ring, Courier: d, Writer: words, Budgets: people.Budgets(), Log: slog.New(slog.DiscardHandler), Now: now}}
	return d
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is alice in a session that was proved by something of this strength.
func person(by identity.Strength) selfservice.Person {
	return selfservice.Person{Session: &sessions.Session{Record: sessions.Record{Site: "wiki", Subject: alice, Strength: by, Level: identity.Verified}},
		Place: accounts.Place{Address: "192.0.2.1", Mark: []byte("mark")},
		Rules: policy.Rules{Factors: identity.Factors(), Manage: true}}
}

func (d *desk) bind(t testing.TB, id string, f identity.Factor, s identity.Strength) {
	t.Helper()
	c := accounts.Credential{ID: id, Subject: alice, Factor: f, Name: id, BoundAt: d.now, Strength: s}
	err := d.store.BindFirst(t.Context(), c)
	if errors.Is(err, accounts.ErrAlreadyBound) {
		err = d.store.Bind(t.Context(), c)
	}
	check(t, err)
}

func (d *desk) reach(t testing.TB, kind identity.Factor, to string) accounts.Contact {
	t.Helper()
	c := d.Book.Seal(alice, contacts.Address{Kind: kind, To: to, Lang: "en"})
	check(t, d.store.PutContact(t.Context(), c, ""))
	return c
}

func (d *desk) account(t testing.TB) accounts.Account {
	t.Helper()
	a, err := d.store.Account(t.Context(), alice)
	check(t, err)
	return a
}

func (d *desk) events(t testing.TB) (all []audit.Event) {
	t.Helper()
	records, err := d.Past.Find(t.Context(), alice, "", 100)
	check(t, err)
	for _, r := range records {
		all = append(all, r.Event)
	}
	return all
}

// TestWeakerNeverRemoves: whatever a person does in sessions of some strength,
// what is stronger stays for 72 hours, and what is added is no stronger.
func TestWeakerNeverRemoves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t)
		d.bind(t, "strong", identity.TOTP, identity.Device)
		d.bind(t, "key", identity.Passkey, identity.Key)
		number := d.reach(t, identity.SMS, "+8613812345678")
		d.bind(t, number.ID, identity.SMS, identity.Telephone)
		d.reach(t, identity.Email, "alice@example.com")
		by := identity.Strength(rapid.IntRange(int(identity.Mailbox), int(identity.Key)).Draw(rt, "by"))
		p, before := person(by), d.account(t)
		ids := []string{"strong", "key", number.ID}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			id := rapid.SampledFrom(ids).Draw(rt, "id")
			kind := rapid.SampledFrom([]identity.Factor{identity.SMS, identity.Email}).Draw(rt, "kind")
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				_, _ = d.Remove(t.Context(), p, id)
			case 1:
				_, _ = d.RemoveContact(t.Context(), p, kind)
			case 2:
				_ = d.Enable(t.Context(), p, kind)
			case 3:
				_, _ = d.MakeCodes(t.Context(), p)
			case 4:
				_ = d.Keep(t.Context(), p, id)
			}
		}
		after := d.account(t)
		for _, c := range before.Credentials {
			i := slices.IndexFunc(after.Credentials, func(o accounts.Credential) bool { return o.ID == c.ID })
			if c.Strength > by && (i < 0 || !after.Credentials[i].RemoveAt.IsZero() && after.Credentials[i].RemoveAt.Before(d.now.Add(selfservice.RemovalDelay))) {
				rt.Fatalf("%s went by something of strength %d", c.ID, by)
			}
		}
		for _, c := range after.Credentials {
			if !slices.ContainsFunc(before.Credentials, func(o accounts.Credential) bool { return o.ID == c.ID }) && c.Strength > by {
				rt.Fatalf("%s of strength %d came by %d", c.Factor, c.Strength, by)
			}
		}
		if !slices.ContainsFunc(after.Usable(d.now.Add(selfservice.RemovalDelay)), func(c accounts.Credential) bool { return p.Rules.Counts(c.Factor) }) {
			rt.Fatal("nothing that counts is left")
		}
	})
}

// TestPlanningAgainPostponesNothing, and hastens nothing.
func TestPlanningAgainPostponesNothing(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	d.bind(t, "key", identity.Passkey, identity.Device)
	weak := person(identity.Telephone)
	first, err := d.Remove(t.Context(), weak, "app")
	check(t, err)
	d.now = d.now.Add(time.Hour)
	if again, err := d.Remove(t.Context(), weak, "app"); err != nil || !again.Equal(first) || len(d.events(t)) != 1 {
		t.Errorf("%v, then %v, %v", first, again, err)
	}
	if at, err := d.Remove(t.Context(), person(identity.Device), "app"); err != nil || !at.IsZero() {
		t.Errorf("by something as strong: %v %v", at, err)
	}
	if _, err := d.Remove(t.Context(), person(identity.Key), "key"); !errors.Is(err, accounts.ErrLast) {
		t.Errorf("the last: %v", err)
	}
}

// TestChannelsThatAreGoneDoNotCount: nobody is left with codes that cannot be
// sent.
func TestChannelsThatAreGoneDoNotCount(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	number := d.reach(t, identity.SMS, "+8613812345678")
	d.bind(t, number.ID, identity.SMS, identity.Telephone)
	d.down = true
	if _, err := d.Remove(t.Context(), person(identity.Key), "app"); !errors.Is(err, accounts.ErrLast) {
		t.Errorf("%v", err)
	}
	if err := d.ContactChangeable(t.Context(), person(identity.Key), identity.SMS); !errors.Is(err, selfservice.ErrNotOffered) {
		t.Errorf("changing the number: %v", err)
	}
	d.down = false
	if _, err := d.Remove(t.Context(), person(identity.Key), "app"); err != nil {
		t.Errorf("%v", err)
	}
}

// TestContactThatIsAFactor is changed by nobody who proved less than it.
func TestContactThatIsAFactor(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	d.reach(t, identity.SMS, "+8613812345678")
	d.reach(t, identity.Email, "alice@example.com")
	mail, sms := person(identity.Mailbox), person(identity.Telephone)
	check(t, d.ContactChangeable(t.Context(), mail, identity.SMS))
	check(t, d.Enable(t.Context(), sms, identity.SMS))
	for p, want := range map[identity.Strength]error{identity.Mailbox: selfservice.ErrTooWeak, identity.Telephone: nil} {
		if err := d.ContactChangeable(t.Context(), person(p), identity.SMS); !errors.Is(err, want) {
			t.Errorf("by %d: %v", p, err)
		}
	}
	d.sent = nil
	at, err := d.RemoveContact(t.Context(), mail, identity.SMS)
	if err != nil || !at.Equal(d.now.Add(selfservice.RemovalDelay)) || len(d.sent) != 2 {
		t.Errorf("%v %v, %d messages", at, err, len(d.sent))
	}
	if _, ok := d.account(t).Contact(identity.SMS); !ok {
		t.Error("the contact went at once")
	}
	d.now = at
	if at, err := d.RemoveContact(t.Context(), mail, identity.SMS); err != nil || !at.IsZero() {
		t.Errorf("when its factor is due: %v %v", at, err)
	}
}

// TestEnablingAgain after its removal was due.
func TestEnablingAgain(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	number := d.reach(t, identity.SMS, "+8613812345678")
	p := person(identity.Device)
	check(t, d.Enable(t.Context(), p, identity.SMS))
	if err := d.Enable(t.Context(), p, identity.SMS); !errors.Is(err, selfservice.ErrNotOffered) {
		t.Errorf("twice: %v", err)
	}
	check(t, d.store.PlanRemoval(t.Context(), alice, number.ID, d.now.Add(time.Hour)))
	d.now = d.now.Add(time.Hour)
	check(t, d.Enable(t.Context(), p, identity.SMS))
	p.Rules.Factors = []identity.Factor{identity.TOTP}
	if _, err := d.Enabling(t.Context(), p, identity.Email); !errors.Is(err, selfservice.ErrNotOffered) {
		t.Errorf("what does not count: %v", err)
	}
}

// TestManageOff: nothing is changed, and sessions still end.
func TestManageOff(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	d.bind(t, "key", identity.Passkey, identity.Device)
	d.reach(t, identity.SMS, "+8613812345678")
	p := person(identity.Key)
	p.Rules.Manage = false
	var errs []error
	collect := func(err error) { errs = append(errs, err) }
	_, err := d.Remove(t.Context(), p, "app")
	collect(err)
	_, err = d.RemoveContact(t.Context(), p, identity.SMS)
	collect(err)
	_, err = d.MakeCodes(t.Context(), p)
	collect(err)
	_, err = d.Replaceable(t.Context(), p, "app")
	collect(err)
	for _, err := range []error{d.Rename(t.Context(), p, "app", "x"), d.Prefer(t.Context(), p, identity.TOTP), d.Enable(t.Context(), p, identity.SMS),
		d.Addable(t.Context(), p, identity.TOTP), d.ContactChangeable(t.Context(), p, identity.SMS), d.Keep(t.Context(), p, "app")} {
		collect(err)
	}
	for i, err := range errs {
		if !errors.Is(err, selfservice.ErrNotManageable) {
			t.Errorf("%d: %v", i, err)
		}
	}
	check(t, d.EndOthers(t.Context(), p))
	if o, err := d.Overview(t.Context(), p); err != nil || o.Manage || len(o.Add) > 0 || o.Factors[0].Removable || len(o.Factors) != 2 {
		t.Errorf("%+v %v", o, err)
	}
}

// TestNamesAreCleaned of what cannot be seen, and none is empty.
func TestNamesAreCleaned(t *testing.T) {
	d := newDesk(t)
	d.bind(t, "app", identity.TOTP, identity.Device)
	p := person(identity.Device)
	for _, empty := range []string{"", " \t", "\u202e\u200b"} {
		if err := d.Rename(t.Context(), p, "app", empty); !errors.Is(err, selfservice.ErrNoName) {
			t.Errorf("%q: %v", empty, err)
		}
	}
	check(t, d.Rename(t.Context(), p, "app", " My\u202e \n phone "))
	if got := d.account(t).Credentials[0].Name; got != "My phone" {
		t.Errorf("%q", got)
	}
}

// TestTokens are of one session's family, use, site and person.
func TestTokens(t *testing.T) {
	d := newDesk(t)
	p, other := person(identity.Device), person(identity.Device)
	token := d.Token(p.Session, "done", "removed")
	renewed := person(identity.Key)
	renewed.ID = sessions.ID{9}
	if !d.Ours(p.Session, token, "done", "removed") || !d.Ours(renewed.Session, token, "done", "removed") {
		t.Error("its own is refused")
	}
	if d.Ours(p.Session, token) || d.Ours(p.Session, token, "done", "kept") || d.Ours(p.Session, "") || d.Ours(p.Session, token, "doneremoved") {
		t.Error("another use's is taken")
	}
	for _, change := range []func(){func() { other.Family[0]++ }, func() { other.Site = "blog" }, func() { other.Subject.Name = "bob" }} {
		other = person(identity.Device)
		if change(); d.Ours(other.Session, token, "done", "removed") {
			t.Error("another session's is taken")
		}
	}
}

// TestFactorsAreBounded in number.
func TestFactorsAreBounded(t *testing.T) {
	d := newDesk(t)
	for i := range selfservice.MaxFactors {
		if err := d.Addable(t.Context(), person(identity.Device), identity.TOTP); i > 0 && err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		d.bind(t, string(rune('a'+i)), identity.TOTP, identity.Device)
	}
	if err := d.Addable(t.Context(), person(identity.Device), identity.TOTP); !errors.Is(err, selfservice.ErrNotOffered) {
		t.Errorf("%v", err)
	}
}
