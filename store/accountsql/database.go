package accountsql

import (
	"context"
	"database/sql"

	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/store/rows"
)

// Database is what the dialects differ in. It gives its steps a context, which
// may end earlier than the caller's. It passes on the errors of
// package accounts that are answers as they are; all its other errors say
// which database they are about, and what helps.
type Database interface {
	// Read runs do outside of a transaction.
	Read(ctx context.Context, do func(context.Context, Reader) error) error
	// Write runs do as one transaction that sees what was committed before each
	// statement, and confirms nothing before the commit is durable. It may run
	// do again after a rollback that is certain.
	Write(ctx context.Context, do func(context.Context, Tx) error) error
	// Snapshot runs do on the database as it is at one moment, however long
	// that takes.
	Snapshot(ctx context.Context, do func(context.Context, Reader) error) error
	// Whole is Write once, however long that takes.
	Whole(ctx context.Context, do func(context.Context, Tx) error) error
	// Lock keeps all other transactions that lock the key waiting until tx ends.
	Lock(ctx context.Context, tx Tx, key string) error
	// Within is the condition that the bytes of part stand in those of whole.
	Within(part, whole string) string
}

// Reader takes queries with ? for each value.
type Reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is a transaction.
type Tx interface {
	Reader
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Accounts is a database as the store of people.
type Accounts struct{ db Database }

// New makes a store of a database whose schema is up to date.
func New(db Database) *Accounts { return &Accounts{db} }

// Budgets is the same database as the store of budgets.
func (a *Accounts) Budgets() limits.Store { return budgets(*a) }

// Audit is the same database as the audit trail, for writing and for reading.
func (a *Accounts) Audit() Trail { return Trail(*a) }

// Sweeps remove a batch of rows that expired, given an instant as it is stored
// and the size of the batch. They are for the disk's sake only: reads never
// depend on them.
func Sweeps() []string {
	return []string{sweepSpent, sweepBudgets, sweepBrowsers, sweepCredentials, sweepTickets, sweepRequests}
}

// exec is a write of one statement.
func (a *Accounts) exec(ctx context.Context, query string, args ...any) error {
	return a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// get reads one row and tells whether it is there.
func (a *Accounts) get(ctx context.Context, query string, args []any, into ...any) (there bool, err error) {
	err = a.db.Read(ctx, func(ctx context.Context, r Reader) error {
		err := r.QueryRowContext(ctx, query, args...).Scan(into...)
		there = err == nil
		return rows.OrNone(err, nil)
	})
	return there, err
}

// find reads all rows.
func find[T any](ctx context.Context, r Reader, fields func(*T) []any, query string, args ...any) ([]T, error) {
	found, err := r.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return rows.Collect(found, fields)
}
