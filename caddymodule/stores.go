package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
)

// What outlives a reload: on a reload the new configuration starts before the
// old one stops, so both hold the same entry for a moment.
var (
	filePool    = caddy.NewUsagePool() // by directory
	sessionPool = caddy.NewUsagePool() // by directory and key set
)

// files are the two embedded stores.
type files struct {
	sessions *sqlite.Sessions
	accounts *sqlite.Accounts
}

// Destruct implements caddy.Destructor.
func (f *files) Destruct() error { return errors.Join(f.sessions.Close(), f.accounts.Close()) }

func (a *App) openFiles() (*files, error) {
	v, _, err := filePool.LoadOrNew(a.dir, func() (caddy.Destructor, error) { return openFiles(a.dir) })
	if err != nil {
		return nil, err
	}
	a.release = append(a.release, letGo(filePool, a.dir))
	return v.(*files), nil
}

func openFiles(dir string) (caddy.Destructor, error) {
	s, err := sqlite.OpenSessions(filepath.Join(dir, "sessions.db"))
	if err != nil {
		return nil, err
	}
	acc, err := sqlite.OpenAccounts(filepath.Join(dir, "accounts.db"))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &files{s, acc}, nil
}

func letGo(pool *caddy.UsagePool, key string) func() error {
	return func() error {
		_, err := pool.Delete(key)
		return err
	}
}

// liveSessions is sessions.Sessions as the pool wants it.
type liveSessions struct{ *sessions.Sessions }

// Destruct implements caddy.Destructor.
func (l liveSessions) Destruct() error {
	l.Close()
	return nil
}

func (a *App) openSessions(f *files, ring *seal.Ring) (*sessions.Sessions, error) {
	key := fmt.Sprintf("%s %x", a.dir, ring.Derive("fingerprint")) // the sealing key's first
	v, _, err := sessionPool.LoadOrNew(key, func() (caddy.Destructor, error) {
		s, err := sessions.New(f.sessions, ring, time.Now)
		return liveSessions{s}, err
	})
	if err != nil {
		return nil, err
	}
	a.release = append(a.release, letGo(sessionPool, key))
	return v.(liveSessions).Sessions, nil
}

func (a *App) services(f *files, live *sessions.Sessions, ring *seal.Ring, now func() time.Time) *gateway.Services {
	trail := loggedTrail{f.accounts.Audit(), a.log}
	return &gateway.Services{
		Sessions: live, Accounts: f.accounts, Trail: trail, Now: now,
		Escrow: escrow.New(f.sessions.Escrows(), now),
		Flow: &challenge.Flow{Accounts: f.accounts, Challenges: f.sessions.Challenges(), Budgets: f.accounts.Budgets(),
			Trail: trail, Ring: ring, Issuer: a.Brand, Now: now},
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
