//go:build e2e

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
)

// later are our steps and one more, of a Stepgate to come.
func later(t *testing.T, statements string) migrations {
	t.Helper()
	steps := fstest.MapFS{"00099_later.sql": {Data: []byte("-- +goose Up\n" + statements)}}
	ours, err := fs.Glob(embedded, "*.sql")
	must(t, err)
	for _, name := range ours {
		text, err := fs.ReadFile(embedded, name)
		must(t, err)
		steps[name] = &fstest.MapFile{Data: text}
	}
	return migrations{maps.Clone(steps)}
}

// TestManyNodesStart at once on an empty database: one makes the schema, all serve.
func TestManyNodesStart(t *testing.T) {
	dsn := e2e.StartPostgres(t).DSN()
	errs := make([]error, 6)
	nodes := make([]*Accounts, len(errs))
	var all sync.WaitGroup
	for i := range nodes {
		nodes[i] = opened(t, dsn)
		all.Go(func() { errs[i] = nodes[i].Ready(soon(t)) })
	}
	all.Wait()
	must(t, errors.Join(errs...))
	must(t, nodes[0].SpendID(t.Context(), "c", time.Now().Add(time.Hour)))
	for _, n := range nodes {
		if err := n.SpendID(t.Context(), "c", time.Now().Add(time.Hour)); !errors.Is(err, accounts.ErrSpent) {
			t.Errorf("another node says %v", err)
		}
	}
}

