package caddymodule

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how connections to a store are encrypted, and who the store must be.
type TLS struct {
	// CA is a file with the authorities to trust. Default: the system's.
	CA string `json:"ca,omitempty"`
	// Cert is a file with this node's certificate, if the store wants one.
	Cert string `json:"cert,omitempty"`
	// Key is the file with the certificate's key.
	Key string `json:"key,omitempty"`
	// ServerName must be in the store's certificate. Default: the address's host.
	ServerName string `json:"server_name,omitempty"`
}

func (t *TLS) check() error {
	if t != nil && (t.Cert == "") != (t.Key == "") {
		return errors.New("cert: a certificate goes with its key, as `cert node.pem node.key`")
	}
	return nil
}

// load reads the files. content changes with what they hold. Nil is no
// encryption.
func (t *TLS) load() (c *tls.Config, content string, err error) {
	if t == nil {
		return nil, "", nil
	}
	c = &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, "", fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, "", fmt.Errorf("ca: %s holds no certificate in PEM", t.CA)
		}
		content = string(text)
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, "", fmt.Errorf("cert: %w: give the certificate and its own key in PEM", err)
		}
		c.Certificates = []tls.Certificate{pair}
		content += string(bytes.Join(pair.Certificate, nil))
	}
	return c, content, nil
}
