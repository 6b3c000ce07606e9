package admin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// Certificates are the files by which administrators and a gateway know each
// other over a network.
type Certificates struct {
	Cert, Key string // the gateway's own
	Clients   string // the authorities whose every certificate is an administrator's
}

// Load reads the files. There is no way in without a certificate of theirs,
// and no resumption, which would outlive one.
func (c Certificates) Load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("admin_tls: cert: %w: give the certificate and its own key in PEM", err)
	}
	text, err := os.ReadFile(c.Clients)
	if err != nil {
		return nil, fmt.Errorf("admin_tls: clients: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("admin_tls: clients: %s holds no certificate in PEM", c.Clients)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: clients, SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"}}, nil
}

// ServeTLS listens at an address until Close, for administrators with a
// certificate. The files are read for each connection, so that renewed ones
// count at once.
func ServeTLS(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("admin_tls: %w: give a free address of this machine, as :2443", err)
	}
	s := newServer(certified, func() error { return nil })
	s.serve(tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.tlsConfig}))
	return s, nil
}

func (s *Server) tlsConfig(*tls.ClientHelloInfo) (*tls.Config, error) {
	return s.use().Certificates.Load()
}

var errNoCertificate = errors.New("only who has a certificate with a common name may ask this")

// certified names who a connection's certificate was made for. It was checked
// in the handshake; that it is there is looked at twice.
func certified(r *http.Request) (Caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", errNoCertificate
	}
	cert := r.TLS.PeerCertificates[0]
	if cert.Subject.CommonName == "" {
		return "", errNoCertificate
	}
	return Caller(fmt.Sprintf("%.80q (certificate %x)", cert.Subject.CommonName, cert.SerialNumber)), nil
}
