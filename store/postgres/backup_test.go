//go:build e2e

package postgres

import (
	"path/filepath"
	"testing"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/store/storetest"
)

// TestBackup moves people from a database to another one, and from a file to a
// database and back: a backup does not know what it came from.
func TestBackup(t *testing.T) {
	server := e2e.StartPostgres(t)
	database := func(t *testing.T) storetest.Whole {
		a := ready(t, newDatabase(server))
		return storetest.Whole{Store: a, Budgets: a.Budgets(), Trail: a.Audit()}
	}
	file := func(t *testing.T) storetest.Whole {
		a, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		return storetest.Whole{Store: a, Budgets: a.Budgets(), Trail: a.Audit()}
	}
	t.Run("database to database", func(t *testing.T) { storetest.Backup(t, database, database) })
	t.Run("file to database", func(t *testing.T) { storetest.Backup(t, file, database) })
	t.Run("database to file", func(t *testing.T) { storetest.Backup(t, database, file) })
}
