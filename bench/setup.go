//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// variant is one way for a request to take.
type variant struct {
	name    string
	proxy   *process // nil: straight to the upstream
	address string
	conns   []*conn
}

// setup is everything that runs during a measurement.
type setup struct {
	scratch   string
	binary    string
	processes []*process

	bare, control, stepgate, beside, direct *variant
}

// newSetup makes the scratch folder.
func newSetup() (*setup, error) {
	dir, err := os.MkdirTemp("", "stepgate-bench-")
	return &setup{scratch: dir}, err
}

// start builds the binary, starts upstream and proxies, signs in, and opens
// the connections.
func (b *setup) start() (err error) {
	b.binary = filepath.Join(b.scratch, "stepgate")
	if err := build(b.binary); err != nil {
		return err
	}
	p, err := freePorts(8)
	if err != nil {
		return err
	}
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", p[i]) }
	if err := b.startUpstream(address(0)); err != nil {
		return err
	}
	bare, err := b.startProxy("bare", address(1), site(address(2), "", address(0)))
	if err != nil {
		return err
	}
	control, err := b.startProxy("control", address(3), site(address(4), "", address(0)))
	if err != nil {
		return err
	}
	sites := site(address(6), protection, address(0)) + site(address(7), "", address(0))
	guarded, err := b.startProxy("guarded", address(5), sites)
	if err != nil {
		return err
	}
	cookies, err := signIn("http://" + address(6))
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	b.bare = &variant{name: "bare Caddy", proxy: bare, address: address(2)}
	b.control = &variant{name: "control", proxy: control, address: address(4)}
	b.stepgate = &variant{name: "stepgate", proxy: guarded, address: address(6)}
	b.beside = &variant{name: "beside", proxy: guarded, address: address(7)}
	b.direct = &variant{name: "no proxy", address: address(0)}
	for _, v := range b.variants() {
		if v.conns, err = dial(v.address, cookies); err != nil {
			return err
		}
	}
	return nil
}

func (b *setup) variants() []*variant {
	return []*variant{b.bare, b.control, b.stepgate, b.beside, b.direct}
}

// close closes the connections.
func (b *setup) close() {
	for _, v := range b.variants() {
		for _, c := range v.conns {
			_ = c.Close()
		}
	}
}

// stop ends the processes and removes the scratch folder.
func (b *setup) stop() {
	for _, p := range b.processes {
		p.stop()
	}
	_ = os.RemoveAll(b.scratch)
}

// stopOnInterrupt leaves no scratch folder behind; the children end with us.
func (b *setup) stopOnInterrupt() {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupt
		_ = os.RemoveAll(b.scratch)
		os.Exit(130)
	}()
}

// site is one site of a Caddyfile.
func site(address, directives, upstream string) string {
	return fmt.Sprintf("http://%s {\n%s\treverse_proxy %s\n}\n", address, directives, upstream)
}

// protection has a rule of every kind, so that each request meets them all.
const protection = `	stepgate bench {
		public /healthz /style.css /console.js /icon.svg
		logout POST /logout
		first_factor console {
			login_page /login?next={return}
			login POST /login {
				username form user
				success status 303
				success set_cookie console_session
				failure status 401
			}
			subject probe /whoami /user
			session_cookie console_session
			session_header Authorization
		}
	}
`

// globalOptions are shared by all proxies. Access logs are off by default.
const globalOptions = `{
	admin %s
	persist_config off
	auto_https off
	log default {
		output discard
	}
}
`

func (b *setup) startProxy(name, admin, sites string) (*process, error) {
	dir := filepath.Join(b.scratch, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(globalOptions, admin)+sites), 0o600); err != nil {
		return nil, err
	}
	p, err := start(dir, b.binary, "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	p.admin = "http://" + admin
	b.processes = append(b.processes, p)
	return p, p.await(p.admin + "/config/")
}

func (b *setup) startUpstream(address string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := start(b.scratch, self, upstreamRole, address)
	if err != nil {
		return err
	}
	b.processes = append(b.processes, p)
	return p.await("http://" + address + "/")
}

// takeProfile profiles the proxy with Stepgate under load.
func (b *setup) takeProfile(file string) error {
	const seconds = 10
	ctx, cancel := context.WithTimeout(context.Background(), (seconds+5)*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", b.stepgate.proxy.admin, seconds), file)
	}()
	_, err := b.slice(b.stepgate, (seconds+1)*time.Second)
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
