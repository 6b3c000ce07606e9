//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisOptions are how a Redis server differs from one that listens in plain on loopback and keeps what it is told.
type RedisOptions struct {
	TLS    bool     // with a certificate of its own, see Redis.TLS
	ACL    string   // rules of the user stepgate, whose password is RedisPassword; nobody else gets in
	Config []string // further lines of redis.conf, which count after the others
}

// RedisPassword is the password of the user stepgate where RedisOptions.ACL is given.
const RedisPassword = "sesame 4711"

// Redis is a real Redis server in a folder of its own.
type Redis struct {
	Addr   string      // 127.0.0.1:PORT
	Socket string      // the path of its unix socket
	TLS    *tls.Config // what a client needs to trust it, if it speaks TLS

	t       testing.TB
	port    int
	options RedisOptions
	scratch scratch
	program []string
	process *process
}

// StartRedis runs a server that writes every change to the disk.
func StartRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	r := newRedis(t, o)
	r.start()
	return r
}

// newRedis writes the configuration of a server and starts nothing.
func newRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	r := &Redis{t: t, port: FreePort(t), options: o, scratch: newScratch(t)}
	r.program = []string{"/usr/bin/redis-server", r.scratch.inside + "/redis.conf"}
	r.Addr = fmt.Sprintf("127.0.0.1:%d", r.port)
	r.Socket = r.scratch.path("redis.sock")
	lines := []string{
		"dir " + r.scratch.inside, "unixsocket " + r.scratch.inside + "/redis.sock", "bind 127.0.0.1",
		"appendonly yes", "maxmemory-policy noeviction", "daemonize no", "repl-diskless-sync-delay 0",
	}
	lines = append(lines, r.listen()...)
	lines = append(lines, r.users()...)
	r.scratch.write(t, "redis.conf", strings.Join(append(lines, o.Config...), "\n")+"\n")
	return r
}

func (r *Redis) listen() []string {
	if !r.options.TLS {
		return []string{fmt.Sprintf("port %d", r.port)}
	}
	certificate, key, trust := selfSigned(r.t)
	r.TLS = trust
	r.scratch.write(r.t, "tls.crt", certificate)
	r.scratch.write(r.t, "tls.key", key)
	return []string{
		"port 0", fmt.Sprintf("tls-port %d", r.port), "tls-auth-clients no",
		"tls-cert-file " + r.scratch.inside + "/tls.crt", "tls-key-file " + r.scratch.inside + "/tls.key",
		"tls-ca-cert-file " + r.scratch.inside + "/tls.crt",
	}
}

// users leaves the tests themselves a way in, through CLI. Nobody can be the default user, but Redis 7.0 reads its own
// append-only file with that user's rights, and would leave out the transactions.
func (r *Redis) users() []string {
	if r.options.ACL == "" {
		return nil
	}
	r.scratch.write(r.t, "users.acl", "user default off ~* &* +@all\nuser tests on >tests ~* &* +@all\n"+
		"user stepgate on #"+sha256Hex(RedisPassword)+" "+r.options.ACL+"\n")
	return []string{"aclfile " + r.scratch.inside + "/users.acl"}
}

func (r *Redis) start() {
	r.t.Helper()
	r.launch()
	r.process.wait(r.t, 20*time.Second, func() bool { return r.Try("PING") == "PONG" })
}

// launch starts the server and waits for nothing.
func (r *Redis) launch() {
	r.t.Helper()
	r.process = start(r.t, "Redis at "+r.Addr, r.scratch.command(r.program[0], r.program[1:]...))
}

// Stop ends the server in good order.
func (r *Redis) Stop() { r.process.stop() }

// Kill ends the server as a crash would.
func (r *Redis) Kill() { r.process.kill() }

// Restart starts a server that was stopped or killed, with what it had on the disk.
func (r *Redis) Restart() {
	r.t.Helper()
	os.Remove(r.Socket)
	r.start()
}

// Launch is Restart without waiting: the server may have much to load.
func (r *Redis) Launch() {
	r.t.Helper()
	os.Remove(r.Socket)
	r.launch()
}

// Pause makes the server a black hole that takes connections and bytes, until Resume.
func (r *Redis) Pause() { r.process.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (r *Redis) Resume() { r.process.cmd.Process.Signal(syscall.SIGCONT) }

// CLI runs one command in the server and returns what redis-cli prints.
func (r *Redis) CLI(args ...string) string {
	r.t.Helper()
	out, err := r.cli(args...)
	if err != nil {
		r.t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try is CLI for a server that may not be there.
func (r *Redis) Try(args ...string) string {
	out, _ := r.cli(args...)
	return out
}

func (r *Redis) cli(args ...string) (string, error) {
	how := []string{"-s", r.scratch.inside + "/redis.sock", "-e"}
	if r.options.ACL != "" {
		how = append(how, "--user", "tests", "--pass", "tests", "--no-auth-warning")
	}
	out, err := r.scratch.command("/usr/bin/redis-cli", append(how, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Log is what the server printed since it was started last.
func (r *Redis) Log() string { return r.process.out.String() }

// eventually polls until ok says yes.
func eventually(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}
