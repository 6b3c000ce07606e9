package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/stepgate/stepgate/admin"
)

// AdminTLS is how administrators reach the running gateway over a network:
// with a certificate of their own, in TLS 1.3, and in no other way.
type AdminTLS struct {
	// Listen is the address, as :2443 or 10.0.0.5:2443.
	Listen string `json:"listen,omitempty"`
	// Cert is a file with the gateway's certificate.
	Cert string `json:"cert,omitempty"`
	// Key is the file with the certificate's key.
	Key string `json:"key,omitempty"`
	// Clients is a file with the authorities whose every certificate is an
	// administrator's.
	Clients string `json:"clients,omitempty"`
}

func (t *AdminTLS) certificates() admin.Certificates {
	return admin.Certificates{Cert: t.Cert, Key: t.Key, Clients: t.Clients}
}

// check finds words that are missing, and addresses that are none.
func (t *AdminTLS) check() error {
	switch {
	case t == nil:
		return nil
	case t.Cert == "" || t.Key == "":
		return errors.New("admin_tls: the gateway needs a certificate: add `cert gateway.pem gateway.key`")
	case t.Clients == "":
		return errors.New("admin_tls: say whose certificates are administrators': add `clients admins-ca.pem`, an authority that signs nobody else's")
	}
	if !hasPlaceholder(t.Listen) && !isListener(t.Listen) {
		return fmt.Errorf("admin_tls: %q is no address to listen at: write `admin_tls :2443`, or with the address of one network, `admin_tls 10.0.0.5:2443`", t.Listen)
	}
	return nil
}

// checkFiles reads what must be readable when the port is opened.
func (t *AdminTLS) checkFiles() error {
	if t == nil || t.check() != nil {
		return nil
	}
	_, err := t.certificates().Load()
	return err
}

// isListener tells whether an address has a port, and before it nothing or
// what a machine is called.
func isListener(address string) bool {
	_, port, err := net.SplitHostPort(address)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && n > 0
}

// filled returns a copy with what {env.X} and {file.X} stand for.
func (t *AdminTLS) filled(by *caddy.Replacer) (*AdminTLS, error) {
	if t == nil {
		return nil, nil
	}
	c := *t
	return &c, fill(by, []value{{"admin_tls", &c.Listen}, {"cert", &c.Cert}, {"cert", &c.Key}, {"clients", &c.Clients}})
}

// parseAdminTLS reads:
//
//	admin_tls ADDRESS {
//		cert    FILE KEY
//		clients FILE
//	}
func parseAdminTLS(d *caddyfile.Dispenser, app *App) error {
	word, files := d.Token(), new(TLS)
	t := new(AdminTLS)
	app.AdminTLS = t
	if err := one(&t.Listen)(d); err != nil {
		return err
	}
	err := block(d, "admin_tls", words{
		"cert":    func(d *caddyfile.Dispenser) error { return parseCert(d, files) },
		"clients": one(&t.Clients),
	})
	if err != nil {
		return err
	}
	t.Cert, t.Key = files.Cert, files.Key
	return atWord(word, t.check())
}
