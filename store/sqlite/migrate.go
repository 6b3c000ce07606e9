package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// kind is what tells the two files apart.
type kind struct {
	name        string   // as in migrations/
	id          int      // SQLite's application_id: nobody mixes up the paths unnoticed
	synchronous string   // SQLite's pragma
	sweeps      []string // what removes a batch of expired rows
}

// migrate refuses a file that is not ours or is newer than this program, and
// brings an older one up to date. There is no way back: a backup is.
func (f *file) migrate(ctx context.Context) error {
	if err := f.claim(ctx); err != nil {
		return err
	}
	steps, err := fs.Sub(migrations, "migrations/"+f.kind.name)
	if err != nil {
		return err
	}
	schema, err := goose.NewProvider(goose.DialectSQLite3, f.writer, steps)
	if err != nil {
		return err
	}
	is, known, err := schema.GetVersions(ctx)
	if err != nil {
		return err
	}
	if is > known {
		return fmt.Errorf("written by a newer Stepgate (schema %d, this one knows %d): run that version, or restore the backup made before the upgrade", is, known)
	}
	_, err = schema.Up(ctx)
	return err
}

// claim marks an empty file as one of this kind.
func (f *file) claim(ctx context.Context) error {
	var id, tables int
	err := f.writer.QueryRowContext(ctx,
		`SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`).Scan(&id, &tables)
	switch {
	case err != nil:
		return err
	case id == f.kind.id:
		return nil
	case id != 0 || tables != 0:
		return fmt.Errorf("not a file of Stepgate's %s: name another path", f.kind.name)
	}
	_, err = f.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", f.kind.id))
	return err
}

// inUse is the error of a file that is open already.
func inUse(lock string, err error) error {
	return fmt.Errorf("store: %s: in use by another process, or opened twice (%w): stop the other one, "+
		"or give each its own files; several nodes need the shared stores",
		strings.TrimSuffix(lock, ".lock"), err)
}
