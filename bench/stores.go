//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/seal"
	redisstore "github.com/stepgate/stepgate/store/redis"
)

// stores are the shared stores, our own clients of them, and the folder of
// the master keys.
type stores struct {
	address  string
	dsn      string
	keys     string
	ring     *seal.Ring
	sessions *redisstore.Store
	redis    *redis.Client
	sql      *sql.DB
}

// startStores starts private servers, or takes those of the flags.
func (l *lab) startStores() (s *stores, err error) {
	s = &stores{address: l.options.redis, dsn: l.options.postgres}
	if s.address == "" {
		if err := l.startServers(s); err != nil {
			return nil, err
		}
	}
	if s.keys, s.ring, err = newKeys(l.scratch); err != nil {
		return nil, err
	}
	s.redis = redis.NewClient(&redis.Options{Addr: s.address, PoolSize: 64, ReadTimeout: time.Minute})
	if s.sessions, err = redisstore.Open(redisstore.Options{Addrs: []string{s.address}}); err != nil {
		return nil, err
	}
	s.sql, err = sql.Open("pgx", s.dsn)
	return s, err
}

func (s *stores) close() {
	_ = s.sessions.Close()
	_ = s.redis.Close()
	_ = s.sql.Close()
}

// options are the lines of a Caddyfile that make a gateway use them.
func (s *stores) options() string {
	return fmt.Sprintf("\tstepgate {\n\t\tkeys %s\n\t\tsessions redis %s\n\t\taccounts postgres %q\n\t}\n", s.keys, s.address, s.dsn)
}

// startServers starts Redis, which writes what it did once a second, and
// PostgreSQL as Debian sets it up, in the unpacked packages.
func (l *lab) startServers(s *stores) error {
	root, err := debian()
	if err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "srv"), fmt.Sprintf("%d-", os.Getpid()))
	if err != nil {
		return err
	}
	l.folders = append(l.folders, dir)
	inside := strings.TrimPrefix(dir, root)
	s.address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	redis := locked(root, 0, "/usr/bin/redis-server", "--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--dir", inside,
		"--save", "", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--maxmemory-policy", "noeviction")
	if _, err := l.start("redis", redis); err != nil {
		return err
	}
	return l.startPostgres(s, root, inside, ports[1])
}

// postgresUser is as in debian.sh: PostgreSQL does not run as root.
const postgresUser = 5432

func (l *lab) startPostgres(s *stores, root, inside string, port int) error {
	const bin = "/usr/lib/postgresql/15/bin/"
	if err := os.Chown(root+inside, postgresUser, postgresUser); err != nil {
		return err
	}
	out, err := locked(root, postgresUser, bin+"initdb", "-D", inside+"/pg", "-U", "stepgate", "--auth=trust", "--locale=C", "--encoding=UTF8").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	s.dsn = fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres user=stepgate sslmode=disable", port)
	p, err := l.start("postgres", locked(root, postgresUser, bin+"postgres", "-D", inside+"/pg", "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap"))
	if err != nil {
		return err
	}
	return p.until(func() error { return answers(s.dsn) })
}

func answers(dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

// debian is the folder of the unpacked packages.
func debian() (string, error) {
	if os.Getuid() != 0 {
		return "", errors.New("only root can start Redis and PostgreSQL from Debian's packages; name running ones with -redis and -postgres")
	}
	cmd := exec.Command(filepath.Join(checkout(), "e2e", "debian.sh"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// locked is a program of the unpacked packages, the first process of a
// namespace of its own, so that what it forks ends with it.
func locked(root string, user int, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin", "HOME=/tmp", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	return cmd
}
