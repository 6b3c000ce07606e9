package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/accountsql"
)

// answers are the errors that say something certain. All others mean that the
// store could not tell.
var answers = []error{
	sessions.ErrNotFound, challenge.ErrNotFound, challenge.ErrExhausted,
	escrow.ErrNotFound,
}

// remedies say what an operator can do about SQLite's primary result codes.
var remedies = map[int]string{
	sqlite3.SQLITE_FULL:     "the disk is full: make room",
	sqlite3.SQLITE_READONLY: "the file cannot be written: check its owner, its mode and whether the disk is mounted read-only",
	sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check that it and its directory exist and belong to the user that runs Stepgate",
	sqlite3.SQLITE_CORRUPT:  "the file is damaged: stop Stepgate and restore it from a backup",
	sqlite3.SQLITE_NOTADB:   "this is no SQLite file: restore it from a backup or name another path",
	sqlite3.SQLITE_IOERR:    "the disk reports an error: look at the system's log",
	sqlite3.SQLITE_BUSY:     "another program holds the file: end it, or let it use SQLite's online backup",
}

// fault leaves an answer as it is, and says of every other error which file it
// is about and what helps.
func (f *file) fault(err error) error {
	if err == nil {
		return nil
	}
	if answer := accountsql.Answer(err); answer != nil {
		return answer
	}
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return err
		}
	}
	var result *driver.Error
	if errors.As(err, &result) && remedies[result.Code()&0xff] != "" {
		return fmt.Errorf("store: %s: %w: %s", f.path, err, remedies[result.Code()&0xff])
	}
	return fmt.Errorf("store: %s: %w", f.path, err)
}
