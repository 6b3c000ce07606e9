package caddymodule

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/store/postgres"
)

// lasting is an error that waiting does not mend.
type lasting struct{ error }

func (l *lasting) Unwrap() error { return l.error }

// answered tells an error that a store gave, and that somebody has to mend,
// from a store that is away, starting, failing over or full.
func answered(err error) bool {
	var pg *pgconn.PgError
	var rd redis.Error
	switch {
	case errors.As(err, new(*lasting)), errors.Is(err, postgres.ErrRefused), errors.Is(err, postgres.ErrDropped), errors.As(err, new(*tls.CertificateVerificationError)):
		return true
	case errors.As(err, &pg):
		return slices.Contains(lastingStates, pg.Code) || slices.Contains(lastingStates, pg.Code[:2])
	case errors.As(err, &rd):
		word, _, _ := strings.Cut(rd.Error(), " ")
		return slices.Contains(lastingWords, word)
	}
	return false
}

// lastingStates are of PostgreSQL: codes, or classes of codes.
var lastingStates = []string{
	"28",    // no such user, wrong password, not in pg_hba.conf
	"3D000", // no such database
	"3F000", // no such schema
	"42",    // no right to do that, or tables that are not ours
}

// lastingWords are of Redis, the first of an error.
var lastingWords = []string{
	"WRONGPASS", // wrong user or password
	"NOAUTH",    // it wants a password
	"NOPERM",    // the user may not do that
	"DENIED",    // protected mode
}
