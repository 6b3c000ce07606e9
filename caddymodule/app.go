package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

func init() { caddy.RegisterModule(new(App)) }

// App is what all protected sites share. In a Caddyfile it is the global
// option `stepgate`; without one, everything has its default.
type App struct {
	// Brand is the name that people see on the pages and in their
	// authenticator app. Default: Stepgate.
	Brand string `json:"brand,omitempty"`
	// Factors that there are, the preferred first: totp, passkey, sms, email and
	// recovery. Default: totp, passkey and recovery.
	Factors []string `json:"factors,omitempty"`
	// Keys is a directory with the master keys (ID.key files, and a file
	// `sealing` that names the one that seals). Default: one key, made at the
	// first start, in Caddy's storage.
	Keys string `json:"keys,omitempty"`
	// Sessions says where sessions live. Default: a file in Caddy's data
	// directory, for one node.
	Sessions *SessionStore `json:"sessions,omitempty"`
	// NearSessions is how many verified sessions are kept in memory, so that
	// their requests ask no store: 1 to 3 KiB each. Default: 50000.
	NearSessions int `json:"near_sessions,omitempty"`
	// Accounts says where enrollments live. Default: a file in Caddy's data
	// directory, for one node.
	Accounts *AccountStore `json:"accounts,omitempty"`
	// Mail is how mails to people go out. Default: none are sent.
	Mail *Mail `json:"mail,omitempty"`
	// SMS is how SMS to people go out. Default: none are sent.
	SMS *SMS `json:"sms,omitempty"`
	// SharedStorage says that Caddy's storage, although it is a directory, is
	// one that all nodes share, so that master keys may lie there.
	SharedStorage bool `json:"shared_storage,omitempty"`
	// Help tells people on the pages where to turn, in the operator's words.
	Help string `json:"help,omitempty"`
	// AdminSocket is the Unix socket by which administrators reach the running
	// gateway (stepgate users …): an absolute path. Only the user that runs the
	// gateway, and root, can open it. Default: stepgate/admin.sock in Caddy's
	// data directory.
	AdminSocket string `json:"admin_socket,omitempty"`
	// AdminTLS is how administrators reach the gateway from other machines.
	// Default: not at all.
	AdminTLS *AdminTLS `json:"admin_tls,omitempty"`
	// Overlay is a directory whose templates, style, logo and texts replace
	// the embedded ones.
	Overlay string `json:"overlay,omitempty"`
	// Realms are directories of people that several sites may share, by name.
	Realms map[string]*Realm `json:"realms,omitempty"`
	// Policy holds for every site, unless the site's own says otherwise.
	Policy Policy `json:"policy,omitzero"`

	pages   *templates.Set
	log     *slog.Logger
	storage keyStorage
	dir     string
	meters  *meters
	sites   map[string]string // settings by name
	places  map[string]place
	naming  map[string]string // by which claim an issuer names a realm's people
	own     ownPages
	courier *notify.Courier
	shared  atomic.Pointer[gateway.Services]
	settled chan struct{} // closed when shared is set, or never will be
	settle  func()
	release []func() error
}

// CaddyModule implements caddy.Module.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "stepgate", New: func() caddy.Module { return new(App) }}
}

// Provision checks what can be checked without opening a store.
func (a *App) Provision(ctx caddy.Context) (err error) {
	a.log = ctx.Slogger()
	a.sites, a.places, a.naming = make(map[string]string), make(map[string]place), make(map[string]string)
	a.settled = make(chan struct{})
	a.settle = sync.OnceFunc(func() { close(a.settled) })
	if err := a.replace(); err != nil {
		return err
	}
	a.storage = keyStorage{Storage: ctx.Storage(), dir: a.Keys}
	a.dir = filepath.Join(caddy.AppDataDir(), "stepgate")
	a.Brand = cmp.Or(a.Brand, "Stepgate")
	a.NearSessions = cmp.Or(a.NearSessions, sessions.NearByDefault)
	if err := errors.Join(a.checkFactors(), a.Policy.check(), a.checkDemands(a.Policy.Demands), a.checkRealms(), a.checkStores(), a.checkMessages(), checkNear(a.NearSessions), checkSocket(a.AdminSocket), a.AdminTLS.check(), a.checkFiles(), a.checkKeysShared(), a.storage.check()); err != nil {
		return err
	}
	a.pages, err = templates.New(templates.Options{Brand: a.Brand, Help: a.Help, Base: gateway.Base, Overlay: a.Overlay})
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	a.meters, err = newMeters(ctx.GetMetricsRegistry())
	return err
}

