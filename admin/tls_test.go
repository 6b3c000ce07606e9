package admin_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/identity"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(raw)
	must(t, err)
	return &authority{cert, key, pemOf("CERTIFICATE", raw)}
}

func pemOf(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}

// sign makes a certificate that change has the last word on, and its key.
func (a *authority) sign(t *testing.T, change func(*x509.Certificate)) (cert, key string) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(0x2a), Subject: pkix.Name{CommonName: "carol"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	change(template)
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	must(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(own)
	must(t, err)
	return pemOf("CERTIFICATE", raw), pemOf("PRIVATE KEY", encoded)
}

func (a *authority) client(t *testing.T, change func(*x509.Certificate)) []tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(asBytes(a.sign(t, change)))
	must(t, err)
	return []tls.Certificate{pair}
}

func asBytes(cert, key string) ([]byte, []byte) { return []byte(cert), []byte(key) }

func asIs(*x509.Certificate) {}

// port is a server over TLS, with an office behind it.
type port struct {
	*office
	address string
	admins  *authority
	files   admin.Certificates
}

func newPort(t *testing.T) *port {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	p := &port{office: newOffice(t), address: l.Addr().String(), admins: newAuthority(t)}
	must(t, l.Close())
	dir := t.TempDir()
	cert, key := p.admins.sign(t, asIs)
	p.files = admin.Certificates{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Clients: filepath.Join(dir, "clients.pem")}
	for path, text := range map[string]string{p.files.Cert: cert, p.files.Key: key, p.files.Clients: p.admins.pem} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	s, err := admin.ServeTLS(p.address)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	s.Use(admin.Use{Service: func() *admin.Service { return p.Service }, Certificates: p.files})
	p.bound(t)
	return p
}

func (p *port) config(certs []tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.admins.cert)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: certs}
}

func (p *port) lock(t *testing.T, c *tls.Config) error {
	t.Helper()
	return admin.NewTLSClient(p.address, c).Change(t.Context(), "/v1/users/lock", admin.Expected{Change: at("staff", "alice")}, new(admin.Done))
}

func (p *port) mustBeUntouched(t *testing.T, after string) {
	t.Helper()
	if s := p.shown(t); !s.LockedAt.IsZero() || len(s.Sessions) != 1 {
		t.Fatalf("%s: %+v", after, s)
	}
}

func TestAdminNeedsACertificate(t *testing.T) {
	p := newPort(t)
	past := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }
	later := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	old := p.config(p.admins.client(t, asIs))
	old.MaxVersion = tls.VersionTLS12
	for name, c := range map[string]*tls.Config{
		"none": p.config(nil), "another authority's": p.config(newAuthority(t).client(t, asIs)), "one that expired": p.config(p.admins.client(t, past)),
		"one of tomorrow": p.config(p.admins.client(t, later)), "a server's": p.config(p.admins.client(t, server)), "TLS 1.2": old,
	} {
		if err := p.lock(t, c); err == nil {
			t.Errorf("%s: she is locked out", name)
		}
		p.mustBeUntouched(t, name)
	}
	nameless := p.config(p.admins.client(t, func(c *x509.Certificate) { c.Subject = pkix.Name{} }))
	mustFail(t, p.lock(t, nameless), "a common name")
	p.mustBeUntouched(t, "a certificate without a name")

	must(t, p.lock(t, p.config(p.admins.client(t, asIs))))
	if p.shown(t).LockedAt.IsZero() {
		t.Error("with a good certificate she is not locked")
	}
	trail, err := p.store.Audit().Find(t.Context(), alice, "", 1)
	must(t, err)
	if who := trail[0].Reasons[0].Detail; who != `"carol" (certificate 2a)` {
		t.Errorf("the trail names %s", who)
	}
}

// A name in a certificate cannot look like another's in the trail.
func TestAdminCertificateNames(t *testing.T) {
	p := newPort(t)
	forged := func(c *x509.Certificate) { c.Subject.CommonName = "root (uid 0)\" (certificate 1)\x1b[2J" }
	must(t, p.lock(t, p.config(p.admins.client(t, forged))))
	trail, err := p.store.Audit().Find(t.Context(), alice, "", 1)
	must(t, err)
	if who := trail[0].Reasons[0].Detail; who != `"root (uid 0)\" (certificate 1)\x1b[2J" (certificate 2a)` {
		t.Errorf("the trail names %s", who)
	}
}

