//go:build e2e

package e2e

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// launches is served by one thread that lives as long as the tests: the kernel's parent-death signal goes off when the
// thread that started a child ends, not when the process does.
var launches = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for launch := range launches {
			launch()
		}
	}()
}

// process is a program that a test started. It and all its children end with the test, or with the test program if
// that dies first.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{}
}

// start runs cmd in a process group of its own and keeps what it prints.
func start(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.WaitDelay = time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := launch(cmd); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("what %s said last:\n%s", name, p.out.tail(8000))
		}
	})
	return p
}

func launch(cmd *exec.Cmd) error {
	started := make(chan error)
	launches <- func() { started <- cmd.Start() }
	return <-started
}

// kill ends the whole group at once, as a crash would.
func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end, as a service manager does, and kills it when it does not.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
	}
	p.kill()
}

// wait polls until ready says yes. A process that ends before is a failure.
func (p *process) wait(t testing.TB, limit time.Duration, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ready(); {
		select {
		case <-p.done:
			t.Fatalf("%s ended: %v\n%s", p.name, p.cmd.ProcessState, p.out.tail(8000))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready after %v\n%s", p.name, limit, p.out.tail(8000))
		}
	}
}

// output collects what a process prints while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) tail(n int) string {
	s := o.String()
	return s[max(0, len(s)-n):]
}
