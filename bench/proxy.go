//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// proxy is one Caddy.
type proxy struct {
	*process
	admin string
	sites []addresses
}

// addresses are where a site listens, both on loopback.
type addresses struct{ http, https string }

// globalOptions are shared by all proxies. Access logs are off by default.
const globalOptions = `{
	admin %s
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	log default {
		output discard
	}
%s}
`

// startProxy runs a binary with a site for each of the directives, on plain
// HTTP and on TLS.
func (l *lab) startProxy(name, binary, global string, directives ...string) (*proxy, error) {
	ports, err := freePorts(1 + 2*len(directives))
	if err != nil {
		return nil, err
	}
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	p := &proxy{admin: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	var text strings.Builder
	fmt.Fprintf(&text, globalOptions, strings.TrimPrefix(p.admin, "http://"), global)
	for i, d := range directives {
		a := addresses{fmt.Sprintf("localhost:%d", ports[1+2*i]), fmt.Sprintf("localhost:%d", ports[2+2*i])}
		p.sites = append(p.sites, a)
		fmt.Fprintf(&text, "http://%s {\n%s\treverse_proxy %s\n}\n", a.http, d, l.upstream)
		fmt.Fprintf(&text, "https://%s {\n\ttls %s %s\n%s\treverse_proxy %s\n}\n", a.https, "cert.pem", "key.pem", d, l.upstream)
	}
	return p, p.launch(l, name, binary, text.String(), cert)
}

// launch puts a proxy's files into its folder and starts it.
func (p *proxy) launch(l *lab, name, binary, caddyfile string, cert pemPair) (err error) {
	dir, err := os.MkdirTemp(l.scratch, name+"-files-")
	if err != nil {
		return err
	}
	caddyfile = strings.ReplaceAll(caddyfile, "tls cert.pem key.pem", "tls "+filepath.Join(dir, "cert.pem")+" "+filepath.Join(dir, "key.pem"))
	for file, text := range map[string][]byte{"Caddyfile": []byte(caddyfile), "cert.pem": cert.cert, "key.pem": cert.key} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return err
		}
	}
	return p.run(l, name, binary, filepath.Join(dir, "Caddyfile"))
}

// run starts the proxy, for the first time or again.
func (p *proxy) run(l *lab, name, binary, caddyfile string) (err error) {
	p.process, err = l.start(name, exec.Command(binary, "run", "--config", caddyfile, "--adapter", "caddyfile"))
	if err != nil {
		return err
	}
	return p.await(p.admin + "/config/")
}

// restart ends the proxy as a crash would and starts it again.
func (p *proxy) restart(l *lab) error {
	args := p.cmd.Args
	p.stop()
	l.processes = slices.DeleteFunc(l.processes, func(other *process) bool { return other == p.process })
	return p.run(l, "restarted", args[0], args[3])
}

// pemPair is a certificate with its key.
type pemPair struct {
	cert, key []byte
	pool      *x509.CertPool
}

// certificate is one for localhost, signed by itself, the same for all.
var certificate = sync.OnceValues(func() (p pemPair, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return p, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	p.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	p.pool = x509.NewCertPool()
	p.pool.AppendCertsFromPEM(p.cert)
	return p, err
})

// site is the name that sessions are keyed by.
const site = "bench"

// protection has a rule of every kind, so that each request meets them all.
const protection = `	stepgate ` + site + ` {
		public /healthz /style.css /console.js /icon.svg
		logout POST /logout
		first_factor console {
			login_page /login?next={return}
			login POST /login {
				username form user
				success status 303
				success set_cookie ` + consoleCookie + `
				failure status 401
			}
			subject probe /whoami /user
			session_cookie ` + consoleCookie + `
			session_header Authorization
		}
	}
`

// takeProfile profiles a proxy under load.
func (v *variant) takeProfile(file string) error {
	const seconds = 10
	ctx, cancel := context.WithTimeout(context.Background(), (seconds+5)*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", v.proxy.admin, seconds), file)
	}()
	_, err := runAll(v.conns, time.Now().Add((seconds+1)*time.Second))
	return errors.Join(err, <-done)
}

func download(ctx context.Context, url, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
