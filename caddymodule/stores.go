package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/accountsql"
	"github.com/stepgate/stepgate/store/sqlite"
)

// sessionStore is one technology's store of what is short-lived.
type sessionStore interface {
	sessions.Store
	Challenges() challenge.Store
	Escrows() escrow.Store
	Close() error
}

// accountStore is one technology's store of what must survive.
type accountStore interface {
	accounts.Store
	accounts.Factors
	accounts.Help
	backup.Store
	accounts.Passwords
	Budgets() limits.Store
	Audit() accountsql.Trail
	Close() error
}

// stores are those of one configuration.
type stores struct {
	sessions sessionStore
	accounts accountStore
	feed     sessions.Feed // nil if this process alone has the sessions
	roll     *roll         // nil as well then
	key      string        // of both, in the pool
	// checks are what stores have to be asked before they are used.
	checks []func(context.Context) error
}

// prepare runs the checks.
func (s stores) prepare(ctx context.Context) error {
	for _, check := range s.checks {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openStores() (s stores, err error) {
	if a.Accounts != nil {
		err = a.openPostgres(&s)
	} else {
		err = a.openAccountsFile(&s)
	}
	if err != nil {
		return s, err
	}
	if a.Sessions != nil {
		return s, a.openRedis(&s)
	}
	return s, a.openSessionsFile(&s)
}

func (a *App) openAccountsFile(s *stores) error {
	path := filepath.Join(a.dir, "accounts.db")
	file, err := hold(a, "accounts "+path, func() (*sqlite.Accounts, error) { return sqlite.OpenAccounts(path) })
	s.accounts, s.key = file, s.key+path
	return err
}

func (a *App) openSessionsFile(s *stores) error {
	path := filepath.Join(a.dir, "sessions.db")
	file, err := hold(a, "sessions "+path, func() (*sqlite.Sessions, error) { return sqlite.OpenSessions(path) })
	s.sessions, s.key = file, s.key+path
	return err
}

// liveSessions is sessions.Sessions as the pool wants it.
type liveSessions struct{ *sessions.Sessions }

// Close implements io.Closer.
func (l liveSessions) Close() error {
	l.Sessions.Close()
	return nil
}

// openLive has the near cache live as long as the stores and keys that it
// rests on, and write to whatever log there is, not to that of one
// configuration.
func (a *App) openLive(s stores, ring *seal.Ring) (*sessions.Sessions, error) {
	key := fmt.Sprintf("live %d %s %s", a.NearSessions, s.key, digest(ring.IDs()[0], string(bytes.Join(ring.Derive("fingerprint"), nil))))
	live, err := hold(a, key, func() (liveSessions, error) {
		live, err := sessions.New(sessions.Options{Store: s.sessions, Feed: s.feed, Ledger: accounts.Ledger{Store: s.accounts},
			Ring: ring, Near: a.NearSessions, Now: time.Now, Log: newCurrentLog()})
		return liveSessions{live}, err
	})
	return live.Sessions, err
}

func (a *App) services(s stores, live *sessions.Sessions, ring *seal.Ring, now func() time.Time) *gateway.Services {
	trail, book := loggedTrail{s.accounts.Audit(), a.log}, a.book(s, ring)
	return &gateway.Services{
		Sessions: live, Accounts: s.accounts, Trail: trail, Now: now,
		Escrow: escrow.New(s.sessions.Escrows(), s.accounts, now),
		Flow: &challenge.Flow{Accounts: s.accounts, Challenges: s.sessions.Challenges(), Budgets: s.accounts.Budgets(),
			Trail: trail, Ring: ring, Book: book, Issuer: a.Brand, Log: a.log, Now: now},
		Security: &selfservice.Service{Accounts: s.accounts, Sessions: live, Trail: trail, Past: s.accounts.Audit(),
			Ring: ring, Book: book, Now: now},
	}
}

// loggedTrail also writes each record to Caddy's log, where operators look
// first and their tools already are.
type loggedTrail struct {
	audit.Trail
	log *slog.Logger
}

// Append implements audit.Trail.
func (t loggedTrail) Append(ctx context.Context, r audit.Record) error {
	t.log.Info(string(r.Event), "site", r.Site, "subject", r.Subject.String(), "reasons", r.Reasons,
		"reference", r.Reference, "address", r.Address)
	return t.Trail.Append(ctx, r)
}
