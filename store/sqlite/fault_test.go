package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/sessions"
)

func mustOpen[T interface{ Close() error }](t *testing.T, open func(string) (T, error)) T {
	t.Helper()
	s, err := open(filepath.Join(t.TempDir(), "test.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pragma(t *testing.T, f *file, statement string) {
	t.Helper()
	_, err := f.writer.Exec("PRAGMA " + statement)
	must(t, err)
}

// TestFullDisk uses SQLite's own bound, which fails as a full disk does. What
// was confirmed stays, and the store recovers by itself.
func TestFullDisk(t *testing.T) {
	s := mustOpen(t, OpenSessions)
	ctx, blob, expires := t.Context(), make([]byte, 64<<10), time.Now().Add(time.Hour)
	must(t, s.Escrows().Put(ctx, "before", blob, expires))
	pragma(t, s.f, "max_page_count = 60")
	err := s.Escrows().Put(ctx, "during", make([]byte, 1<<20), expires)
	if err == nil || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), s.f.path) {
		t.Fatalf("got %v", err)
	}
	_, err = s.Escrows().Take(ctx, "before", time.Now())
	must(t, err)
	_, err = s.Escrows().Take(ctx, "during", time.Now())
	if !errors.Is(err, escrow.ErrNotFound) {
		t.Errorf("what was not confirmed is there: %v", err)
	}
	pragma(t, s.f, "max_page_count = 100000")
	must(t, s.Escrows().Put(ctx, "after", blob, expires))
}

func TestReadOnlyDisk(t *testing.T) {
	a := mustOpen(t, OpenAccounts)
	pragma(t, a.f, "query_only = 1")
	err := a.SpendID(t.Context(), "c", time.Now())
	if errors.Is(err, accounts.ErrSpent) || err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("got %v", err)
	}
	pragma(t, a.f, "query_only = 0")
}

func TestDurability(t *testing.T) {
	for name, c := range map[string]struct {
		f    *file
		want int
	}{
		"sessions": {mustOpen(t, OpenSessions).f, 1}, // NORMAL
		"accounts": {mustOpen(t, OpenAccounts).f, 2}, // FULL
	} {
		var synchronous, foreignKeys int
		var journal string
		must(t, c.f.writer.QueryRow("PRAGMA synchronous").Scan(&synchronous))
		must(t, c.f.writer.QueryRow("PRAGMA foreign_keys").Scan(&foreignKeys))
		must(t, c.f.writer.QueryRow("PRAGMA journal_mode").Scan(&journal))
		if synchronous != c.want || journal != "wal" || foreignKeys != 1 {
			t.Errorf("%s: synchronous %d, journal %s, foreign keys %d", name, synchronous, journal, foreignKeys)
		}
		if _, err := c.f.reader.Exec("DELETE FROM goose_db_version"); err == nil {
			t.Errorf("%s: a reader can write", name)
		}
	}
}

// TestUnknownStates: a word in the file that this program does not know is an
// error, not a state.
func TestUnknownStates(t *testing.T) {
	a, s, ctx := mustOpen(t, OpenAccounts), mustOpen(t, OpenSessions), t.Context()
	who := identity.Subject{Realm: "wiki", Name: "alice"}
	must(t, a.BindFirst(ctx, accounts.Credential{ID: "k", Subject: who, Secret: []byte{1}}))
	must(t, a.f.exec(ctx, "UPDATE accounts SET state = 'suspended'"))
	if got, err := a.Account(ctx, who); err == nil {
		t.Errorf("got %+v", got)
	}
	if err := a.BindFirst(ctx, accounts.Credential{ID: "k2", Subject: who, Secret: []byte{1}}); err == nil {
		t.Error("bound a first factor in an unknown state")
	}
	now := time.Now()
	must(t, s.Create(ctx, sessions.Record{SeenAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour}))
	must(t, s.f.exec(ctx, "UPDATE sessions SET level = 'root'"))
	if r, err := s.Find(ctx, sessions.ID{}, now); err == nil || errors.Is(err, sessions.ErrNotFound) {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := s.Create(ctx, sessions.Record{ID: sessions.ID{1}, Level: 9}); err == nil {
		t.Error("stored a level that does not exist")
	}
}

// TestResetIsNoFirstBinding: who once had a factor does not bind for free.
func TestResetIsNoFirstBinding(t *testing.T) {
	a, ctx := mustOpen(t, OpenAccounts), t.Context()
	who := identity.Subject{Realm: "wiki", Name: "alice"}
	for state, want := range map[string]error{"reset": accounts.ErrAlreadyBound, "never_bound": nil} {
		must(t, a.f.exec(ctx, "DELETE FROM accounts"))
		must(t, a.f.exec(ctx, "INSERT INTO accounts (realm, name, state, valid_from) VALUES (?, ?, ?, 5)",
			who.Realm, []byte(who.Name), state))
		if err := a.BindFirst(ctx, accounts.Credential{ID: "k", Subject: who, Secret: []byte{1}}); !errors.Is(err, want) {
			t.Errorf("%s: %v", state, err)
		}
		got, err := a.Account(ctx, who)
		must(t, err)
		if !got.ValidFrom.Equal(time.Unix(0, 5)) || (want != nil) != (got.State == identity.Reset) {
			t.Errorf("%s: %+v", state, got)
		}
		must(t, a.f.exec(ctx, "DELETE FROM credentials"))
	}
}

// TestCanceledInTheMiddle: callers give up at any moment; each operation
// happened or did not, and the store works on.
func TestCanceledInTheMiddle(t *testing.T) {
	a := mustOpen(t, OpenAccounts)
	who := func(i int) identity.Subject { return identity.Subject{Realm: "wiki", Name: fmt.Sprint(i)} }
	bound := make([]bool, 400)
	var all sync.WaitGroup
	for i := range bound {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(30_000))*time.Microsecond)
			defer cancel()
			err := a.BindFirst(ctx, accounts.Credential{ID: fmt.Sprint("k", i), Subject: who(i), Secret: []byte{1}})
			bound[i] = err == nil
			if errors.Is(err, accounts.ErrAlreadyBound) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i, confirmed := range bound {
		got, err := a.Account(t.Context(), who(i))
		must(t, err)
		if confirmed && got.State != identity.Bound || (got.State == identity.Bound) != (len(got.Credentials) == 1) {
			t.Errorf("%d: confirmed %v, got %+v", i, confirmed, got)
		}
	}
}

