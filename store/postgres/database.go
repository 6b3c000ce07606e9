package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/stepgate/stepgate/store/accountsql"
)

// database is the store as the shared queries see it.
type database struct{ *Accounts }

// attempts let a caller meet each connection of the pool once after all of
// them were cut.
const attempts = poolSize + 1

// Read implements accountsql.Database.
func (d database) Read(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	return d.try(ctx, func(ctx context.Context, db *sql.DB) error {
		err := do(ctx, numbered{db})
		if err != nil {
			return &undone{err}
		}
		return nil
	})
}

// Write implements accountsql.Database.
func (d database) Write(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	return d.try(ctx, func(ctx context.Context, db *sql.DB) error { return transaction(ctx, db, do) })
}

// Snapshot implements accountsql.Database.
func (d database) Snapshot(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	db, err := d.pool()
	if err != nil {
		return d.fault(err)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return d.fault(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	return d.fault(do(ctx, numbered{tx}))
}

// Whole implements accountsql.Database.
func (d database) Whole(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	db, err := d.pool()
	if err != nil {
		return d.fault(err)
	}
	return d.fault(transaction(ctx, db, do))
}

// Lock implements accountsql.Database. Two keys of one hash only wait for each
// other.
func (d database) Lock(ctx context.Context, tx accountsql.Tx, key string) error {
	hash := sha256.Sum256([]byte("stepgate budget " + key))
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(binary.BigEndian.Uint64(hash[:8])))
	return err
}

// Within implements accountsql.Database.
func (d database) Within(part, whole string) string {
	return "position(" + part + " IN " + whole + ") > 0"
}

// try runs do within the patience of a caller, and once more where it is
// certain that nothing happened and likely that it will.
func (a *Accounts) try(ctx context.Context, do func(context.Context, *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := a.pool()
	if err != nil {
		return a.fault(err)
	}
	for range attempts {
		if err = do(ctx, db); err == nil || ctx.Err() != nil || !again(err) {
			break
		}
	}
	return a.fault(err)
}

// undone is an error after which it is certain that nothing was written.
type undone struct{ error }

func (u *undone) Unwrap() error { return u.error }

// isolation is said, since the default may be another: after a lock, the next
// statement has to see what its last holder committed.
var isolation = &sql.TxOptions{Isolation: sql.LevelReadCommitted}

// transaction runs do as one.
func transaction(ctx context.Context, db *sql.DB, do func(context.Context, accountsql.Tx) error) error {
	tx, err := db.BeginTx(ctx, isolation)
	if err != nil {
		return &undone{err}
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := do(ctx, numberedTx{numbered{tx}, tx}); err != nil {
		return &undone{err}
	}
	return tx.Commit()
}

// again tells whether another attempt is safe and promising: the connection
// broke before the commit was sent, or the server itself says that it rolled
// back.
func again(err error) bool {
	return slices.Contains(rolledBack, state(err)) || errors.As(err, new(*undone)) && broken(err)
}
