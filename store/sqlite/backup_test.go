package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/store/storetest"
)

func TestBackup(t *testing.T) {
	open := func(t *testing.T) storetest.Whole {
		a, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		return storetest.Whole{Store: a, Budgets: a.Budgets(), Trail: a.Audit()}
	}
	storetest.Backup(t, open, open)
}

// TestBackupMissesNothing: a table or column that a later version adds has to
// be in the backup, or here with the reason why not.
func TestBackupMissesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	a, err := sqlite.OpenAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.FillAll(t, storetest.Whole{Store: a, Budgets: a.Budgets(), Trail: a.Audit()})
	held := map[string]int{"tickets": 4} // void in another store
	err = a.Dump(t.Context(), func(r backup.Row) error {
		held[r.Table] = len(r.Values)
		return nil
	})
	if err != nil || a.Close() != nil {
		t.Fatal(err)
	}
	held["people"]++ // the link: void in another store
	held["audit"]++  // the number
	for table, n := range schema(t, path) {
		if held[table] != n {
			t.Errorf("%s has %d columns, of which the backup knows %d", table, n, held[table])
		}
	}
}

// schema counts the columns of each table.
func schema(t *testing.T, path string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	found, err := db.Query(`SELECT m.name, count(*) FROM sqlite_master m JOIN pragma_table_info(m.name) WHERE m.type = 'table'
		AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' GROUP BY m.name`)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for found.Next() {
		var name string
		var n int
		if err := found.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	if len(counts) < 10 {
		t.Fatalf("%v", counts)
	}
	return counts
}
