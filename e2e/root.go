//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// debian is the folder with the unpacked consoles, made by debian.sh if it is not there.
var debian = sync.OnceValues(func() (string, error) {
	root, err := script("debian.sh")
	if err == nil {
		sweep(filepath.Join(root, "srv"))
	}
	return root, err
})

// script runs a script of this folder and returns the path it prints.
func script(name string) (string, error) {
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.Command(filepath.Join(filepath.Dir(file), name))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// checkout is the folder of the whole repository.
func checkout() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// scratch is one console's own folder. It lies inside the unpacked root, since a console that is locked into the root
// can reach no other place and nothing shall be mounted.
type scratch struct {
	root   string // of the unpacked packages
	inside string // the folder's path as the locked-in programs see it
}

func newScratch(t testing.TB) scratch {
	t.Helper()
	root, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "srv"), fmt.Sprintf("%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return scratch{root: root, inside: filepath.Join("/srv", filepath.Base(dir))}
}

// sweep removes what test programs left that were killed.
func sweep(srv string) {
	entries, _ := os.ReadDir(srv)
	for _, entry := range entries {
		pid, _, _ := strings.Cut(entry.Name(), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); err != nil {
			os.RemoveAll(filepath.Join(srv, entry.Name()))
		}
	}
}

// path is where a file of the scratch folder lies for the test itself.
func (s scratch) path(name string) string { return filepath.Join(s.root, s.inside, name) }

func (s scratch) write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// command is a program of the unpacked root, locked into it. It is the first process of a namespace of its own, so that
// what it forks cannot outlive it.
func (s scratch) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin", "HOME=/tmp", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root, Cloneflags: syscall.CLONE_NEWPID}
	return cmd
}

// php runs one PHP script of the scratch folder to its end.
func (s scratch) php(t testing.TB, name string) string {
	t.Helper()
	out, err := s.command("/usr/bin/php8.2", append(s.phpOptions(), s.inside+"/"+name)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// phpOptions make prelude.php, which each console writes, speak before the console's own configuration.
func (s scratch) phpOptions() []string {
	return []string{
		"-d", "auto_prepend_file=" + s.inside + "/prelude.php",
		"-d", "session.save_path=" + s.inside,
		"-d", "sys_temp_dir=" + s.inside,
		"-d", "upload_tmp_dir=" + s.inside,
		"-d", "display_errors=0",
		"-d", "log_errors=1",
	}
}
