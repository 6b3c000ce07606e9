//go:build e2e

package postgres

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
)

// until are our first steps.
func until(t *testing.T, last string) migrations {
	t.Helper()
	steps := fstest.MapFS{}
	ours, err := fs.Glob(embedded, "*.sql")
	must(t, err)
	for _, name := range ours {
		if name <= last {
			text, err := fs.ReadFile(embedded, name)
			must(t, err)
			steps[name] = &fstest.MapFile{Data: text}
		}
	}
	return migrations{steps}
}

// TestUpgradeFromTOTPAlone: what was bound then is worth what TOTP is and known to its person; so is what a node that
// was not upgraded yet binds afterwards.
func TestUpgradeFromTOTPAlone(t *testing.T) {
	server := e2e.StartPostgres(t)
	old := opened(t, server.DSN())
	old.steps = until(t, "00003_people.sql")
	must(t, old.Ready(soon(t)))
	server.SQL(bindAsBefore("alice", "k1") + "; INSERT INTO browsers VALUES ('wiki', 'alice', 'm', 9, 9)")
	a := ready(t, server.DSN())
	server.SQL(bindAsBefore("bob", "k2"))
	for name, id := range map[string]string{"alice": "k1", "bob": "k2"} {
		got, err := a.Account(t.Context(), person(name))
		must(t, err)
		if len(got.Credentials) != 1 {
			t.Fatalf("%s: got %+v", name, got)
		}
		c := got.Credentials[0]
		if c.ID != id || c.Strength != identity.TOTP.Strength() || !c.Noticed || !c.RemoveAt.IsZero() || c.Bound.Mark != nil || c.LastStep != 7 {
			t.Errorf("the credential became %+v", c)
		}
		must(t, a.AdvanceStep(t.Context(), id, 8, true, time.Now()))
	}
	browsers, err := a.Browsers(t.Context(), alice)
	must(t, err)
	if len(browsers) != 1 || !browsers[0].FirstAt.Equal(time.Unix(0, 9)) || !browsers[0].TrustedUntil.IsZero() {
		t.Errorf("the browsers became %+v", browsers)
	}
}

func bindAsBefore(name, id string) string {
	return "INSERT INTO accounts (realm, name, state, valid_from) VALUES ('wiki', '" + name + "', 'bound', 0); " +
		"INSERT INTO credentials (id, realm, name, factor, label, secret, last_step, bound_at, used_at) " +
		"VALUES ('" + id + "', 'wiki', '" + name + "', 'totp', 'phone', 'x', 7, 5, 6)"
}
