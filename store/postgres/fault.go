package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stepgate/stepgate/store/accountsql"
)

// ErrRefused is a database that must not be used, now or later: it is not
// ours, or written by a newer Stepgate.
var ErrRefused = errors.New("refused")

// ErrDropped is a connection without the settings that it was asked for.
var ErrDropped = errors.New("synchronous_commit is off, or statement_timeout is not " + serverLimits["statement_timeout"] + " ms")

// readOnly is the SQLSTATE of a server that takes no writes.
const readOnly = "25006"

var errNoWrites = errors.New("read-only server")

// rolledBack are the SQLSTATEs of transactions that lost against another.
var rolledBack = []string{"40001", "40P01"}

// remedies say what an operator can do about a SQLSTATE.
var remedies = map[string]string{
	readOnly: "the server takes no writes: name all hosts in the DSN, so that the primary is found, or end its read-only mode",
	"28P01":  "the password is wrong: check `password` and the role's own",
	"28000":  "the server refuses this user from here: check the user, and pg_hba.conf on the server",
	"3D000":  "the database is missing: create it, owned by the user of the DSN",
	"3F000":  "there is no schema to create tables in: check search_path",
	"42501":  "the user lacks a right: let it own the database (ALTER DATABASE … OWNER TO …)",
	"42P01":  "a table is missing: bring the database back from a backup",
	"53100":  "the server's disk is full: make room there",
	"53200":  "the server is out of memory: look at its log",
	"53300":  fmt.Sprintf("the server has no connection left: raise max_connections, of which each node takes up to %d", poolSize),
	"55P03":  "somebody holds a lock for too long: look at pg_locks on the server",
	"57014":  "the server is too slow, or waits for a replica: look at its load and at synchronous_standby_names",
	"57P01":  "the server is being stopped",
	"57P03":  "the server is starting: it needs a moment",
	"08P01":  "the server, or a pooler before it, does not understand: a pooler has to keep sessions together and to pass startup parameters on",
	"58030":  "the server's disk reports an error: look at its log",
}

// state is the SQLSTATE of the server's error, "" if the error is none.
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// broken tells whether the connection, not the step, was at fault. One that
// cannot be made is another matter.
func broken(err error) bool {
	if errors.As(err, new(*pgconn.ConnectError)) {
		return false
	}
	switch state(err) {
	case "57P01", "57P02", readOnly:
		return true
	case "":
		return pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.As(err, new(*net.OpError))
	}
	return false
}

// fault leaves an answer as it is, and says of every other error which
// database it is about and what helps.
func (a *Accounts) fault(err error) error {
	if err == nil {
		return nil
	}
	if answer := accountsql.Answer(err); answer != nil {
		return answer
	}
	if remedy := remedy(err); remedy != "" {
		return fmt.Errorf("store: %s: %w: %s", a.where, err, remedy)
	}
	return fmt.Errorf("store: %s: %w", a.where, err)
}

func remedy(err error) string {
	var timeout net.Error
	switch {
	case state(err) != "":
		return remedies[state(err)]
	case errors.Is(err, errNoWrites):
		return remedies[readOnly]
	case errors.Is(err, ErrDropped):
		return "a pooler before the server drops them: let it pass the parameters on (PgBouncer: pool_mode = session, and neither of them in " +
			"ignore_startup_parameters), or set both at the role (ALTER ROLE … SET …)"
	case errors.As(err, new(*net.DNSError)):
		return "the name of the host is not known: check the DSN and the resolver"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time: check that the server runs, and the network to it"
	case errors.As(err, new(*net.OpError)):
		return "no connection: check that the server runs, listens there, and is not behind a firewall"
	}
	return ""
}
