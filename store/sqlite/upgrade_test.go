package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/stepgate/stepgate/identity"
)

// TestUpgrade: what was bound when there was TOTP alone is worth what TOTP is,
// is known to its person, and a browser has been known since it was last seen.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	accountsOf(t, path, 4, `INSERT INTO accounts (realm, name, state, valid_from) VALUES ('wiki', x'616c696365', 'bound', 0);
		INSERT INTO credentials (id, realm, name, factor, label, secret, last_step, bound_at, used_at) VALUES
			('k1', 'wiki', x'616c696365', 'totp', x'70686f6e65', x'01', 7, 5, 6);
		INSERT INTO browsers (realm, name, digest, seen_at, passed_at) VALUES ('wiki', x'616c696365', x'01', 9, 9)`)
	a, err := OpenAccounts(path)
	must(t, err)
	defer func() { must(t, a.Close()) }()
	alice := identity.Subject{Realm: "wiki", Name: "alice"}
	got, err := a.Account(t.Context(), alice)
	must(t, err)
	if len(got.Credentials) != 1 {
		t.Fatalf("got %+v", got)
	}
	c := got.Credentials[0]
	if c.Strength != identity.TOTP.Strength() || !c.Noticed || !c.RemoveAt.IsZero() || c.Bound.Mark != nil || c.Name != "phone" || c.LastStep != 7 {
		t.Errorf("the credential became %+v", c)
	}
	browsers, err := a.Browsers(t.Context(), alice)
	must(t, err)
	if len(browsers) != 1 || !browsers[0].FirstAt.Equal(time.Unix(0, 9)) || !browsers[0].TrustedUntil.IsZero() {
		t.Errorf("the browsers became %+v", browsers)
	}
	must(t, a.AdvanceStep(t.Context(), "k1", 8, true, time.Now()))
}

// accountsOf makes a file as an earlier schema had it.
func accountsOf(t *testing.T, path string, version int64, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	steps, err := fs.Sub(migrations, "migrations/accounts")
	must(t, err)
	schema, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	must(t, err)
	_, err = schema.UpTo(t.Context(), version)
	must(t, err)
	_, err = db.Exec("PRAGMA application_id = 1397161986; " + statements)
	must(t, errors.Join(err, db.Close()))
}