func TestAdminIsNeverPlain(t *testing.T) {
	p := newPort(t)
	c, err := net.Dial("tcp", p.address)
	must(t, err)
	defer func() { _ = c.Close() }()
	must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	body := `{"realm":"staff","name":"alice","why":"x"}`
	_, err = io.WriteString(c, "POST /v1/users/lock HTTP/1.1\r\nHost: "+p.address+"\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n"+body)
	must(t, err)
	if line, _ := bufio.NewReader(c).ReadString('\n'); strings.Contains(line, "200") {
		t.Error(line)
	}
	p.mustBeUntouched(t, "plain HTTP")
}

// An authority that is taken out of the file counts no longer, at once.
func TestAdminAuthorityChanges(t *testing.T) {
	p := newPort(t)
	carol := p.config(p.admins.client(t, asIs))
	look := func() error {
		return admin.NewTLSClient(p.address, carol).Look(t.Context(), "/v1/users", url.Values{"realm": {"staff"}}, new(admin.Page))
	}
	must(t, look())
	keeping := &http.Client{Transport: &http.Transport{TLSClientConfig: carol}} // unlike our own client
	defer keeping.CloseIdleConnections()
	kept := func() (int, error) {
		res, err := keeping.Get("https://" + p.address + "/v1/users?realm=staff")
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, errors.Join(err, res.Body.Close())
	}
	if status, err := kept(); status != http.StatusOK {
		t.Fatal(status, err)
	}
	must(t, os.WriteFile(p.files.Clients, []byte(newAuthority(t).pem), 0o600))
	if status, err := kept(); err == nil {
		t.Errorf("the authority is gone, and a connection that it once let in gets %d", status)
	}
	if look() == nil {
		t.Error("the authority is gone, and its certificate lets in")
	}
	must(t, os.WriteFile(p.files.Clients, []byte("nothing"), 0o600))
	if look() == nil {
		t.Error("without any authority a certificate lets in")
	}
}

// What pages in an administrator's browser can make it send, with the
// certificate that is installed there, and over the socket for good measure.
func TestAdminRefusesBrowsers(t *testing.T) {
	p := newPort(t)
	path := filepath.Join(folder(t), "a.sock")
	serve(t, path).Use(admin.Use{Service: func() *admin.Service { return p.Service }})
	overTLS := &http.Client{Transport: &http.Transport{TLSClientConfig: p.config(p.admins.client(t, asIs)), DisableKeepAlives: true}}
	overSocket := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	for base, client := range map[string]*http.Client{"https://" + p.address: overTLS, "http://stepgate": overSocket} {
		for name, header := range map[string]http.Header{
			"a form":            {"Origin": {"https://evil.test"}, "Content-Type": {"text/plain"}},
			"a form of nobody":  {"Origin": {"null"}, "Content-Type": {"application/json"}},
			"a script":          {"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}, "Content-Type": {"application/json"}},
			"our own page":      {"Origin": {base}, "Content-Type": {"application/json"}},
			"without an origin": {"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"navigate"}, "Content-Type": {"application/json"}},
			"a link":            {"Referer": {"https://evil.test/"}, "Content-Type": {"application/json"}},
			"no kind":           {},
			"a form's kind":     {"Content-Type": {"application/x-www-form-urlencoded"}},
			"text":              {"Content-Type": {"text/plain; charset=application/json"}},
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/users/lock", strings.NewReader(`{"realm":"staff","name":"alice","why":"x"}`))
			must(t, err)
			r.Header = header
			res, err := client.Do(r)
			must(t, err)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: %s", base, name, res.Status)
			}
			p.mustBeUntouched(t, name)
		}
	}
	if trail, _ := p.store.Audit().Find(t.Context(), identity.Subject{}, "", 10); len(trail) != 1 {
		t.Errorf("something was begun: %+v", trail)
	}
}
