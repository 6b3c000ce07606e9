package firstfactor_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/argon"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/store/sqlite"
)

const right = "correct horse battery"

var alice = identity.Subject{Realm: "staff", Name: "alice"}

// office is the password source over a real store. Its hashes cost nothing
// and are counted; so are all calls of the stores.
type office struct {
	*firstfactor.Passwords
	store *sqlite.Accounts
	now   time.Time
	calls *calls
	hash  *plain
}

func newOffice(t *testing.T) *office {
	t.Helper()
	store, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	ring, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{7}})
	must(t, err)
	o := &office{store: store, now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), calls: new(calls), hash: &plain{cost: "new"}}
	o.Passwords = &firstfactor.Passwords{Store: countedPasswords{store, o.calls}, Budgets: countedBudgets{store.Budgets(), o.calls},
		Hasher: countedHasher{o.hash, o.calls}, Ring: ring, Now: func() time.Time { return o.now }}
	return o
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// invite makes a person and returns the ticket of the link.
func (o *office) invite(t *testing.T, who identity.Subject) accounts.Ticket {
	t.Helper()
	must(t, o.store.CreatePerson(t.Context(), who, o.now))
	ticket := accounts.NewTicket()
	must(t, o.store.IssueLink(t.Context(), who, ticket.Digest(), o.now.Add(accounts.LinkLife)))
	return ticket
}

// with is an office that alice has a password in.
func withAlice(t *testing.T) *office {
	t.Helper()
	o := newOffice(t)
	_, err := o.Redeem(t.Context(), alice.Realm, o.invite(t, alice), right)
	must(t, err)
	o.calls.list = nil
	return o
}

func (o *office) try(t *testing.T, name, password string) firstfactor.SignInResult {
	t.Helper()
	result, err := o.SignIn(t.Context(), firstfactor.SignIn{Realm: alice.Realm, Name: name, Password: password, Network: "192.0.2.1"})
	must(t, err)
	return result
}

// calls are what was done, in order.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, what)
}

type countedPasswords struct {
	accounts.Passwords
	*calls
}

func (c countedPasswords) Person(ctx context.Context, s identity.Subject) (accounts.Person, error) {
	c.note("person")
	return c.Passwords.Person(ctx, s)
}

func (c countedPasswords) SetPassword(ctx context.Context, s identity.Subject, old, new []byte, at time.Time) error {
	c.note("set")
	return c.Passwords.SetPassword(ctx, s, old, new, at)
}

type countedBudgets struct {
	limits.Store
	*calls
}

func (c countedBudgets) Charge(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(key, "passwords/"), "/")
	c.note("charge " + kind)
	return c.Store.Charge(ctx, key, rates, now)
}

func (c countedBudgets) Refund(ctx context.Context, key string, rates []limits.Rate, now time.Time) error {
	c.note("refund")
	return c.Store.Refund(ctx, key, rates, now)
}

type countedHasher struct {
	*plain
	*calls
}

func (c countedHasher) Hash(ctx context.Context, password string) (string, error) {
	c.note("hash")
	return c.plain.Hash(ctx, password)
}

func (c countedHasher) Verify(ctx context.Context, encoded, password string) (bool, bool, error) {
	c.note("verify")
	return c.plain.Verify(ctx, encoded, password)
}

// plain is a hasher that hashes nothing.
type plain struct {
	cost string
	busy atomic.Bool
}

func (p *plain) Hash(_ context.Context, password string) (string, error) {
	return p.cost + "$" + password, p.fails()
}

func (p *plain) Verify(_ context.Context, encoded, password string) (right, old bool, err error) {
	cost, of, ok := strings.Cut(encoded, "$")
	right = ok && of == password
	return right, right && cost != p.cost, p.fails()
}

func (p *plain) fails() error {
	if p.busy.Load() {
		return argon.ErrBusy
	}
	return nil
}

