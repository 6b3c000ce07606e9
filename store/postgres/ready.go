package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/store/rows"
)

// The locks that nodes take against each other. Advisory locks are numbers
// that everybody in a database shares; these are "stepgate" and a digit.
const (
	migrateLock int64 = 0x7374657067617401
	sweepLock   int64 = 0x7374657067617402
)

//go:embed migrations
var files embed.FS

// migrations are the steps to the schema of this program.
type migrations struct{ fs.FS }

var embedded = migrations{mustSub(files, "migrations")}

func mustSub(f fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// Ready connects, makes an empty database ours, and brings the schema up to
// date, which one node does while the others wait, and those that run already
// serve. A change of the schema goes on when ctx ends, and the next call finds
// it done. Afterwards the store answers. The caller tries until it succeeds,
// except when the error is ErrRefused. When the store is ready already it does
// nothing.
func (a *Accounts) Ready(ctx context.Context) error {
	if _, err := a.pool(); err == nil {
		return nil
	}
	id, err := a.migrate(ctx)
	if err != nil {
		return a.fault(err)
	}
	return a.serve(id)
}

func (a *Accounts) serve(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return a.fault(errors.New("closed"))
	case a.db == nil:
		a.db = a.open(id)
		a.sweep.begin(a.expired)
	}
	return nil
}

// alone waits until no other node migrates.
func alone(ctx context.Context, lock *sql.Conn) error {
	for {
		var mine bool
		if err := lock.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", migrateLock).Scan(&mine); err != nil || mine {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another node, or an earlier attempt, is changing the schema: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// claim marks an empty database as ours and returns its id. One that others
// use is refused before anything is written.
func claim(ctx context.Context, db *sql.DB) (id string, err error) {
	tables, err := tablesOf(ctx, db)
	if err != nil {
		return "", err
	}
	if len(tables) > 0 && !slices.Contains(tables, "stepgate") {
		return "", fmt.Errorf("%w: not a database of Stepgate's accounts (it has %s): name an empty one, or another search_path",
			ErrRefused, strings.Join(tables[:min(3, len(tables))], ", "))
	}
	if len(tables) == 0 {
		if _, err := db.ExecContext(ctx, "CREATE TABLE stepgate AS SELECT '"+rand.Text()+"'::text AS id"); err != nil {
			return "", err
		}
	}
	err = db.QueryRowContext(ctx, "SELECT id FROM stepgate").Scan(&id)
	return id, err
}

func tablesOf(ctx context.Context, db *sql.DB) ([]string, error) {
	found, err := db.QueryContext(ctx, "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"+
		" AND relnamespace = current_schema()::regnamespace ORDER BY 1")
	if err != nil {
		return nil, err
	}
	return rows.Collect(found, func(name *string) []any { return []any{name} })
}
