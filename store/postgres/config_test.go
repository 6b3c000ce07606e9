package postgres

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

func TestNumber(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":               "SELECT 1",
		"a = ?":                  "a = $1",
		"? AND ? OR (?)":         "$1 AND $2 OR ($3)",
		strings.Repeat("?,", 10): "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,",
	} {
		if got := number(query); got != want {
			t.Errorf("%q became %q, want %q", query, got, want)
		}
	}
}

// TestOpenConnectsToNothing, and no method answers before Ready.
func TestOpenConnectsToNothing(t *testing.T) {
	a, err := Open("host=db1.invalid,db2.invalid dbname=mfa user=stepgate", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SpendID(t.Context(), "c", time.Now()); err == nil || errors.Is(err, accounts.ErrSpent) {
		t.Errorf("spent an id: %v", err)
	}
	if got, err := a.Account(t.Context(), identity.Subject{Realm: "wiki", Name: "alice"}); err == nil {
		t.Errorf("an unknown account is %+v", got)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := a.Ready(t.Context()); err == nil {
		t.Error("a closed store is ready")
	}
}

func TestWhatTheDSNSays(t *testing.T) {
	config, err := configure("postgres://stepgate@db1:5433,db2,db3/mfa?target_session_attrs=any&sslmode=prefer"+
		"&statement_timeout=0&synchronous_commit=off&connect_timeout=60&application_name=gate", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if got := addresses(config); fmt.Sprint(got) != "[db1:5433 db2:5432 db3:5432]" {
		t.Errorf("hosts are %v", got)
	}
	for name, want := range map[string]string{"statement_timeout": "2000", "synchronous_commit": "on", "application_name": "gate"} {
		if got := config.RuntimeParams[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if config.ConnectTimeout*3 > patience {
		t.Errorf("three hosts take %v each", config.ConnectTimeout)
	}
	if config.ValidateConnect == nil || config.Password != "secret" {
		t.Error("a server that takes no writes would do, or the password is lost")
	}
}

func TestWrongDSN(t *testing.T) {
	for _, dsn := range []string{"host", "port=many", "postgres://u:hidden@h:x/", "host=h sslmode=sometimes password=hidden"} {
		_, err := Open(dsn, "hidden")
		if err == nil {
			t.Errorf("%q is accepted", dsn)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: the password is in %v", dsn, err)
		}
	}
}

// TestAgain: only what certainly did not happen is done again.
func TestAgain(t *testing.T) {
	cut, sql := fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), func(code string) error { return &pgconn.PgError{Code: code} }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&undone{cut}, true},
		{cut, false}, // the commit's answer
		{sql("57P01"), false},
		{&undone{sql("57P01")}, true},
		{&undone{sql(readOnly)}, true},
		{sql("40001"), true},
		{sql("40P01"), true},
		{&undone{sql("53100")}, false},
		{&undone{sql("57014")}, false},
		{&undone{&pgconn.ConnectError{Config: new(pgconn.Config)}}, false},
		{&undone{accounts.ErrSpent}, false},
	} {
		if got := again(c.err); got != c.want {
			t.Errorf("%v (%T): again %v", c.err, c.err, got)
		}
	}
}

func TestReadOnlyServersAreLeft(t *testing.T) {
	config, err := pgx.ParseConfig("host=db")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := configure("host=db", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*pgconn.PgError{{Code: "23505"}, {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"}} {
		if ours.OnPgError(nil, e) != config.OnPgError(nil, e) {
			t.Errorf("%+v: not as the driver does", e)
		}
	}
	if ours.OnPgError(nil, &pgconn.PgError{SeverityUnlocalized: "ERROR", Code: readOnly}) {
		t.Error("a connection to a server that takes no writes is kept")
	}
}