func TestPasswordProvesThePerson(t *testing.T) {
	o := withAlice(t)
	got := o.try(t, "alice", right)
	if got.Identity.Subject() != alice || got.Identity.Source() != "password" || !got.LockedUntil.IsZero() {
		t.Errorf("%+v", got)
	}
	if _, single := got.Identity.Evidence(); single {
		t.Error("a password is no evidence of single sign-on")
	}
	for _, c := range [][2]string{{"alice", "wrong"}, {"alice", ""}, {"Alice", right}, {" alice", right}, {"alice ", right}, {"", right},
		{"", ""}, {"mallory", right}, {"alice\x00", right}, {"alice", right + "\x00"}} {
		if got := o.try(t, c[0], c[1]); !got.Identity.IsZero() {
			t.Errorf("%q signs in with %q", c[0], c[1])
		}
	}
	elsewhere, err := o.SignIn(t.Context(), firstfactor.SignIn{Realm: "blog", Name: "alice", Password: right, Network: "192.0.2.2"})
	if err != nil || !elsewhere.Identity.IsZero() {
		t.Errorf("alice signs in at another realm: %v", err)
	}
}

// Whether there is such a person cannot be told from what is done: the same
// steps in the same order, with one hash each.
func TestPasswordOfUnknownNamesIsTheSameWork(t *testing.T) {
	o := withAlice(t)
	o.invite(t, identity.Subject{Realm: alice.Realm, Name: "invited"})
	var first []string
	for _, name := range []string{"alice", "mallory", "invited", "", "alice\x00", strings.Repeat("x", 5000)} {
		o.calls.list = nil
		if got := o.try(t, name, "wrong"); !got.Identity.IsZero() || !got.LockedUntil.IsZero() {
			t.Errorf("%.20q: %+v", name, got)
		}
		if first == nil {
			first = o.calls.list
		}
		if !slices.Equal(o.calls.list, first) || !slices.Contains(first, "verify") {
			t.Errorf("%.20q: %v, for alice %v", name, o.calls.list, first)
		}
	}
	if want := []string{"person", "charge network", "charge strangers", "verify"}; !slices.Equal(first, want) {
		t.Errorf("%v, want %v", first, want)
	}
}

// Unknown names are locked as known ones are.
func TestPasswordBudgetOfANameIsTheSame(t *testing.T) {
	o := withAlice(t)
	var locked [2]time.Time
	for i, name := range []string{"alice", "mallory"} {
		for range 10 {
			if got := o.try(t, name, "wrong"); !got.LockedUntil.IsZero() {
				t.Errorf("%s is locked early", name)
			}
		}
		got := o.try(t, name, right)
		if !got.Identity.IsZero() || got.LockedUntil.IsZero() {
			t.Errorf("%s: after 10 failures %+v", name, got)
		}
		locked[i] = got.LockedUntil
	}
	if !locked[0].Equal(locked[1]) {
		t.Errorf("alice is locked until %v, mallory until %v", locked[0], locked[1])
	}
}

// Outsiders cannot lock the owner out of a browser that is known.
func TestPasswordBudgetsOfStrangersAndKnownBrowsers(t *testing.T) {
	o := withAlice(t)
	for range 12 {
		o.try(t, "alice", "wrong")
	}
	in := firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: right, Network: "198.51.100.7"}
	if got, err := o.SignIn(t.Context(), in); err != nil || got.LockedUntil.IsZero() {
		t.Errorf("a stranger elsewhere: %+v, %v", got, err)
	}
	in.Known = true
	if got, err := o.SignIn(t.Context(), in); err != nil || got.Identity.IsZero() {
		t.Errorf("the owner: %+v, %v", got, err)
	}
}

