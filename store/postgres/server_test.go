//go:build e2e

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
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
		a, b := ready(t, dsn), ready(t, dsn)
		both := &twoNodes{nodes: [2]*Accounts{a, b}}
		return storetest.AccountStores{Accounts: both, Budgets: both, Trail: b.Audit(), Reader: a.Audit()}
	})
}

// twoNodes are two stores on one database behind a balancer without stickiness.
type twoNodes struct {
	nodes [2]*Accounts
	calls atomic.Uint64
}

func (n *twoNodes) next() *Accounts { return n.nodes[n.calls.Add(1)%2] }

func (n *twoNodes) Account(ctx context.Context, s identity.Subject) (accounts.Account, error) {
	return n.next().Account(ctx, s)
}

func (n *twoNodes) BindFirst(ctx context.Context, c accounts.Credential, also ...identity.Enrollment) error {
	return n.next().BindFirst(ctx, c, also...)
}

func (n *twoNodes) NoteFederated(ctx context.Context, s identity.Subject) error {
	return n.next().NoteFederated(ctx, s)
}

func (n *twoNodes) AdvanceStep(ctx context.Context, id string, step int64, passed bool, now time.Time) error {
	return n.next().AdvanceStep(ctx, id, step, passed, now)
}

func (n *twoNodes) SpendID(ctx context.Context, id string, expires time.Time) error {
	return n.next().SpendID(ctx, id, expires)
}

func (n *twoNodes) KnowBrowser(ctx context.Context, s identity.Subject, digest []byte, now time.Time) error {
	return n.next().KnowBrowser(ctx, s, digest, now)
}

func (n *twoNodes) Browser(ctx context.Context, s identity.Subject, digest []byte) (accounts.Browser, error) {
	return n.next().Browser(ctx, s, digest)
}

func (n *twoNodes) ForgetPasses(ctx context.Context, s identity.Subject) error {
	return n.next().ForgetPasses(ctx, s)
}

func (n *twoNodes) EndSessions(ctx context.Context, s identity.Subject, from time.Time) error {
	return n.next().EndSessions(ctx, s, from)
}

func (n *twoNodes) Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error) {
	return n.next().Ended(ctx, s, id, began)
}

func (n *twoNodes) Meta(ctx context.Context, name string) ([]byte, error) {
	return n.next().Meta(ctx, name)
}

func (n *twoNodes) SetMetaIfAbsent(ctx context.Context, name string, value []byte) ([]byte, error) {
	return n.next().SetMetaIfAbsent(ctx, name, value)
}

func (n *twoNodes) Peek(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	return n.next().Budgets().Peek(ctx, key, rates, now)
}

func (n *twoNodes) Charge(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	return n.next().Budgets().Charge(ctx, key, rates, now)
}

func (n *twoNodes) Refund(ctx context.Context, key string, rates []limits.Rate, now time.Time) error {
	return n.next().Budgets().Refund(ctx, key, rates, now)
}
