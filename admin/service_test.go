package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/templates"
)

const root admin.Caller = "root (uid 0)"

// office is a service over real stores. What people are told is kept.
type office struct {
	*admin.Service
	store     *sqlite.Accounts
	live      *sessions.Sessions
	told      *courier
	reference string // of a request that was filed
	now       time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	store, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	key, err := seal.NewKey("k1")
	must(t, err)
	ring, err := seal.NewRing("k1", key)
	must(t, err)
	o := &office{store: store, now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), told: new(courier)}
	now := func() time.Time { return o.now }
	o.live = liveSessions(t, store, ring, now)
	o.Service = &admin.Service{People: store, Accounts: store, Sessions: listed{o.live}, Budgets: store.Budgets(), Trail: store.Audit(), Past: store.Audit(),
		Contacts:  &contacts.Book{Ring: ring, Courier: o.told, Writer: o.told, Budgets: store.Budgets(), Log: slog.New(slog.DiscardHandler), Now: now},
		TicketKey: ring.Derive(recovery.TicketKeys)[0], Now: now,
		HasRealm: func(realm string) bool { return realm == "staff" || realm == "blog" },
		LinkTo: func(realm string, ticket accounts.Ticket) (string, bool) {
			return "https://wiki.test/#" + string(ticket), realm == "staff"
		}}
	return o
}

