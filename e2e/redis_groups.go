//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// RedisGroup is a master with two replicas, watched by three Sentinels that act after half a second.
type RedisGroup struct {
	Name      string   // what the Sentinels call it
	Sentinels []string // their addresses

	t        testing.TB
	servers  []*Redis
	watchers []*Redis
}

// StartSentinel runs such a group.
func StartSentinel(t testing.TB) *RedisGroup {
	t.Helper()
	g := &RedisGroup{Name: "mymaster", t: t}
	for i := range 3 {
		var o RedisOptions
		if i > 0 {
			o.Config = []string{fmt.Sprintf("replicaof 127.0.0.1 %d", g.servers[0].port)}
		}
		g.servers = append(g.servers, StartRedis(t, o))
	}
	for range 3 {
		g.watchers = append(g.watchers, startWatcher(t, g.Name, g.servers[0].port))
	}
	for _, w := range g.watchers {
		g.Sentinels = append(g.Sentinels, w.Addr)
	}
	eventually(t, "replicas and Sentinels that know each other", 30*time.Second, g.ready)
	return g
}

// startWatcher runs a Sentinel, which is the same program in another mode.
func startWatcher(t testing.TB, name string, master int) *Redis {
	t.Helper()
	w := newRedis(t, RedisOptions{})
	w.program = append(w.program, "--sentinel")
	w.scratch.write(t, "redis.conf", strings.Join([]string{
		"dir " + w.scratch.inside, "unixsocket " + w.scratch.inside + "/redis.sock", "bind 127.0.0.1",
		fmt.Sprintf("port %d", w.port),
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", name, master),
		"sentinel down-after-milliseconds " + name + " 500",
		"sentinel failover-timeout " + name + " 2000",
	}, "\n")+"\n")
	w.start()
	return w
}

func (g *RedisGroup) ready() bool {
	known := func(w *Redis) bool {
		info := w.Try("INFO", "sentinel")
		return strings.Contains(info, "status=ok") && strings.Contains(info, "slaves=2,sentinels=3")
	}
	synced := strings.Count(g.servers[0].Try("INFO", "replication"), "state=online") == 2
	return synced && !slices.ContainsFunc(g.watchers, func(w *Redis) bool { return !known(w) })
}

// Master is the server that the Sentinels hold for the master and that says so itself; nil while there is none.
func (g *RedisGroup) Master() *Redis {
	_, port, _ := strings.Cut(g.watchers[0].Try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", g.Name), "\n")
	for _, s := range g.servers {
		if fmt.Sprint(s.port) == port && strings.HasPrefix(s.Try("ROLE"), "master") {
			return s
		}
	}
	return nil
}

// Servers are the master and its replicas, in no order.
func (g *RedisGroup) Servers() []*Redis { return g.servers }

// Failover makes a replica the master, in good order, and waits until the Sentinels agree.
func (g *RedisGroup) Failover() {
	g.t.Helper()
	old := g.Master()
	g.watchers[0].CLI("SENTINEL", "FAILOVER", g.Name)
	eventually(g.t, "another master", 30*time.Second, func() bool { m := g.Master(); return m != nil && m != old })
}

// KillMaster crashes the master, waits for nothing, and returns it.
func (g *RedisGroup) KillMaster() *Redis {
	g.t.Helper()
	master := g.Master()
	if master == nil {
		g.t.Fatal("there is no master to kill")
	}
	master.Kill()
	return master
}

// RedisCluster is a cluster of three masters with a replica each, which act after half a second.
type RedisCluster struct {
	Addrs []string

	t       testing.TB
	servers []*Redis
}

// StartRedisCluster runs such a cluster.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{t: t}
	for range 6 {
		s := StartRedis(t, RedisOptions{Config: []string{
			"cluster-enabled yes", "cluster-node-timeout 500", fmt.Sprintf("cluster-port %d", FreePort(t)),
			"cluster-replica-validity-factor 0",
		}})
		c.servers, c.Addrs = append(c.servers, s), append(c.Addrs, s.Addr)
	}
	c.meet()
	for i, slots := range []string{"0 5461", "5462 10922", "10923 16383"} {
		c.servers[i].CLI(append([]string{"CLUSTER", "ADDSLOTSRANGE"}, strings.Fields(slots)...)...)
	}
	for i, s := range c.servers[3:] {
		id := c.servers[i].CLI("CLUSTER", "MYID")
		eventually(t, "a replica", 20*time.Second, func() bool { return s.Try("CLUSTER", "REPLICATE", id) == "OK" })
	}
	eventually(t, "a whole cluster", 30*time.Second, c.whole)
	return c
}

// meet makes the servers know each other.
func (c *RedisCluster) meet() {
	c.t.Helper()
	for i, s := range c.servers {
		s.CLI("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
	}
	first := c.servers[0]
	_, bus, _ := strings.Cut(strings.Fields(first.CLI("CLUSTER", "NODES"))[1], "@")
	for _, s := range c.servers[1:] {
		s.CLI("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(first.port), bus)
	}
	eventually(c.t, "servers that know each other", 20*time.Second, func() bool {
		return !slices.ContainsFunc(c.servers, func(s *Redis) bool {
			return !strings.Contains(s.Try("CLUSTER", "INFO"), "cluster_known_nodes:6")
		})
	})
}

func (c *RedisCluster) whole() bool {
	return !slices.ContainsFunc(c.servers, func(s *Redis) bool {
		nodes := s.Try("CLUSTER", "NODES")
		return !strings.Contains(s.Try("CLUSTER", "INFO"), "cluster_state:ok") ||
			strings.Count(nodes, "slave") != 3 || strings.Contains(nodes, "disconnected") || strings.Contains(nodes, "fail") ||
			strings.Contains(s.Try("INFO", "replication"), "master_link_status:down")
	})
}

// Servers are all servers of the cluster, in no order.
func (c *RedisCluster) Servers() []*Redis { return c.servers }

// MasterOf is the server that takes writes of a key; nil while there is none.
func (c *RedisCluster) MasterOf(key string) *Redis {
	for _, s := range c.servers {
		if _, err := s.cli("EXISTS", key); err == nil {
			return s
		}
	}
	return nil
}
