package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/templates"
)

func init() { caddy.RegisterModule(new(App)) }

// App is what all protected sites share. In a Caddyfile it is the global
// option `stepgate`; without one, everything has its default.
type App struct {
	// Brand is the name that people see on the pages and in their
	// authenticator app. Default: Stepgate.
	Brand string `json:"brand,omitempty"`
	// Factors that people may bind. So far and by default: totp.
	Factors []string `json:"factors,omitempty"`
	// Keys is a directory with the master keys (ID.key files, and a file
	// `sealing` that names the one that seals). Default: one key, made at the
	// first start, in Caddy's storage.
	Keys string `json:"keys,omitempty"`
	// Help tells people on the pages where to turn, in the operator's words.
	Help string `json:"help,omitempty"`
	// Overlay is a directory whose templates, style, logo and texts replace
	// the embedded ones.
	Overlay string `json:"overlay,omitempty"`
	// Policy holds for every site, unless the site's own says otherwise.
	Policy Policy `json:"policy,omitzero"`

	pages   *templates.Set
	log     *slog.Logger
	storage keyStorage
	dir     string
	meters  *meters
	shared  atomic.Pointer[gateway.Services]
	release []func() error
}

// CaddyModule implements caddy.Module.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "stepgate", New: func() caddy.Module { return new(App) }}
}

// Provision checks what can be checked without opening a store.
func (a *App) Provision(ctx caddy.Context) (err error) {
	a.log = ctx.Slogger()
	a.storage = keyStorage{Storage: ctx.Storage(), dir: a.Keys}
	a.dir = filepath.Join(caddy.AppDataDir(), "stepgate")
	if a.Brand == "" {
		a.Brand = "Stepgate"
	}
	if err := errors.Join(checkFactors(a.Factors), a.Policy.check(), a.storage.check()); err != nil {
		return err
	}
	a.pages, err = templates.New(templates.Options{Brand: a.Brand, Help: a.Help, Base: gateway.Base, Overlay: a.Overlay})
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	a.meters, err = newMeters(ctx.GetMetricsRegistry())
	return err
}

func checkFactors(names []string) error {
	for _, name := range names {
		if name != "totp" {
			return fmt.Errorf("factors: %q is not a factor of this version; it has totp", name)
		}
	}
	return nil
}

// Start opens the stores. Requests that come earlier get 503.
func (a *App) Start() error {
	ring, err := a.storage.load()
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	files, err := a.openFiles()
	if err != nil {
		return err
	}
	if err := files.checkRing(ring); err != nil {
		return err
	}
	live, err := a.openSessions(files, ring)
	if err != nil {
		return err
	}
	a.shared.Store(a.services(files, live, ring, time.Now))
	return nil
}

// Stop lets go of what was opened. The last one to let go closes it.
func (a *App) Stop() error { return a.Cleanup() }

// Cleanup also follows a failed Start.
func (a *App) Cleanup() error {
	var errs []error
	for i := len(a.release) - 1; i >= 0; i-- {
		errs = append(errs, a.release[i]())
	}
	a.release = nil
	return errors.Join(errs...)
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