func liveSessions(t *testing.T, store *sqlite.Accounts, ring *seal.Ring, now func() time.Time) *sessions.Sessions {
	t.Helper()
	file, err := sqlite.OpenSessions(filepath.Join(t.TempDir(), "sessions.db"))
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	live, err := sessions.New(sessions.Options{Store: file, Ledger: accounts.Ledger{Store: store}, Ring: ring, Now: now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(live.Close)
	return live
}

// listed is what sessions there are.
type listed struct{ *sessions.Sessions }

func (l listed) List(ctx context.Context, who identity.Subject) ([]sessions.Record, error) {
	return l.Store.List(ctx, who, l.Now())
}

// courier keeps what it is to carry.
type courier struct{ kinds, sent []string }

func (c *courier) Has(notify.Channel) bool { return true }

func (c *courier) Send(_ context.Context, m notify.Message) error {
	c.sent = append(c.sent, m.To+" "+m.Text)
	return nil
}

func (c *courier) Code(string, templates.CodeMessage) (subject, text string) { return "", "" }

func (c *courier) Announce(_ string, a templates.Announcement) (subject, text string) {
	c.kinds = append(c.kinds, string(a.Kind))
	return "", fmt.Sprintf("%+v", a)
}

func at(realm, name string) admin.Change {
	return admin.Change{Whom: admin.Whom{Realm: realm, Name: admin.Name(name)}, Why: "they called"}
}

func (o *office) create(t *testing.T, realm, name string) (admin.Invitation, error) {
	t.Helper()
	return o.CreateUser(t.Context(), root, admin.Creation{Change: at(realm, name)})
}

func (o *office) renew(t *testing.T, realm, name string) (admin.Invitation, error) {
	t.Helper()
	return o.RenewLink(t.Context(), root, at(realm, name))
}

func (o *office) users(t *testing.T) []admin.User {
	t.Helper()
	page, err := o.Users(t.Context(), admin.Search{Realm: "staff"})
	must(t, err)
	return page.Users
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *office) owner(t *testing.T, i admin.Invitation) string {
	t.Helper()
	who, err := o.store.Link(t.Context(), i.Realm, accounts.ReadTicket(i.Link).Digest(), o.now)
	if err != nil {
		return ""
	}
	return who.Name
}

func TestPasswordUsersAreInvited(t *testing.T) {
	o := newOffice(t)
	first, err := o.create(t, "staff", "alice")
	must(t, err)
	if first.Name != "alice" || first.ExpiresAt != o.now.Add(24*time.Hour) || o.owner(t, first) != "alice" {
		t.Errorf("%+v", first)
	}
	o.now = o.now.Add(2 * time.Minute)
	second, err := o.renew(t, "staff", "alice")
	must(t, err)
	if o.owner(t, second) != "alice" || o.owner(t, first) != "" {
		t.Errorf("the first link is %q's, the second %q's", o.owner(t, first), o.owner(t, second))
	}
	users := o.users(t)
	if len(users) != 1 || users[0].Name != "alice" || !users[0].LinkExpiresAt.Equal(second.ExpiresAt) || !users[0].PasswordSetAt.IsZero() {
		t.Errorf("%+v", users)
	}
	o.now = o.now.Add(24 * time.Hour)
	if users = o.users(t); !users[0].LinkExpiresAt.IsZero() || o.owner(t, second) != "" {
		t.Errorf("after a day: %+v", users)
	}
}

func TestPasswordUsersRefused(t *testing.T) {
	o := newOffice(t)
	_, err := o.create(t, "staff", "alice")
	must(t, err)
	for name, want := range map[string]error{
		"": admin.ErrName, " bob": admin.ErrName, "bob ": admin.ErrName, "bob\x00": admin.ErrName, "b\u200bob": admin.ErrName, "b\u202eob": admin.ErrName,
		"alice\u034f": admin.ErrName, "alice\ufe0f": admin.ErrName, "\u3164alice": admin.ErrName, "\u1160": admin.ErrName,
		"ａlice": admin.ErrName, "jose\u0301": admin.ErrName, "\ufffd": admin.ErrName,
		"\xff": admin.ErrName, strings.Repeat("x", 256): admin.ErrName, "alice": admin.ErrExists, "Alice": admin.ErrExists, "ALICE": admin.ErrExists,
	} {
		if _, err := o.create(t, "staff", name); !errors.Is(err, want) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if _, err := o.create(t, "blog", "alice"); !errors.Is(err, admin.ErrRealm) {
		t.Errorf("in a realm without the page: %v", err)
	}
	if _, err := o.renew(t, "blog", "alice"); !errors.Is(err, admin.ErrRealm) {
		t.Errorf("in a realm without the page: %v", err)
	}
	for _, name := range []string{"bob", "Alice", ""} {
		if _, err := o.renew(t, "staff", name); !errors.Is(err, admin.ErrNobody) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"用户", "o'brien", "anna maria", "a.b@c", "jos\u00e9"} {
		if _, err := o.create(t, "staff", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if users := o.users(t); len(users) != 6 {
		t.Errorf("%+v", users)
	}
}

// Once a minute, and five times in a quarter of an hour.
func TestPasswordLinksAreLimited(t *testing.T) {
	o := newOffice(t)
	_, err := o.create(t, "staff", "alice")
	must(t, err)
	begun, sent := o.now, 1
	for o.now.Before(begun.Add(15 * time.Minute)) {
		o.now = o.now.Add(10 * time.Second)
		switch _, err := o.renew(t, "staff", "alice"); {
		case err == nil:
			sent++
			if o.now.Sub(begun) < time.Minute {
				t.Errorf("sent again after %v", o.now.Sub(begun))
			}
		case !errors.Is(err, admin.ErrTooSoon):
			t.Fatal(err)
		}
		if o.now.Sub(begun) < 5*time.Minute && sent > 6 {
			t.Errorf("%d times in %v", sent, o.now.Sub(begun))
		}
	}
	if sent < 5 || sent > 10 { // five saved up, and what refills meanwhile
		t.Errorf("sent %d times in a quarter of an hour", sent)
	}
}

func TestPasswordUsersInParallel(t *testing.T) {
	o := newOffice(t)
	var made atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			switch _, err := o.create(t, "staff", "alice"); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, admin.ErrExists) && !errors.Is(err, admin.ErrTooSoon):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("%d made her", made.Load())
	}
}

// Who did what is in the trail, and no ticket.
func TestPasswordUsersAreAudited(t *testing.T) {
	o := newOffice(t)
	i, err := o.create(t, "staff", "alice")
	must(t, err)
	trail, err := o.store.Audit().Find(t.Context(), identity.Subject{Realm: "staff", Name: "alice"}, "", 10)
	must(t, err)
	if len(trail) != 2 || trail[0].Event != audit.LinkIssued || trail[1].Event != audit.PersonCreated {
		t.Fatalf("%+v", trail)
	}
	for _, r := range trail {
		if r.Reasons[0].Detail != string(root) || strings.Contains(r.Reasons[0].Detail+r.Reference, string(accounts.ReadTicket(i.Link))) {
			t.Errorf("%+v", r)
		}
	}
}

// What cannot be noted is not done.
func TestPasswordUsersWithoutATrail(t *testing.T) {
	o := newOffice(t)
	o.Trail = full{}
	if i, err := o.create(t, "staff", "alice"); err == nil || i.Link != "" {
		t.Errorf("%+v, %v", i, err)
	}
	if users := o.users(t); len(users) != 0 {
		t.Errorf("%+v", users)
	}
}

type full struct{}

func (full) Append(context.Context, audit.Record) error { return errors.New("the disk is full") }
