package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/store/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) storetest.SessionStores {
		s := openSessions(t, filepath.Join(t.TempDir(), "sessions.db"))
		return storetest.SessionStores{Sessions: s, Challenges: s.Challenges(), Escrows: s.Escrows()}
	})
}

func TestAccounts(t *testing.T) {
	storetest.Accounts(t, func(t *testing.T) storetest.AccountStores {
		a := openAccounts(t, filepath.Join(t.TempDir(), "accounts.db"))
		return storetest.AccountStores{Accounts: a, Budgets: a.Budgets(), Trail: a.Audit(), Reader: a.Audit()}
	})
}

func openSessions(t *testing.T, path string) *sqlite.Sessions {
	t.Helper()
	s, err := sqlite.OpenSessions(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s.Close()) })
	return s
}

func openAccounts(t *testing.T, path string) *sqlite.Accounts {
	t.Helper()
	a, err := sqlite.OpenAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, a.Close()) })
	return a
}

func closed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
