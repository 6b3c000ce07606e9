package caddymodule

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/gateway"
)

// defaultSocket is where administrators reach the gateway by default.
func defaultSocket() string { return filepath.Join(caddy.AppDataDir(), "stepgate", "admin.sock") }

// checkSocket finds a path that no socket can have. What a placeholder stands
// for is looked at when it is known.
func checkSocket(path string) error {
	if path == "" || strings.HasPrefix(path, "{") {
		return nil
	}
	return admin.CheckSocket(path)
}

// openAdmin listens for administrators. The socket outlives a reload: the
// newest configuration whose stores are there answers. A gateway that has no
// place for the default socket works as well, and says so.
func (a *App) openAdmin(s stores) error {
	path := cmp.Or(a.AdminSocket, defaultSocket())
	server, err := hold(a, "admin "+path, func() (*admin.Server, error) { return admin.Serve(path) })
	if err != nil && a.AdminSocket != "" {
		return err
	}
	if err != nil {
		a.log.Warn("administrators cannot reach this gateway: name a place for the socket by admin_socket", "error", err)
		return nil
	}
	svc := &admin.Service{People: s.accounts, Budgets: s.accounts.Budgets(), Trail: loggedTrail{s.accounts.Audit(), a.log},
		LinkTo: a.linkTo, Now: time.Now}
	stop := server.Use(func() *admin.Service {
		if a.shared.Load() == nil {
			return nil
		}
		return svc
	})
	a.release = append(a.release, func() error { stop(); return nil })
	return nil
}

// linkTo makes links to the first site of a realm, by name, that has our own
// sign-in page.
func (a *App) linkTo(realm string, t accounts.Ticket) (link string, ok bool) {
	a.own.mu.Lock()
	defer a.own.mu.Unlock()
	origins := a.own.origins[realm]
	if len(origins) == 0 {
		return "", false
	}
	return gateway.PasswordLink(slices.Min(origins), t), true
}