// TestUpgradeWhileOthersServe: a new node changes the schema; an old one under load notices nothing, and is refused when
// it starts anew.
func TestUpgradeWhileOthersServe(t *testing.T) {
	dsn := e2e.StartPostgres(t).DSN()
	old := ready(t, dsn)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	counts := make([]int, 4)
	for i := range counts {
		load.Go(func() {
			for ; ctx.Err() == nil; counts[i]++ {
				name := fmt.Sprintf("%d-%d", i, counts[i])
				if err := old.SpendID(t.Context(), name, time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
				if _, err := old.Budgets().Charge(t.Context(), name, three, time.Now()); err != nil {
					t.Error(err)
				}
				if _, err := old.Account(t.Context(), alice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	fresh := opened(t, dsn)
	fresh.steps = later(t, "ALTER TABLE spent ADD COLUMN why TEXT NOT NULL DEFAULT '';\nALTER TABLE accounts ADD COLUMN note TEXT;\n"+
		"ALTER TABLE budgets ADD COLUMN note TEXT;\nSELECT pg_sleep(1);\n")
	must(t, fresh.Ready(soon(t)))
	time.Sleep(200 * time.Millisecond)
	stop()
	load.Wait()
	for i, n := range counts {
		if n < 10 {
			t.Errorf("load %d did %d rounds only", i, n)
		}
	}
	err := opened(t, dsn).Ready(soon(t))
	wantText(t, err, "newer Stepgate (schema 99", "restore the backup")
	if !errors.Is(err, ErrRefused) {
		t.Errorf("%v is not ErrRefused", err)
	}
}

// TestLongChange: a change of the schema that takes longer than a caller waits is done once, while callers come back.
func TestLongChange(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := opened(t, server.DSN())
	a.steps = later(t, "CREATE SEQUENCE tries;\nSELECT nextval('tries');\nSELECT pg_sleep(3);\n")
	err := errors.New("not begun")
	for began := time.Now(); err != nil && time.Since(began) < 10*time.Second; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err = a.Ready(ctx)
		cancel()
	}
	must(t, err)
	must(t, a.SpendID(t.Context(), "c", time.Now()))
	if got := server.SQL("SELECT last_value FROM tries"); got != "1" {
		t.Errorf("%s tries", got)
	}
}

// TestClosedWhileChanging: the store lets go at once.
func TestClosedWhileChanging(t *testing.T) {
	a := opened(t, e2e.StartPostgres(t).DSN())
	a.steps = later(t, "SELECT pg_sleep(30);\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wantText(t, a.Ready(ctx), "goes on")
	began := time.Now()
	must(t, a.Close())
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestDroppedSettings: a pooler that does not pass on what a connection starts with, until the role has it.
func TestDroppedSettings(t *testing.T) {
	server := e2e.StartPostgres(t, "synchronous_commit=off")
	for setting, value := range map[string]string{"statement_timeout": "2s", "synchronous_commit": "on"} {
		a := opened(t, server.DSN())
		delete(a.config.RuntimeParams, setting)
		err := a.Ready(soon(t))
		wantText(t, err, setting, "pool_mode = session", "ALTER ROLE")
		if !errors.Is(err, ErrDropped) {
			t.Errorf("%v is not ErrDropped", err)
		}
		server.SQL(fmt.Sprintf("ALTER ROLE stepgate SET %s = '%s'", setting, value))
		must(t, a.Ready(soon(t)))
	}
}

// TestForeignDatabase is not touched.
func TestForeignDatabase(t *testing.T) {
	server := e2e.StartPostgres(t)
	for name, statement := range map[string]string{
		"shop":   "CREATE TABLE orders (id INTEGER)",
		"goosed": "CREATE TABLE goose_db_version (id INTEGER)",
		"viewed": "CREATE VIEW stats AS SELECT 1",
	} {
		dsn := server.NewDatabase(name)
		server.SQLIn(name, statement)
		err := opened(t, dsn).Ready(soon(t))
		wantText(t, err, "not a database of Stepgate's accounts", name, "name an empty one")
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%v is not ErrRefused", err)
		}
		if got := server.SQLIn(name, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"); got != "1" {
			t.Errorf("%s: there are %s tables now", name, got)
		}
	}
}

// TestInterruptedFirstStart: killed between the claim and the schema.
func TestInterruptedFirstStart(t *testing.T) {
	server := e2e.StartPostgres(t)
	server.SQL("SET ROLE stepgate; CREATE TABLE stepgate AS SELECT 'x'::text AS id")
	must(t, ready(t, server.DSN()).SpendID(t.Context(), "c", time.Now()))
}

// TestNotOurs: whoever cannot make tables is told what to do.
func TestNotOurs(t *testing.T) {
	server := e2e.StartPostgres(t)
	server.SQL("CREATE DATABASE theirs")
	wantText(t, opened(t, server.DSN()+" dbname=theirs").Ready(soon(t)), "let it own the database")
}

// TestAnotherDatabase behind the same DSN: what was ready keeps away from it, whatever it holds.
func TestAnotherDatabase(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	swap := func(statements string) {
		server.SQLIn("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'stepgate'")
		server.SQL("SET ROLE stepgate; " + statements)
	}
	swap("UPDATE stepgate SET id = 'another'")
	_, err := a.Account(t.Context(), alice)
	wantText(t, err, "another database than before")
	swap("DROP TABLE stepgate")
	_, err = a.Account(t.Context(), alice)
	wantText(t, err, "bring the database back")
}

// TestSettings: what the server, the database or the role has as defaults does not count.
func TestSettings(t *testing.T) {
	server := e2e.StartPostgres(t, "synchronous_commit=off", "default_transaction_isolation=serializable")
	server.SQL("ALTER ROLE stepgate SET synchronous_commit = off; ALTER DATABASE stepgate SET statement_timeout = 0")
	a := ready(t, server.DSN())
	for setting, want := range map[string]string{
		"synchronous_commit": "on", "statement_timeout": "2s", "lock_timeout": "2s",
		"idle_in_transaction_session_timeout": "2s", "application_name": "stepgate", "transaction_isolation": "read committed",
	} {
		tx, err := a.db.BeginTx(t.Context(), isolation)
		must(t, err)
		var got string
		must(t, tx.QueryRow("SHOW "+setting).Scan(&got))
		must(t, tx.Rollback())
		if got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
}
