//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestHarnessRedis(t *testing.T) {
	for name, o := range map[string]RedisOptions{
		"plain": {}, "TLS": {TLS: true}, "ACL": {ACL: "~stepgate* &stepgate* +@all"},
	} {
		r := StartRedis(t, o)
		r.CLI("SET", "k", "v")
		r.Kill()
		if got := r.Try("PING"); got == "PONG" {
			t.Errorf("%s: a killed server answers", name)
		}
		r.Restart()
		if got := r.CLI("GET", "k"); got != "v" {
			t.Errorf("%s: after a crash k is %q", name, got)
		}
		r.Stop()
	}
}

func TestHarnessRedisSentinel(t *testing.T) {
	g := StartSentinel(t)
	first := g.Master()
	first.CLI("SET", "k", "v")
	g.Failover()
	second := g.Master()
	if second == first {
		t.Fatal("the master is the same after a failover")
	}
	g.KillMaster()
	eventually(t, "a third master", 20*time.Second, func() bool { m := g.Master(); return m != nil && m != second })
	if got := g.Master().CLI("GET", "k"); got != "v" {
		t.Errorf("after two failovers k is %q", got)
	}
}

func TestHarnessRedisCluster(t *testing.T) {
	c := StartRedisCluster(t)
	victim := c.MasterOf("k")
	victim.CLI("SET", "k", "v")
	victim.Kill()
	eventually(t, "another master", 20*time.Second, func() bool { m := c.MasterOf("k"); return m != nil && m != victim })
	if got := c.MasterOf("k").CLI("GET", "k"); got != "v" {
		t.Errorf("after a failover k is %q", got)
	}
	if info := c.MasterOf("k").CLI("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
		t.Error(info)
	}
}
