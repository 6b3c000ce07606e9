package sqlite_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
)

var alice = identity.Subject{Realm: "wiki", Name: "alice"}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError is for people: it names the file and says what to do.
func wantError(t *testing.T, err error, file, remedy string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", remedy)
	}
	if !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), remedy) {
		t.Errorf("error %q does not name %q and %q", err, file, remedy)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	dir, ctx, now := t.TempDir(), t.Context(), time.Now()
	people, visits := filepath.Join(dir, "accounts.db"), filepath.Join(dir, "sessions.db")
	day := []limits.Rate{{Count: 10, Period: 24 * time.Hour}}
	session := sessions.Record{ID: sessions.ID{1}, Subject: alice, Level: identity.Verified,
		SeenAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour}

	a, err := sqlite.OpenAccounts(people)
	must(t, err)
	must(t, a.BindFirst(ctx, accounts.Credential{ID: "k", Subject: alice, Factor: identity.TOTP, Secret: []byte{1}, BoundAt: now}))
	must(t, a.AdvanceStep(ctx, "k", 7, true, now))
	must(t, a.SpendID(ctx, "c", now.Add(time.Hour)))
	must(t, a.KnowBrowser(ctx, alice, accounts.Place{Mark: []byte{1}}, now))
	_, err = a.Budgets().Charge(ctx, "k", day, now)
	must(t, err)
	must(t, a.Audit().Append(ctx, audit.Record{At: now, Subject: alice, Reasons: []policy.Reason{{Code: policy.ReasonLogin}}}))
	must(t, a.Close())
	s, err := sqlite.OpenSessions(visits)
	must(t, err)
	must(t, s.Create(ctx, session))
	must(t, s.Close())

	a, s = openAccounts(t, people), openSessions(t, visits)
	got, err := a.Account(ctx, alice)
	must(t, err)
	if got.State != identity.Bound || got.Credentials[0].LastStep != 7 {
		t.Errorf("account: %+v", got)
	}
	if err := a.SpendID(ctx, "c", now.Add(time.Hour)); !errors.Is(err, accounts.ErrSpent) {
		t.Errorf("spent id: %v", err)
	}
	if b, err := a.Browser(ctx, alice, []byte{1}); err != nil || !b.Known || !b.PassedAt.Equal(now) {
		t.Errorf("browser: %+v, %v", b, err)
	}
	if b, err := a.Budgets().Peek(ctx, "k", day, now); err != nil || b.Remaining != 9 {
		t.Errorf("budget: %+v, %v", b, err)
	}
	if r, err := a.Audit().Find(ctx, alice, "", 9); err != nil || len(r) != 1 {
		t.Errorf("audit: %+v, %v", r, err)
	}
	if r, err := s.Find(ctx, session.ID, now); err != nil || r.Level != identity.Verified {
		t.Errorf("session: %+v, %v", r, err)
	}
}

func TestOnlyTheOwnerReadsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a b?c%20#d", "accounts.db")
	a := openAccounts(t, path)
	must(t, a.SpendID(t.Context(), "c", time.Now()))
	must(t, filepath.WalkDir(filepath.Dir(filepath.Dir(path)), func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("no write-ahead log beside the file: %v", err)
	}
}

func TestOpenedTwice(t *testing.T) {
	dir := t.TempDir()
	path, alias := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "alias.db")
	s, err := sqlite.OpenSessions(path)
	must(t, err)
	must(t, os.Symlink(path, alias))
	for _, name := range []string{path, alias} {
		_, err = sqlite.OpenSessions(name)
		wantError(t, err, path, "stop the other one")
	}
	must(t, s.Close())
	must(t, s.Close())
	_, err = s.Find(t.Context(), sessions.ID{1}, time.Now())
	if err == nil || errors.Is(err, sessions.ErrNotFound) {
		t.Errorf("a closed store answers %v", err)
	}
	openSessions(t, path)
}

func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file.db")
	put := func(content string) { must(t, os.WriteFile(path, []byte(content), 0o600)) }

	put(strings.Repeat("this is no database ", 1000))
	_, err := sqlite.OpenAccounts(path)
	wantError(t, err, path, "restore it from a backup")

	put("")
	foreign(t, path, "CREATE TABLE orders (id INTEGER)")
	_, err = sqlite.OpenAccounts(path)
	wantError(t, err, path, "name another path")

	visits := filepath.Join(dir, "sessions.db")
	s, err := sqlite.OpenSessions(visits)
	must(t, err)
	must(t, s.Close())
	_, err = sqlite.OpenAccounts(visits)
	wantError(t, err, visits, "name another path")

	_, err = sqlite.OpenAccounts(dir)
	wantError(t, err, dir, "name another path")
	_, err = sqlite.OpenAccounts(filepath.Join(path, "below-a-file"))
	wantError(t, err, path, "name another path")
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	a, err := sqlite.OpenAccounts(path)
	must(t, err)
	must(t, a.Close())
	foreign(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	_, err = sqlite.OpenAccounts(path)
	wantError(t, err, path, "newer Stepgate (schema 99")
}

// TestInterruptedFirstStart: killed between the file's claim and its schema.
func TestInterruptedFirstStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	foreign(t, path, "PRAGMA application_id = 1397161986")
	_, err := sqlite.OpenSessions(path)
	wantError(t, err, path, "name another path")
	must(t, openAccounts(t, path).SpendID(t.Context(), "c", time.Now()))
}

// TestDamage: what cannot be read is unknown, neither absent nor never bound.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := sqlite.OpenSessions(path)
	must(t, err)
	now := time.Now()
	for i := range byte(200) {
		must(t, s.Create(t.Context(), sessions.Record{ID: sessions.ID{i}, Subject: alice, Browser: strings.Repeat("x", 500),
			SeenAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour}))
	}
	must(t, s.Close())
	info, err := os.Stat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	const schema = 64 << 10 // the pages that opening needs
	_, err = f.WriteAt([]byte(strings.Repeat("\xa5", int(info.Size())-schema)), schema)
	must(t, errors.Join(err, f.Close()))

	s = openSessions(t, path)
	damaged := 0
	for i := range byte(200) {
		_, err := s.Find(t.Context(), sessions.ID{i}, now)
		if errors.Is(err, sessions.ErrNotFound) {
			t.Fatalf("session %d is reported as gone", i)
		}
		if err != nil {
			damaged++
			wantError(t, err, path, "backup")
		}
	}
	if damaged == 0 {
		t.Error("the damage hit nothing")
	}
}

// TestAnotherProgramHoldsIt: no wait without end, and no wrong answer.
func TestAnotherProgramHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	a := openAccounts(t, path)
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	must(t, err)
	defer db.Close()
	tx, err := db.Begin()
	must(t, err)
	began := time.Now()
	err = a.SpendID(t.Context(), "c", time.Now())
	wantError(t, err, path, "another program holds the file")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a denial took %v", took)
	}
	must(t, tx.Rollback())
	must(t, a.SpendID(t.Context(), "c", time.Now()))
}

// foreign changes a file behind the store's back.
func foreign(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec(statement)
	must(t, errors.Join(err, db.Close()))
}
