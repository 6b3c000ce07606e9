//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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

// commands are how often each command ran since the start, but for those of
// our own questions.
func (s *stores) commands() (map[string]int, error) {
	said, err := s.info("commandstats")
	if err != nil {
		return nil, err
	}
	calls := make(map[string]int)
	for name, value := range said {
		name = strings.TrimPrefix(name, "cmdstat_")
		if name == "info" || strings.HasPrefix(name, "client") || strings.HasPrefix(name, "hello") {
			continue
		}
		count, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		if calls[name], err = strconv.Atoi(count); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// usedMemory is what Redis has allocated, in bytes.
func (s *stores) usedMemory() (float64, error) {
	said, err := s.info("memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(said["used_memory"], 64)
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
