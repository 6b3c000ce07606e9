package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/stepgate/stepgate/store/rows"
)

// readers is how many read at once; SQLite's readers block nobody.
const readers = 4

// file is one open database file.
type file struct {
	path   string
	kind   kind
	lock   io.Closer
	writer *sql.DB // one connection
	reader *sql.DB
	stop   context.CancelFunc
	swept  sync.WaitGroup
}

// open takes the file for this process, brings its schema up to date and
// starts the sweep of expired rows.
func open(path string, k kind) (*file, error) {
	path, err := prepare(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, kind: k, stop: func() {}}
	if f.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	if err := f.start(); err != nil {
		return nil, errors.Join(f.fault(err), f.Close())
	}
	return f, nil
}

// prepare makes the directory and an empty file that only this user can read
// (SQLite's helper files inherit its mode), and returns the file's real path,
// so that two names of one file share one lock.
func prepare(path string) (string, error) {
	remedy := func(err error) (string, error) {
		return "", fmt.Errorf("store: %w: the user that runs Stepgate must be able to write there; change the owner or name another path", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return remedy(err)
	}
	created, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return remedy(err)
	}
	if err := created.Close(); err != nil {
		return remedy(err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return remedy(err)
	}
	return filepath.Abs(path)
}

func (f *file) start() (err error) {
	if f.writer, err = sql.Open("sqlite", f.dsn("_txlock=immediate",
		"_pragma=journal_mode(WAL)", "_pragma=synchronous("+f.kind.synchronous+")", "_pragma=foreign_keys(1)")); err != nil {
		return err
	}
	f.writer.SetMaxOpenConns(1)
	if err := f.migrate(context.Background()); err != nil {
		return err
	}
	if f.reader, err = sql.Open("sqlite", f.dsn("mode=ro")); err != nil {
		return err
	}
	f.reader.SetMaxOpenConns(readers)
	f.reader.SetMaxIdleConns(readers)
	f.startSweep()
	return nil
}

// dsn names the file as a URI, in which any path can be written. A wait of a
// second for another program's lock (a backup's) is within the two seconds
// that a person may be kept waiting by a fault.
func (f *file) dsn(options ...string) string {
	path := filepath.ToSlash(f.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a Windows drive
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: path,
		RawQuery: strings.Join(append(options, "_pragma=busy_timeout(1000)"), "&")}
	return uri.String()
}

// write runs do as one transaction that holds the write lock from its start.
// Nothing is confirmed before the commit is: a statement's own success is not
// enough, since its rows may still fail to reach the disk.
func (f *file) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := f.writer.BeginTx(ctx, nil)
	if err != nil {
		return f.fault(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := do(tx); err != nil {
		return f.fault(err)
	}
	return f.fault(tx.Commit())
}

// exec is a write of one statement.
func (f *file) exec(ctx context.Context, query string, args ...any) error {
	return f.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// read runs do on what is there at one instant.
func (f *file) read(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := f.reader.BeginTx(ctx, nil)
	if err != nil {
		return f.fault(err)
	}
	defer func() { _ = tx.Rollback() }()
	return f.fault(do(tx))
}

// get is a read of one row; none is what its absence means.
func (f *file) get(ctx context.Context, none error, query string, args []any, into ...any) error {
	return f.fault(rows.OrNone(f.reader.QueryRowContext(ctx, query, args...).Scan(into...), none))
}

// Close ends the sweep and gives the file free. It may be called again.
func (f *file) Close() error {
	f.stop()
	f.swept.Wait()
	var errs []error
	for _, db := range []*sql.DB{f.reader, f.writer} { // the writer last: it tidies the log up
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	_ = f.lock.Close() // closing is what unlocks; a second time is harmless
	return errors.Join(errs...)
}
