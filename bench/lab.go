//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// lab is everything that runs during a measurement.
type lab struct {
	options
	scratch   string
	binary    string // Stepgate, also as bare Caddy
	oneRead   string // Caddy with one Redis read
	processes []*process
	upstream  string
	stores    *stores
	field     *field   // what requests, tls and operations share
	started   int      // folders made so far
	folders   []string // elsewhere, to be removed
}

// newLab makes the scratch folder.
func newLab(o options) (*lab, error) {
	dir, err := os.MkdirTemp("", "stepgate-bench-")
	if err != nil {
		return nil, err
	}
	// Servers that are not root's pass through it.
	return &lab{options: o, scratch: dir}, os.Chmod(dir, 0o755)
}

// close stops everything and removes the scratch folder.
func (l *lab) close() {
	l.stopAll()
	_ = os.RemoveAll(l.scratch)
}

// stopAll ends all processes, last first.
func (l *lab) stopAll() {
	if l.stores != nil {
		l.stores.close()
	}
	for i := len(l.processes) - 1; i >= 0; i-- {
		l.processes[i].stop()
	}
	for _, dir := range l.folders {
		_ = os.RemoveAll(dir)
	}
	l.processes, l.stores, l.field, l.folders = nil, nil, nil, nil
}

// stopOnInterrupt leaves neither folders nor children behind.
func (l *lab) stopOnInterrupt() {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupt
		for _, p := range l.processes {
			_ = p.cmd.Process.Kill()
		}
		for _, dir := range append(l.folders, l.scratch) {
			_ = os.RemoveAll(dir)
		}
		os.Exit(130)
	}()
}

// fresh stops what earlier parts started, and starts the upstream and empty
// stores.
func (l *lab) fresh() (err error) {
	l.stopAll()
	if l.upstream, err = l.startServer("upstream"); err != nil {
		return err
	}
	l.stores, err = l.startStores()
	return err
}

// startServer starts one of this program's own servers.
func (l *lab) startServer(role string) (address string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	p, err := l.start(role, exec.Command(self, role, address))
	if err != nil {
		return "", err
	}
	return address, p.await("http://" + address + "/")
}

// start starts a program in a folder of its own.
func (l *lab) start(name string, cmd *exec.Cmd) (*process, error) {
	l.started++
	dir := filepath.Join(l.scratch, fmt.Sprintf("%d-%s", l.started, name))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	p, err := start(dir, cmd)
	if err == nil {
		l.processes = append(l.processes, p)
	}
	return p, err
}

// build makes the binaries, as an operator would.
func (l *lab) build() error {
	l.binary, l.oneRead = filepath.Join(l.scratch, "stepgate"), filepath.Join(l.scratch, "oneread")
	for binary, from := range map[string]string{l.binary: "./cmd/stepgate", l.oneRead: "./bench/oneread"} {
		cmd := exec.Command("go", "build", "-o", binary, from)
		cmd.Dir = checkout()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", from, err, out)
		}
	}
	return nil
}

// checkout is the folder of the whole repository.
func checkout() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// keep writes a file into the folder for results, if there is one.
func (l *lab) keep(name string, write func(io.Writer)) error {
	if l.out == "" {
		return nil
	}
	var text bytes.Buffer
	write(&text)
	if err := os.MkdirAll(l.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.out, name), text.Bytes(), 0o644)
}
