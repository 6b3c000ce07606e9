//go:build e2e

package redis

import (
	"strings"
	"testing"

	"github.com/stepgate/stepgate/e2e"
)

// TestCheck says what an operator should change, also to a user who may not
// see the configuration.
func TestCheck(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{ACL: rights(t)})
	o := Options{Addrs: []string{redis.Addr}, Username: "stepgate", Password: e2e.RedisPassword}
	for _, may := range []string{"-config", "+config"} {
		redis.CLI("ACL", "SETUSER", "stepgate", may)
		redis.CLI("CONFIG", "SET", "maxmemory-policy", "noeviction", "appendonly", "yes")
		warned(t, open(t, o))
		redis.CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "appendonly", "no", "save", "")
		warned(t, open(t, o), "maxmemory-policy", "appendonly")
	}
	redis.CLI("CONFIG", "SET", "maxmemory-policy", "noeviction", "save", "60 1")
	warned(t, open(t, o))
	redis.Kill()
	if warnings, err := open(t, o).Check(t.Context()); err == nil {
		t.Errorf("a server that is down: %q", warnings)
	}
}

func TestCheckGroups(t *testing.T) {
	g := e2e.StartSentinel(t)
	s := open(t, Options{Addrs: g.Sentinels, Sentinel: g.Name})
	warned(t, s, "min-replicas-to-write")
	g.Master().CLI("CONFIG", "SET", "min-replicas-to-write", "1")
	warned(t, s)
	c := e2e.StartRedisCluster(t)
	cluster := open(t, Options{Addrs: c.Addrs, Cluster: true})
	warned(t, cluster)
	c.MasterOf("k").CLI("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	warned(t, cluster, "maxmemory-policy")
}

// warned: as many warnings as words, each with one of them.
func warned(t *testing.T, s *Store, words ...string) {
	t.Helper()
	warnings, err := s.Check(t.Context())
	must(t, err)
	all := strings.Join(warnings, "\n")
	for _, word := range words {
		if !strings.Contains(all, word) {
			t.Errorf("no warning says %q:\n%s", word, all)
		}
	}
	if len(warnings) != len(words) {
		t.Errorf("%d warnings, want %d:\n%s", len(warnings), len(words), all)
	}
}