// TestSweep: what expired goes after a while, in more than one batch; nothing
// else does.
func TestSweep(t *testing.T) {
	s, a, ctx, now := mustOpen(t, OpenSessions), mustOpen(t, OpenAccounts), t.Context(), time.Now()
	old, young := now.Add(-sweepAfter), now.Add(-sweepAfter+time.Millisecond)
	for i := range sweepBatch + 10 {
		must(t, s.Escrows().Put(ctx, fmt.Sprint(i), nil, old))
	}
	must(t, s.Escrows().Put(ctx, "young", nil, young))
	for i, expires := range []time.Time{old, young} {
		must(t, s.Create(ctx, sessions.Record{ID: sessions.ID{byte(i)}, ExpiresAt: expires}))
		must(t, s.Challenges().Create(ctx, challengeUntil(fmt.Sprint(i), expires)))
		must(t, a.SpendID(ctx, fmt.Sprint(i), expires))
		_, err := a.Budgets().Charge(ctx, fmt.Sprint(i), []limits.Rate{{Count: 1, Period: time.Minute}}, expires.Add(-time.Minute))
		must(t, err)
		must(t, a.KnowBrowser(ctx, identity.Subject{Name: "alice"}, accounts.Place{Mark: []byte{byte(i)}}, expires.Add(-sessions.BrowserLife)))
	}
	must(t, s.f.sweep(ctx, now))
	must(t, a.f.sweep(ctx, now))
	for table, f := range map[string]*file{"sessions": s.f, "challenges": s.f, "escrows": s.f, "spent": a.f, "budgets": a.f, "browsers": a.f} {
		var left int
		must(t, f.reader.QueryRow("SELECT count(*) FROM "+table).Scan(&left))
		if left != 1 {
			t.Errorf("%s: %d rows are left, want the young one", table, left)
		}
	}
}

// TestBudgetsInOneOrder: charges of two keys' hash, or a sweep, could else wait for each other crosswise.
func TestBudgetsInOneOrder(t *testing.T) {
	a := mustOpen(t, OpenAccounts)
	_, err := a.f.writer.Exec("CREATE TABLE written (period); " +
		"CREATE TRIGGER note AFTER INSERT ON budgets BEGIN INSERT INTO written VALUES (NEW.period); END")
	must(t, err)
	rates := []limits.Rate{{Count: 9, Period: time.Hour}, {Count: 9, Period: time.Minute}, {Count: 9, Period: 24 * time.Hour}}
	for i := range 20 {
		_, err := a.Budgets().Charge(t.Context(), fmt.Sprint(i), rates, time.Now())
		must(t, err)
	}
	var back int
	must(t, a.f.reader.QueryRow("SELECT count(*) FROM written w JOIN written v ON v.rowid = w.rowid + 1 "+
		"WHERE w.rowid % 3 <> 0 AND v.period < w.period").Scan(&back))
	if back != 0 {
		t.Errorf("%d times a longer period came first", back)
	}
}

func challengeUntil(id string, expires time.Time) challenge.Record {
	return challenge.Record{ID: id, ExpiresAt: expires}
}
