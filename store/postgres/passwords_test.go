//go:build e2e

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
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
			return &twoNodes{nodes: [2]*Accounts{ready(t, dsn), ready(t, dsn)}}
		})
	})
}

func (n *twoNodes) CreatePerson(ctx context.Context, s identity.Subject, now time.Time) error {
	return n.next().CreatePerson(ctx, s, now)
}

func (n *twoNodes) Person(ctx context.Context, s identity.Subject) (accounts.Person, error) {
	return n.next().Person(ctx, s)
}

func (n *twoNodes) People(ctx context.Context, realm string) ([]accounts.Person, error) {
	return n.next().People(ctx, realm)
}

func (n *twoNodes) IssueLink(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error {
	return n.next().IssueLink(ctx, s, digest, expires)
}

func (n *twoNodes) Link(ctx context.Context, realm string, digest []byte, now time.Time) (identity.Subject, error) {
	return n.next().Link(ctx, realm, digest, now)
}

func (n *twoNodes) RedeemLink(ctx context.Context, s identity.Subject, digest, password []byte, now time.Time) error {
	return n.next().RedeemLink(ctx, s, digest, password, now)
}

func (n *twoNodes) SetPassword(ctx context.Context, s identity.Subject, old, password []byte, set time.Time) error {
	return n.next().SetPassword(ctx, s, old, password, set)
}
