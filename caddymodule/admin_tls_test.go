package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// certify writes a certificate, its key, and the authority that signed it.
func certify(t *testing.T, cert, key, ca string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	own := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "carol"}, DNSNames: []string{"localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	for path, template := range map[string]*x509.Certificate{ca: authority, cert: own} {
		raw, err := x509.CreateCertificate(rand.Reader, template, authority, signer.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})))
	}
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// The commands reach a gateway over TLS, across reloads; and no port is there
// before and after.
func TestAdminTLSCommands(t *testing.T) {
	g := newGate(t)
	_, port, _ := net.SplitHostPort(freeAddress(t))
	address := "localhost:" + port
	in := func(name string) string { return filepath.Join(g.home, name) }
	certify(t, in("own.pem"), in("own.key"), in("ca.pem"))
	certify(t, in("foreign.pem"), in("foreign.key"), in("foreign-ca.pem"))
	as := func(who string, more ...string) []string {
		return append([]string{"--server", address, "--cert", in(who + ".pem"), "--key", in(who + ".key"), "--ca", in("ca.pem")}, more...)
	}
	g.mustRefuse("admin_tls", as("own", "list")...)
	words := fmt.Sprintf("admin_tls %s {\n cert %s %s\n clients %s\n}", address, in("own.pem"), in("own.key"), in("ca.pem"))
	g.mustLoad(words)
	lock := []string{"lock", "alice", "--new", "--why", "left"}
	g.mustRefuse("signed your certificate", as("foreign", lock...)...)
	g.mustRefuse("say who you are", append([]string{"--server", address}, lock...)...)
	mustSay(t, g.mustDo(as("own", lock...)...), "alice is locked out")
	g.mustLoad(words + "\nbrand Other")
	mustSay(t, g.mustDo(as("own", "show", "alice")...), `"carol" (certificate 7)`)
	mustSay(t, g.refused(words+"\nkeys "+in("none")), "none")
	g.mustDo(as("own", "list")...)
	mustSay(t, g.refused(fmt.Sprintf("admin_tls %s {\n cert %s %s\n clients %s\n}", address, in("own.pem"), in("own.key"), in("none.pem"))), "clients: ")
	g.mustLoad("brand Test")
	g.mustRefuse("admin_tls", as("own", "list")...)
	mustSay(t, g.mustDo("show", "alice"), "locked")
}