// One network tries many names.
func TestPasswordBudgetOfANetwork(t *testing.T) {
	o := withAlice(t)
	for i := range 30 {
		if got := o.try(t, strings.Repeat("x", i), "wrong"); !got.LockedUntil.IsZero() {
			t.Fatalf("locked after %d", i)
		}
	}
	o.calls.list = nil
	if got := o.try(t, "alice", right); !got.Identity.IsZero() || got.LockedUntil.IsZero() {
		t.Errorf("%+v", got)
	}
	if slices.Contains(o.calls.list, "verify") || slices.Contains(o.calls.list, "charge strangers") {
		t.Errorf("a network without attempts costs work, or a name its attempts: %v", o.calls.list)
	}
	in := firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: right, Network: "192.0.2.9"}
	if got, err := o.SignIn(t.Context(), in); err != nil || got.Identity.IsZero() {
		t.Errorf("from another network: %+v, %v", got, err)
	}
	in = firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: right, Network: "192.0.2.1", Known: true}
	if got, err := o.SignIn(t.Context(), in); err != nil || got.Identity.IsZero() {
		t.Errorf("the owner, beside who used up the network's: %+v, %v", got, err)
	}
}

// An attempt is spent before the password is compared, however many come at
// once.
func TestPasswordAttemptsInParallel(t *testing.T) {
	o := withAlice(t)
	var compared atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			got, err := o.SignIn(t.Context(), firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: "wrong", Network: "192.0.2.1"})
			if err == nil && got.LockedUntil.IsZero() {
				compared.Add(1)
			}
		})
	}
	all.Wait()
	if compared.Load() != 10 {
		t.Errorf("%d of 100 were compared", compared.Load())
	}
}

