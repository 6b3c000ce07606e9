package caddymodule

import (
	"context"
	"fmt"

	"github.com/stepgate/stepgate/store/postgres"
)

// openPostgres connects to nothing yet: its check does.
func (a *App) openPostgres(s *stores) error {
	p := a.Accounts.Postgres
	key := "accounts postgres " + digest(p.DSN, p.Password)
	store, err := hold(a, key, func() (*postgres.Accounts, error) { return postgres.Open(p.DSN, p.Password) })
	s.accounts, s.key = store, s.key+key
	s.checks = append(s.checks, func(ctx context.Context) error { return store.Ready(ctx) })
	return err
}

// checkFiles reads the DSN whole, and the files that it names.
func (p *Postgres) checkFiles() error {
	store, err := postgres.Open(p.DSN, p.Password)
	if err != nil {
		return fmt.Errorf("accounts %w", err)
	}
	return store.Close()
}
