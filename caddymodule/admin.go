package caddymodule

import (
	"cmp"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
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

// openAdmin listens for administrators. What listens outlives a reload: the
// newest configuration whose stores are there answers.
func (a *App) openAdmin(s stores, live *sessions.Sessions, ring *seal.Ring) error {
	svc := a.adminService(s, live, ring)
	use := admin.Use{Service: func() *admin.Service {
		if a.shared.Load() == nil {
			return nil
		}
		return svc
	}}
	if err := a.openAdminSocket(use); err != nil || a.AdminTLS == nil {
		return err
	}
	use.Certificates = a.AdminTLS.certificates()
	return a.answerAt(use, "admin tls "+a.AdminTLS.Listen, func() (*admin.Server, error) { return admin.ServeTLS(a.AdminTLS.Listen) })
}

// openAdminSocket listens on the socket. A gateway that has no place for the
// default one works as well, and says so.
func (a *App) openAdminSocket(use admin.Use) error {
	path := cmp.Or(a.AdminSocket, defaultSocket())
	err := a.answerAt(use, "admin "+path, func() (*admin.Server, error) { return admin.Serve(path) })
	if err != nil && a.AdminSocket == "" {
		a.log.Warn("administrators cannot reach this gateway: name a place for the socket by admin_socket", "error", err)
		return nil
	}
	return err
}

func (a *App) answerAt(use admin.Use, key string, open func() (*admin.Server, error)) error {
	server, err := hold(a, key, open)
	if err != nil {
		return err
	}
	stop := server.Use(use)
	a.release = append(a.release, func() error { stop(); return nil })
	return nil
}

func (a *App) adminService(s stores, live *sessions.Sessions, ring *seal.Ring) *admin.Service {
	trail := s.accounts.Audit()
	return &admin.Service{People: s.accounts, Accounts: s.accounts, Sessions: live, Budgets: s.accounts.Budgets(),
		Trail: loggedTrail{trail, a.log}, Past: trail, Contacts: a.book(s, ring), TicketKey: ring.Derive(recovery.TicketKeys)[0],
		HasRealm: a.hasRealm, LinkTo: a.linkTo, Now: time.Now,
		Backup: func(ctx context.Context, to io.Writer) error {
			_, err := backup.Write(ctx, to, s.accounts, ring, time.Now())
			return err
		}}
}

// book is how people are reached.
func (a *App) book(s stores, ring *seal.Ring) *contacts.Book {
	inAll, _ := a.SMS.rates() // checked
	return &contacts.Book{Ring: ring, Region: a.SMS.region(), InAll: inAll, Courier: a.courier, Writer: a.pages, Budgets: s.accounts.Budgets(), Log: a.log, Now: time.Now}
}

// hasRealm tells whether a site has people of a realm.
func (a *App) hasRealm(realm string) bool {
	for _, p := range a.places {
		if p.realm == realm {
			return true
		}
	}
	return false
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
