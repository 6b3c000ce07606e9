//go:build e2e

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/store/accountsql"
	"github.com/stepgate/stepgate/store/storetest"
)

var (
	alice = identity.Subject{Realm: "wiki", Name: "alice"}
	three = []limits.Rate{{Count: 3, Period: 24 * time.Hour}}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened is a store that has not connected.
func opened(t testing.TB, dsn string) *Accounts {
	t.Helper()
	a, err := Open(dsn, e2e.PostgresPassword)
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

// ready is one node's store.
func ready(t testing.TB, dsn string) *Accounts {
	t.Helper()
	a := opened(t, dsn)
	must(t, a.Ready(soon(t)))
	return a
}

// soon bounds what a test waits for.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var databases atomic.Int64

func newDatabase(server *e2e.Postgres) string {
	return server.NewDatabase(fmt.Sprintf("case%d", databases.Add(1)))
}

func wantText(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), e2e.PostgresPassword) {
		t.Errorf("the password is in %v", err)
	}
}

func TestAccounts(t *testing.T) {
	server := e2e.StartPostgres(t)
	storetest.Accounts(t, func(t *testing.T) storetest.AccountStores {
		a := ready(t, newDatabase(server))
		return storetest.AccountStores{Accounts: a, Budgets: a.Budgets(), Trail: a.Audit(), Reader: a.Audit()}
	})
}

// TestTwoNodes runs the suite on a store whose every call goes to one of two nodes.
func TestTwoNodes(t *testing.T) {
	server := e2e.StartPostgres(t)
	storetest.Accounts(t, func(t *testing.T) storetest.AccountStores {
		dsn := newDatabase(server)
		both := between(ready(t, dsn), ready(t, dsn))
		return storetest.AccountStores{Accounts: both, Budgets: both.Budgets(), Trail: both.Audit(), Reader: both.Audit()}
	})
}

// twoNodes are two stores on one database behind a balancer without stickiness.
type twoNodes struct {
	nodes [2]database
	calls atomic.Uint64
}

func between(a, b *Accounts) *accountsql.Accounts {
	return accountsql.New(&twoNodes{nodes: [2]database{{a}, {b}}})
}

func (n *twoNodes) next() database { return n.nodes[n.calls.Add(1)%2] }

func (n *twoNodes) Read(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	return n.next().Read(ctx, do)
}

func (n *twoNodes) Write(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	return n.next().Write(ctx, do)
}

func (n *twoNodes) Snapshot(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	return n.next().Snapshot(ctx, do)
}

func (n *twoNodes) Whole(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	return n.next().Whole(ctx, do)
}

func (n *twoNodes) Lock(ctx context.Context, tx accountsql.Tx, key string) error {
	return n.next().Lock(ctx, tx, key)
}

func (n *twoNodes) Within(part, whole string) string { return n.next().Within(part, whole) }
