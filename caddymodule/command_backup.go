package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
)

const backupHelp = `Writes the accounts of the running gateway, as they are at one moment, into a
new file that only this user can read: who has bound what, contacts, passwords
of Stepgate's own, known browsers, requests, what must stay spent or counted,
and the audit trail. No sessions.

The file is sealed with the master keys, and its first line names them. It is
worth nothing without them, and they are not in it: keep both, apart.`

func backupCommand(cmd *cobra.Command) {
	cmd.Long, cmd.Args = backupHelp, cobra.ExactArgs(1)
	socket := cmd.Flags().String("socket", defaultSocket(), "where the running gateway listens (admin_socket)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		if err := writeWhole(args[0], func(f *os.File) error { return admin.NewClient(*socket).Backup(cmd.Context(), f) }); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is written. It needs the master keys of this gateway: keep a copy of them elsewhere.\n", args[0])
		return nil
	}
}

// writeWhole makes a file that is there whole or not at all, and never in place
// of another.
func writeWhole(path string, write func(*os.File) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already: name another file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".stepgate-backup-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // after the rename it does nothing
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // unlike a rename, never over a file that came meanwhile
}

const restoreHelp = `Fills the accounts store that a configuration names from a backup. The gateway
has to be stopped, and the store empty: a new database, or no accounts.db.

Since nobody knows what happened after the backup was made, all sessions end,
no browser is trusted, and recovery codes and one-time links of then are void:
people who need recovery codes make new ones on their security page.`

func restoreCommand(cmd *cobra.Command) {
	cmd.Long, cmd.Args = restoreHelp, cobra.ExactArgs(1)
	config := cmd.Flags().StringP("config", "c", "", "the gateway's configuration (default: Caddyfile)")
	adapter := cmd.Flags().StringP("adapter", "a", "", "the kind of configuration, as for caddy run")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		app, err := configured(*config, *adapter)
		if err != nil {
			return err
		}
		defer func() { _ = app.Cleanup() }()
		h, n, err := app.restore(cmd.Context(), file)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Restored %d records of %s. All sessions have ended; recovery codes are void.\n", n, h.Made.Format(minute))
		return nil
	}
}

// configured is the app of a configuration, which is not started.
func configured(path, adapter string) (*App, error) {
	text, _, _, err := caddycmd.LoadConfig(path, adapter)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, errors.New("there is no Caddyfile here: name the configuration with --config")
	}
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(text, config); err != nil {
		return nil, err
	}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		return nil, err
	}
	app, err := ctx.AppIfConfigured("stepgate")
	if err != nil {
		return nil, fmt.Errorf("this configuration protects nothing: %w", err)
	}
	return app.(*App), nil
}

// restore fills the stores of the app, which nobody else uses meanwhile.
func (a *App) restore(ctx context.Context, from *os.File) (h backup.Header, n int, err error) {
	ring, err := a.storage.existing()
	if err != nil {
		return h, 0, err
	}
	s, err := a.openStores()
	if err != nil {
		return h, 0, err
	}
	if err := s.prepare(ctx); err != nil {
		return h, 0, err
	}
	if h, n, err = backup.Read(ctx, from, s.accounts, ring, time.Now()); err != nil {
		return h, 0, err
	}
	return h, n, a.adopt(ctx, s, ring, h)
}

// adopt makes the restored store the one that belongs to this installation, and
// says so in its trail.
func (a *App) adopt(ctx context.Context, s stores, ring *seal.Ring, h backup.Header) error {
	id, err := accountsID(ctx, s.accounts)
	if err == nil {
		err = checkKeys(ctx, s.accounts, ring)
	}
	if err == nil {
		err = a.storage.Store(ctx, accountsAt, id)
	}
	if err != nil {
		return err
	}
	return s.accounts.Audit().Append(ctx, audit.Record{At: time.Now(), Event: audit.AccountsRestored,
		Reasons: []policy.Reason{{Code: policy.ReasonAdministrator, Detail: "backup of " + h.Made.Format(time.RFC3339)}}})
}