// replace puts in what placeholders stand for.
func (a *App) replace() (err error) {
	by := caddy.NewReplacer()
	if err := fill(by, []value{{"brand", &a.Brand}, {"help", &a.Help}, {"keys", &a.Keys}, {"overlay", &a.Overlay}, {"admin_socket", &a.AdminSocket}}); err != nil {
		return err
	}
	if a.Sessions, err = a.Sessions.filled(by); err != nil {
		return err
	}
	if a.Accounts, err = a.Accounts.filled(by); err != nil {
		return err
	}
	if a.Mail, err = a.Mail.filled(by); err != nil {
		return err
	}
	if a.SMS, err = a.SMS.filled(by); err != nil {
		return err
	}
	a.AdminTLS, err = a.AdminTLS.filled(by)
	return err
}

// checkStores finds combinations of stores in which several nodes would not
// know the same of a person.
func (a *App) checkStores() error {
	if err := errors.Join(a.Sessions.check(), a.Accounts.check()); err != nil {
		return err
	}
	if a.Sessions != nil && a.Accounts == nil {
		return errors.New("sessions: nodes that share sessions must share accounts: add `accounts postgres \"host=… dbname=… user=…\"`, " +
			"or leave sessions out where there is one node")
	}
	return nil
}

// checkNear finds a size that is none.
func checkNear(n int) error {
	if n < 1 {
		return errors.New("near_sessions: how many sessions are kept in memory is 1 or more, as `near_sessions 50000`; leave the word out for that many")
	}
	return nil
}

// checkFiles reads what must be readable when stores are opened.
func (a *App) checkFiles() error {
	if err := a.AdminTLS.checkFiles(); err != nil {
		return err
	}
	if a.Sessions != nil && a.Sessions.Redis != nil {
		if _, _, err := a.Sessions.Redis.TLS.load(); err != nil {
			return err
		}
	}
	if a.Mail != nil {
		if err := a.Mail.CheckFiles(); err != nil {
			return err
		}
	}
	if a.Accounts != nil && a.Accounts.Postgres != nil {
		return a.Accounts.Postgres.checkFiles()
	}
	return nil
}

// checkKeysShared looks for master keys that only this machine has.
func (a *App) checkKeysShared() error {
	_, local := a.storage.Storage.(*certmagic.FileStorage)
	if a.Sessions == nil || a.Keys != "" || a.SharedStorage || !local {
		return nil
	}
	return errors.New("keys: nodes that share sessions must share master keys, and by default these lie in a directory of this machine: " +
		"give each node the same keys and name them, as `keys /etc/stepgate/keys`; or, if Caddy's storage is a directory " +
		"that all nodes share, write `shared_storage`")
}

// claim takes a name for a site. Two consoles under one name would let in
// each other's sessions; the same site on two servers is one.
func (a *App) claim(h *Handler) error {
	settings, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if other, taken := a.sites[h.Name]; taken && other != string(settings) {
		return fmt.Errorf("stepgate %s stands twice with different settings: sessions are keyed by the name, so give each site its own", h.Name)
	}
	a.sites[h.Name] = string(settings)
	return a.note(h)
}

// Start opens the stores. Requests that come earlier wait for it.
func (a *App) Start() error {
	ring, err := a.storage.load()
	if err != nil {
		return err
	}
	s, err := a.openStores()
	if err != nil {
		return err
	}
	live, err := a.openLive(s, ring)
	if err != nil {
		return err
	}
	passwords, err := a.openPasswords(s, ring)
	if err != nil {
		return err
	}
	if err := a.openCourier(); err != nil {
		return err
	}
	if err := a.openAdmin(s, live, ring); err != nil {
		return err
	}
	return a.bringUp(func(ctx context.Context) error {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		if err := checkBelonging(ctx, s.accounts, ring, a.storage, s.roll); err != nil {
			return err
		}
		shared := a.services(s, live, ring, time.Now)
		shared.Passwords = passwords
		a.shared.Store(shared)
		return nil
	}, func(ctx context.Context) { s.roll.keep(ctx, a.log) })
}

// startTimeout bounds how long a request waits for the start.
const startTimeout = 1500 * time.Millisecond

// await returns what sites share, once it is there: Caddy starts its apps in
// any order, and on a reload the new servers may take requests before this
// app has started. Nil means not now.
func (a *App) await(ctx context.Context) *gateway.Services {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-a.settled:
	case <-ctx.Done():
	}
	return a.shared.Load()
}

// Stop leaves all as it is: the server may still answer its last requests,
// which need the stores. Cleanup follows when all apps have stopped.
func (a *App) Stop() error { return nil }

// Cleanup lets go of what was opened, and the last one to let go closes it. It
// also follows a failed Start, and a Provision that failed halfway.
func (a *App) Cleanup() error {
	var errs []error
	for _, release := range slices.Backward(a.release) {
		errs = append(errs, release())
	}
	a.release = nil
	if a.settle != nil {
		a.settle()
	}
	return errors.Join(errs...)
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
