package sqlite

import (
	"context"
	"database/sql"

	"github.com/stepgate/stepgate/store/accountsql"
)

// Accounts is the file of what must survive. It is itself the store of people.
type Accounts struct {
	*accountsql.Accounts
	f *file
}

// OpenAccounts opens the file, which it creates if there is none. A file is
// opened once at a time: a second call is an error, in this process or another.
func OpenAccounts(path string) (*Accounts, error) {
	f, err := open(path, kind{
		name: "accounts", id: 0x53470002, synchronous: "FULL",
		sweeps: accountsql.Sweeps(),
	})
	if err != nil {
		return nil, err
	}
	return &Accounts{accountsql.New(database{f}), f}, nil
}

// Close gives the file free.
func (a *Accounts) Close() error { return a.f.Close() }

// database is the file as the shared queries see it.
type database struct{ f *file }

// Read implements accountsql.Database.
func (d database) Read(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	return d.f.fault(do(ctx, d.f.reader))
}

// Write implements accountsql.Database.
func (d database) Write(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	return d.f.write(ctx, func(tx *sql.Tx) error { return do(ctx, tx) })
}

// Snapshot implements accountsql.Database.
func (d database) Snapshot(ctx context.Context, do func(context.Context, accountsql.Reader) error) error {
	return d.f.read(ctx, func(tx *sql.Tx) error { return do(ctx, tx) })
}

// Whole implements accountsql.Database.
func (d database) Whole(ctx context.Context, do func(context.Context, accountsql.Tx) error) error {
	return d.Write(ctx, do)
}

// Lock implements accountsql.Database: whoever writes is alone.
func (d database) Lock(context.Context, accountsql.Tx, string) error { return nil }

// Within implements accountsql.Database.
func (d database) Within(part, whole string) string {
	return "instr(" + whole + ", " + part + ") > 0"
}
