package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/store/storetest"
)

func TestPasswords(t *testing.T) {
	storetest.Passwords(t, func(t *testing.T) accounts.Passwords {
		return openAccounts(t, filepath.Join(t.TempDir(), "accounts.db"))
	})
}
