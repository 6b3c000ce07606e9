//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// info reads one section of what Redis tells about itself.
func (s *stores) info(section string) (map[string]string, error) {
	text, err := s.redis.Info(context.Background(), section).Result()
	if err != nil {
		return nil, err
	}
	said := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	return said, nil
}

// listen counts the commands that Redis gets until stop, by name; those that
// its scripts run count apart, after "in scripts: ".
func (s *stores) listen() (stop func() (map[string]int, error), err error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	calls := make(map[string]int)
	done := make(chan error)
	go func() { done <- countLines(conn, calls) }()
	return func() (map[string]int, error) {
		err := conn.SetReadDeadline(time.Now())
		if counted := <-done; !errors.Is(counted, os.ErrDeadlineExceeded) {
			err = errors.Join(err, counted)
		}
		return calls, errors.Join(err, conn.Close())
	}, nil
}

// countLines reads lines such as
//
//	+1339518083.107412 [0 127.0.0.1:60866] "get" "key"
//	+1339518083.107413 [0 lua] "hget" "key" "field"
func countLines(conn net.Conn, calls map[string]int) error {
	in := bufio.NewReaderSize(conn, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		_, said, ok := strings.Cut(line, " [")
		from, command, _ := strings.Cut(said, "] \"")
		name, _, _ := strings.Cut(command, "\"")
		switch {
		case !ok: // +OK
		case strings.HasSuffix(from, "lua"):
			calls["in scripts: "+strings.ToLower(name)]++
		default:
			calls[strings.ToLower(name)]++
		}
	}
}

// usedMemory is what Redis has allocated for its keys, in bytes: all but what
// comes and goes with connections.
func (s *stores) usedMemory() (bytes float64, err error) {
	said, err := s.info("memory")
	if err != nil {
		return 0, err
	}
	for name, sign := range map[string]float64{"used_memory": 1, "mem_clients_normal": -1, "mem_aof_buffer": -1} {
		part, err := strconv.ParseFloat(said[name], 64)
		if err != nil {
			return 0, err
		}
		bytes += sign * part
	}
	return bytes, nil
}

// transactions are those of PostgreSQL since the start, in this database.
func (s *stores) transactions() (n int, err error) {
	err = s.sql.QueryRow(`SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`).Scan(&n)
	return n, err
}

// storeVersions names the stores, if they were started.
func (l *lab) storeVersions() string {
	if l.stores == nil {
		return "no stores"
	}
	said, err := l.stores.info("server")
	if err != nil {
		return "no Redis"
	}
	var version string
	if err := l.stores.sql.QueryRow(`SHOW server_version`).Scan(&version); err != nil {
		return "no PostgreSQL"
	}
	version, _, _ = strings.Cut(version, " ")
	return fmt.Sprintf("Redis %s, PostgreSQL %s", said["redis_version"], version)
}
