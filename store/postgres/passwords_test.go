//go:build e2e

package postgres

import (
	"testing"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/store/storetest"
)

// TestPasswords runs the suite on one node, and on a store whose every call goes to one of two.
func TestPasswords(t *testing.T) {
	server := e2e.StartPostgres(t)
	t.Run("one node", func(t *testing.T) {
		storetest.Passwords(t, func(t *testing.T) accounts.Passwords { return ready(t, newDatabase(server)) })
	})
	t.Run("two nodes", func(t *testing.T) {
		storetest.Passwords(t, func(t *testing.T) accounts.Passwords {
			dsn := newDatabase(server)
			return between(ready(t, dsn), ready(t, dsn))
		})
	})
}