// Right passwords cost nothing, and neither does a machine that is busy.
func TestPasswordAttemptsAreGivenBack(t *testing.T) {
	o := withAlice(t)
	for range 40 {
		if got := o.try(t, "alice", right); got.Identity.IsZero() {
			t.Fatalf("%+v", got)
		}
	}
	o.hash.busy.Store(true)
	for range 40 {
		_, err := o.SignIn(t.Context(), firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: right, Network: "192.0.2.1"})
		if !errors.Is(err, argon.ErrBusy) {
			t.Fatal(err)
		}
	}
	o.hash.busy.Store(false)
	if got := o.try(t, "alice", right); got.Identity.IsZero() {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestPasswordIsHashedAnewAtTheNextSignIn(t *testing.T) {
	o := withAlice(t)
	before, err := o.store.Person(t.Context(), alice)
	must(t, err)
	o.hash.cost, o.now = "newer", o.now.Add(time.Hour)
	o.try(t, "alice", "wrong")
	if same, _ := o.store.Person(t.Context(), alice); !slices.Equal(same.Password, before.Password) {
		t.Error("a wrong password changed what is stored")
	}
	o.try(t, "alice", right)
	after, err := o.store.Person(t.Context(), alice)
	must(t, err)
	if slices.Equal(after.Password, before.Password) || !after.SetAt.Equal(before.SetAt) {
		t.Errorf("%+v became %+v", before, after)
	}
	o.calls.list = nil
	if got := o.try(t, "alice", right); got.Identity.IsZero() || slices.Contains(o.calls.list, "hash") {
		t.Errorf("%+v, %v", got, o.calls.list)
	}
}

// A password that is copied to another person's row opens nothing.
func TestPasswordIsSealedToItsPerson(t *testing.T) {
	o := withAlice(t)
	mallory := identity.Subject{Realm: alice.Realm, Name: "mallory"}
	ticket := o.invite(t, mallory)
	hers, err := o.store.Person(t.Context(), alice)
	must(t, err)
	if strings.Contains(string(hers.Password), right) {
		t.Error("the hash is stored in the clear")
	}
	must(t, o.store.RedeemLink(t.Context(), mallory, ticket.Digest(), hers.Password, o.now))
	got, err := o.SignIn(t.Context(), firstfactor.SignIn{Realm: alice.Realm, Name: "mallory", Password: right, Network: "192.0.2.1"})
	if err == nil || !got.Identity.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPasswordChange(t *testing.T) {
	o := withAlice(t)
	in := firstfactor.SignIn{Realm: alice.Realm, Name: "alice", Password: "wrong", Network: "192.0.2.1", Known: true}
	if got, err := o.Change(t.Context(), in, "tulip kettle orbit"); err != nil || !got.Identity.IsZero() {
		t.Errorf("with a wrong password: %+v, %v", got, err)
	}
	in.Password = right
	if got, err := o.Change(t.Context(), in, "tulip kettle orbit"); err != nil || got.Identity.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if got := o.try(t, "alice", right); !got.Identity.IsZero() {
		t.Error("the old password is right")
	}
	if got := o.try(t, "alice", "tulip kettle orbit"); got.Identity.IsZero() {
		t.Error("the new password is wrong")
	}
	for range 12 {
		in.Password = "wrong"
		if _, err := o.Change(t.Context(), in, "another new one"); err != nil {
			t.Fatal(err)
		}
	}
	in.Password = "tulip kettle orbit"
	if got, err := o.Change(t.Context(), in, "another new one"); err != nil || got.LockedUntil.IsZero() {
		t.Errorf("after too many: %+v, %v", got, err)
	}
}

func TestPasswordLink(t *testing.T) {
	o := newOffice(t)
	ticket := o.invite(t, alice)
	for what, bad := range map[string]accounts.Ticket{"none": "", "another": accounts.NewTicket(), "half": ticket[:20], "case": accounts.Ticket(strings.ToLower(string(ticket)))} {
		if _, err := o.Redeem(t.Context(), alice.Realm, bad, right); !errors.Is(err, accounts.ErrNoLink) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := o.Redeem(t.Context(), "blog", ticket, right); !errors.Is(err, accounts.ErrNoLink) {
		t.Errorf("at another realm: %v", err)
	}
	for range 3 {
		if who, err := o.LinkOf(t.Context(), alice.Realm, ticket); err != nil || who != alice {
			t.Errorf("looking at it: %v, %v", who, err)
		}
	}
	who, err := o.Redeem(t.Context(), alice.Realm, ticket, right)
	if err != nil || who.Subject() != alice || who.Source() != "password" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := o.Redeem(t.Context(), alice.Realm, ticket, "another one of hers"); !errors.Is(err, accounts.ErrNoLink) {
		t.Errorf("twice: %v", err)
	}
	if got := o.try(t, "alice", right); got.Identity.IsZero() {
		t.Error("the password that was set is wrong")
	}
}

func TestPasswordLinkExpires(t *testing.T) {
	o := newOffice(t)
	ticket := o.invite(t, alice)
	o.now = o.now.Add(accounts.LinkLife)
	if _, err := o.Redeem(t.Context(), alice.Realm, ticket, right); !errors.Is(err, accounts.ErrNoLink) {
		t.Errorf("after a day: %v", err)
	}
}

// One link, used by a hundred at once: one of them sets the password.
func TestPasswordLinkInParallel(t *testing.T) {
	o := newOffice(t)
	ticket := o.invite(t, alice)
	var used atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			switch _, err := o.Redeem(t.Context(), alice.Realm, ticket, right); {
			case err == nil:
				used.Add(1)
			case !errors.Is(err, accounts.ErrNoLink):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if used.Load() != 1 {
		t.Errorf("%d used it", used.Load())
	}
}

func TestPasswordTickets(t *testing.T) {
	one, two := accounts.NewTicket(), accounts.NewTicket()
	if one == two || len(one) < 43 {
		t.Errorf("%q, %q", one, two)
	}
	for _, pasted := range []string{string(one), " " + string(one) + "\n", "https://wiki.example.com/.stepgate/signin/password/link#" + string(one)} {
		if accounts.ReadTicket(pasted) != one {
			t.Errorf("%q is read as %q", pasted, accounts.ReadTicket(pasted))
		}
	}
}
