//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child with its own folder and environment.
type process struct {
	cmd *exec.Cmd
	log string
}

// gogc is the same for all processes.
const gogc = "100"

// start runs a program, which does not outlive this one. A command that has
// an environment already, of another root, keeps it and its folder.
func start(dir string, cmd *exec.Cmd) (*process, error) {
	if cmd.Env == nil {
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "GOGC=" + gogc}
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &process{cmd: cmd, log: filepath.Join(dir, "log")}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = log, log
	return p, cmd.Start()
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// await waits until an address answers.
func (p *process) await(url string) error {
	return p.until(func() error {
		res, err := http.Get(url)
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
}

// until waits until something works.
func (p *process) until(ready func() error) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s does not answer: %w\n%s", p.cmd.Path, err, said)
		}
	}
}

// cpu is the processor time of a process, all its threads, by the kernel's
// own clock for it (clock_getcpuclockid(3)): in nanoseconds, where
// /proc/PID/stat counts ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|2), &ts)
	return time.Duration(ts.Nano()), err
}

// resident is the memory of a process that is in RAM, in bytes.
func (p *process) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, err := strconv.ParseFloat(number, 64)
	return kib * 1024, err
}

// heap is what a proxy has allocated, as its own runtime counts.
type heap struct{ objects, bytes, collections float64 }

// heap reads the metrics of a proxy's admin address.
func (p *proxy) heap() (h heap, err error) {
	res, err := http.Get(p.admin + "/metrics")
	if err != nil {
		return h, err
	}
	defer res.Body.Close()
	wanted := map[string]*float64{"go_memstats_mallocs_total": &h.objects, "go_memstats_alloc_bytes_total": &h.bytes,
		"go_gc_duration_seconds_count": &h.collections}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := wanted[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return h, err
			}
			delete(wanted, name)
		}
	}
	if len(wanted) > 0 {
		err = errors.New("the proxy's metrics lack what counts allocations")
	}
	return h, errors.Join(err, lines.Err())
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // only when all are known, or two would be the same
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
