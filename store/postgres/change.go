package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// changing runs changes of the schema, which may outlast the call that began
// them: how long one takes depends on the tables, not on a caller's patience.
type changing struct {
	ctx  context.Context
	stop context.CancelFunc
	runs sync.WaitGroup
}

func newChanging() *changing {
	ctx, stop := context.WithCancel(context.Background())
	return &changing{ctx: ctx, stop: stop}
}

func (c *changing) end() {
	c.stop()
	c.runs.Wait()
}

// run waits for do, or for the end of ctx while do goes on.
func (c *changing) run(ctx context.Context, do func(context.Context) error) error {
	done := make(chan error, 1)
	c.runs.Go(func() {
		err := do(c.ctx)
		if err != nil && ctx.Err() != nil && c.ctx.Err() == nil {
			slog.Error("the schema was not changed", "error", err)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("the schema is being changed, which goes on: it takes as long as the tables are large")
	}
}

// migrator has two connections of its own: one holds the lock, the other
// works.
type migrator struct {
	db   *sql.DB
	lock *sql.Conn
}

func (a *Accounts) newMigrator(ctx context.Context) (*migrator, error) {
	db := stdlib.OpenDB(*a.config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
		return err
	}))
	db.SetMaxOpenConns(2)
	lock, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &migrator{db, lock}, nil
}

// close ends the connections, and the lock with them.
func (m *migrator) close() { _, _ = m.lock.Close(), m.db.Close() }

// migrate returns the id of the database once its schema is ours.
func (a *Accounts) migrate(ctx context.Context) (id string, err error) {
	m, err := a.newMigrator(ctx)
	if err != nil {
		return "", err
	}
	id, schema, err := a.look(ctx, m)
	if err != nil || schema == nil {
		m.close()
		return id, err
	}
	return id, a.changing.run(ctx, func(ctx context.Context) error {
		defer m.close()
		ctx, lost := context.WithCancel(ctx)
		defer lost()
		go m.watch(ctx, lost)
		_, err := schema.Up(ctx)
		return err
	})
}

// look returns the steps if there are any to take.
func (a *Accounts) look(ctx context.Context, m *migrator) (id string, schema *goose.Provider, err error) {
	if err := alone(ctx, m.lock); err != nil {
		return "", nil, err
	}
	if id, err = claim(ctx, m.db); err != nil {
		return "", nil, err
	}
	schema, err = a.steps.pending(ctx, m.db)
	return id, schema, err
}

// pending refuses a schema that is newer than this program, and returns the
// steps for an older one. There is no way back: a backup is.
func (m migrations) pending(ctx context.Context, db *sql.DB) (*goose.Provider, error) {
	schema, err := goose.NewProvider(goose.DialectPostgres, db, m)
	if err != nil {
		return nil, err
	}
	is, known, err := schema.GetVersions(ctx)
	switch {
	case err != nil:
		return nil, err
	case is > known:
		return nil, fmt.Errorf("%w: written by a newer Stepgate (schema %d, this one knows %d): "+
			"run that version, or restore the backup made before the upgrade", ErrRefused, is, known)
	case is == known:
		return nil, nil
	}
	return schema, nil
}

// watch ends a change whose lock is lost, or whose server does not answer any
// more: nothing else bounds it.
func (m *migrator) watch(ctx context.Context, lost func()) {
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, patience)
		if _, err := m.lock.ExecContext(within, "SELECT 1"); err != nil {
			lost()
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
