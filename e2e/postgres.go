//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// PostgresPassword is the password of the role stepgate.
const PostgresPassword = "it's a \"pass\\word\""

const (
	postgresPrograms = "/usr/lib/postgresql/15/bin/"
	postgresUser     = 5432 // as in debian.sh: PostgreSQL refuses to run as root
)

// Postgres is a real PostgreSQL server in a folder of its own, with an empty database stepgate that belongs to the role
// stepgate.
type Postgres struct {
	Port int

	t       testing.TB
	scratch scratch
	process *process
	options []string
}

// StartPostgres runs a server. It is fast rather than durable: what it confirmed outlives the server, not the machine.
// Options are settings, as max_connections=20.
func StartPostgres(t testing.TB, options ...string) *Postgres {
	t.Helper()
	p := newPostgres(t, options...)
	template, err := postgresTemplate(p.scratch)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(p.scratch.root, template), p.scratch.path("data")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.Restart()
	return p
}

func newPostgres(t testing.TB, options ...string) *Postgres {
	t.Helper()
	p := &Postgres{Port: FreePort(t), t: t, scratch: newScratch(t), options: options}
	if err := os.Chown(p.scratch.path(""), postgresUser, postgresUser); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Postgres) data() string { return p.scratch.inside + "/data" }

// DSN names the server and the database, and no password.
func (p *Postgres) DSN() string { return p.dsn("stepgate") }

func (p *Postgres) dsn(database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=%s user=stepgate", p.Port, database)
}

// NewDatabase makes another empty database and returns its DSN.
func (p *Postgres) NewDatabase(name string) string {
	p.t.Helper()
	p.SQL(fmt.Sprintf("CREATE DATABASE %q OWNER stepgate", name))
	return p.dsn(name)
}

// SQL runs one statement in the database stepgate as the superuser, and returns the rows, columns divided by |.
func (p *Postgres) SQL(statement string) string {
	p.t.Helper()
	return p.SQLIn("stepgate", statement)
}

// SQLIn is SQL in another database.
func (p *Postgres) SQLIn(database, statement string) string {
	p.t.Helper()
	return p.run(postgresPrograms+"psql", append(p.local(), "-d", database, "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", statement)...)
}

// local is how PostgreSQL's own programs reach the server: through the socket, where everybody is trusted.
func (p *Postgres) local() []string {
	return []string{"-h", p.scratch.inside, "-p", fmt.Sprint(p.Port), "-U", "postgres"}
}

// run runs a program to its end and returns what it printed.
func (p *Postgres) run(program string, args ...string) string {
	p.t.Helper()
	out, err := asPostgres(p.scratch, program, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
	return strings.TrimSpace(string(out))
}

// asPostgres runs in a namespace for shared memory too, so that a killed server leaves none behind.
func asPostgres(s scratch, program string, args ...string) *exec.Cmd {
	cmd := s.command(program, args...)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: postgresUser, Gid: postgresUser}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWIPC
	return cmd
}

// Launch starts the server and waits for nothing.
func (p *Postgres) Launch() {
	p.t.Helper()
	args := []string{"-D", p.data()}
	for _, o := range append([]string{
		fmt.Sprintf("port=%d", p.Port), "listen_addresses=127.0.0.1", "unix_socket_directories=" + p.scratch.inside,
		"dynamic_shared_memory_type=mmap", "shared_buffers=16MB", "fsync=off", "max_wal_size=64MB",
	}, p.options...) {
		args = append(args, "-c", o)
	}
	p.process = start(p.t, fmt.Sprintf("PostgreSQL at port %d", p.Port), asPostgres(p.scratch, postgresPrograms+"postgres", args...))
}

// Restart starts a server that was stopped or killed, with what it had on the disk, and waits until it answers.
func (p *Postgres) Restart() {
	p.t.Helper()
	p.Launch()
	p.process.wait(p.t, 30*time.Second, p.answers)
}

func (p *Postgres) answers() bool {
	return asPostgres(p.scratch, postgresPrograms+"psql", append(p.local(), "-d", "stepgate", "-c", "SELECT 1")...).Run() == nil
}

// Stop ends the server in good order; connections are cut.
func (p *Postgres) Stop() {
	p.process.cmd.Process.Signal(syscall.SIGINT)
	p.process.stop()
}

// Kill ends the server and all its processes as a crash would.
func (p *Postgres) Kill() { p.process.kill() }

// Pause freezes the server and all its processes: the kernel still takes connections, and nothing answers.
func (p *Postgres) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a frozen server go on.
func (p *Postgres) Resume() { p.signal(syscall.SIGCONT) }

// Log is what the server said.
func (p *Postgres) Log() string { return p.process.out.String() }

// LimitFiles lets no file of the server grow beyond so many bytes, as a full disk would; 0 ends that. Beyond a limit
// that is no multiple of a page, a page is written in part, which the server takes for a disk without space.
func (p *Postgres) LimitFiles(bytes uint64) {
	p.t.Helper()
	limit := "unlimited"
	if bytes > 0 {
		limit = fmt.Sprint(bytes)
	}
	for _, pid := range append([]int{p.process.cmd.Process.Pid}, p.children()...) {
		cmd := exec.Command("prlimit", "--pid", fmt.Sprint(pid), "--fsize="+limit+":unlimited")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: postgresUser, Gid: postgresUser}}
		if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "No such process") {
			p.t.Fatalf("prlimit: %v\n%s", err, out)
		}
	}
}

// signal reaches the server first, which from then on starts no more processes, and then those that it has.
func (p *Postgres) signal(s syscall.Signal) {
	p.process.cmd.Process.Signal(s)
	for _, pid := range p.children() {
		syscall.Kill(pid, s)
	}
}

// children are the server's processes.
func (p *Postgres) children() (pids []int) {
	server := p.process.cmd.Process.Pid
	listed, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", server, server))
	for field := range strings.FieldsSeq(string(listed)) {
		var pid int
		fmt.Sscan(field, &pid)
		pids = append(pids, pid)
	}
	return pids
}

var postgresTemplates sync.Mutex

// postgresTemplate is a folder with a new server's files, which takes longer to make than to copy. It stays beside the
// unpacked packages.
func postgresTemplate(s scratch) (string, error) {
	postgresTemplates.Lock()
	defer postgresTemplates.Unlock()
	const template = "/var/lib/postgresql-template"
	if _, err := os.Stat(filepath.Join(s.root, template)); err == nil {
		return template, nil
	}
	made := s.inside + "/template"
	for _, step := range [][]string{
		{"initdb", "-D", made, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1",
			"--auth-local=trust", "--auth-host=scram-sha-256"},
		{"postgres", "--single", "-D", made, "-c", "dynamic_shared_memory_type=mmap", "postgres"},
	} {
		cmd := asPostgres(s, postgresPrograms+step[0], step[1:]...)
		cmd.Stdin = strings.NewReader(postgresRole())
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", step[0], err, out)
		}
	}
	err := os.Rename(s.path("template"), filepath.Join(s.root, template))
	if os.IsExist(err) { // another test program was quicker
		err = nil
	}
	return template, err
}

func postgresRole() string {
	return "CREATE ROLE stepgate LOGIN PASSWORD '" + strings.ReplaceAll(PostgresPassword, "'", "''") + "'\n" +
		"CREATE DATABASE stepgate OWNER stepgate\n"
}
