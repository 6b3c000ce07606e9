package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stepgate/stepgate/store/accountsql"
)

const (
	// poolSize is how many connections a node has, open and idle alike.
	poolSize = 8
	// lifetime lets connections move to another server behind one address.
	lifetime = 30 * time.Minute
	// patience is how long a caller waits for everything together: less than
	// the two seconds in which a fault has to be a denial, and less than the
	// server's own bound, since a commit that the server gives up is reported
	// as done where replicas only were not told.
	patience = 1800 * time.Millisecond
	// connectTimeout is for all hosts together.
	connectTimeout = time.Second
)

// serverLimits hold whatever the server, the role or a pooler has as defaults.
var serverLimits = map[string]string{
	"statement_timeout":                   "2000",
	"lock_timeout":                        "2000",
	"idle_in_transaction_session_timeout": "2000",
	"synchronous_commit":                  "on", // a spent code stays spent
}

// Accounts is a database as the store of people. It answers nothing before
// Ready has once succeeded.
type Accounts struct {
	*accountsql.Accounts
	config *pgx.ConnConfig
	where  string // for people
	steps  migrations
	sweep  sweep

	changing *changing

	mu     sync.RWMutex
	db     *sql.DB // nil until ready
	closed bool
}

// Open reads the DSN, as libpq understands it, and connects to nothing.
// Whatever is wrong with the DSN is an error here. An empty password leaves it
// to PGPASSWORD and the password file.
func Open(dsn, password string) (*Accounts, error) {
	config, err := configure(dsn, password)
	if err != nil {
		return nil, err
	}
	a := &Accounts{config: config, where: where(config), steps: embedded, changing: newChanging()}
	a.Accounts = accountsql.New(database{a})
	return a, nil
}

func configure(dsn, password string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("store: postgres: %w", err) // pgx leaves passwords out
	}
	if password != "" {
		config.Password = password
	}
	config.ConnectTimeout = connectTimeout / time.Duration(len(addresses(config)))
	config.ValidateConnect = validate
	config.OnPgError = func(_ *pgconn.PgConn, e *pgconn.PgError) (keep bool) {
		return e.SeverityUnlocalized != "FATAL" && e.Code != readOnly
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "stepgate"
	}
	for name, value := range serverLimits {
		config.RuntimeParams[name] = value
	}
	return config, nil
}

// validate is target_session_attrs=read-write, and finds poolers that drop
// the parameters a connection starts with.
func validate(ctx context.Context, c *pgconn.PgConn) error {
	got := c.ExecParams(ctx, "SELECT current_setting('transaction_read_only'), current_setting('synchronous_commit'), "+
		"extract(epoch FROM current_setting('statement_timeout')::interval) * 1000 = "+serverLimits["statement_timeout"], nil, nil, nil, nil).Read()
	switch {
	case got.Err != nil:
		return got.Err
	case len(got.Rows) != 1 || string(got.Rows[0][0]) != "off":
		return errNoWrites
	case string(got.Rows[0][1]) == "off" || string(got.Rows[0][2]) != "t":
		return fmt.Errorf("%w: synchronous_commit is %s", ErrDropped, got.Rows[0][1])
	}
	return nil
}

// addresses are the hosts in the order in which they are tried.
func addresses(config *pgx.ConnConfig) (all []string) {
	add := func(host string, port uint16) {
		if a := fmt.Sprintf("%s:%d", host, port); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	add(config.Host, config.Port)
	for _, f := range config.Fallbacks {
		add(f.Host, f.Port)
	}
	return all
}

func where(config *pgx.ConnConfig) string {
	return fmt.Sprintf("postgres: database %q on %s", config.Database, strings.Join(addresses(config), ", "))
}

// open makes the pool of a database whose id is known by now. Connections to
// any other are refused: a host of the DSN may turn out to be another cluster.
func (a *Accounts) open(id string) *sql.DB {
	db := stdlib.OpenDB(*a.config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		err := same(ctx, c, id)
		if err != nil {
			closeNow(c)
		}
		return err
	}))
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	db.SetConnMaxLifetime(lifetime)
	return db
}

func same(ctx context.Context, c *pgx.Conn, id string) error {
	var is string
	switch err := c.QueryRow(ctx, "SELECT id FROM stepgate").Scan(&is); {
	case err != nil:
		return fmt.Errorf("is this still the same database? %w", err)
	case is != id:
		return errors.New("this host has another database than before: take it out of the DSN")
	}
	return nil
}

func closeNow(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// Close lets all connections go. It may be called again.
func (a *Accounts) Close() error {
	a.mu.Lock()
	db := a.db
	a.db, a.closed = nil, true
	a.mu.Unlock()
	a.sweep.end()
	a.changing.end()
	if db == nil {
		return nil
	}
	return db.Close()
}

// pool is the pool of connections, an error until the store is ready.
func (a *Accounts) pool() (*sql.DB, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.db == nil {
		return nil, errors.New("not ready: no connection has succeeded yet")
	}
	return a.db, nil
}
