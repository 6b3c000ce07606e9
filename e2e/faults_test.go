//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// everywhere puts the same fault on each node's wire.
func everywhere(wires []*Wire, f Fault) func() {
	return func() {
		for _, w := range wires {
			w.Set(f)
		}
	}
}

const isLoading = "LOADING Redis is loading the dataset in memory"

// redisFaults are what happens to the store of sessions.
func redisFaults(e *Estate) []trial {
	r := e.Redis
	admin := func(args ...string) func() { return func() { r.CLI(args...) } }
	return []trial{
		{name: "killed", closed: all, begin: r.Kill, end: r.Launch},
		{name: "black hole", closed: all, begin: r.Pause, end: r.Resume},
		{name: "one node cut off", closed: func(node int) bool { return node == 1 },
			begin: everywhere(e.ToRedis[1:], Fault{Hole: true}), end: everywhere(e.ToRedis[1:], Fault{})},
		{name: "wrong password", closed: all, begin: func() {
			r.CLI("ACL", "SETUSER", "stepgate", "resetpass", ">another")
			r.CLI("CLIENT", "KILL", "USER", "stepgate")
		}, end: admin("ACL", "SETUSER", "stepgate", "resetpass", ">"+RedisPassword)},
		{name: "read-only replica", closed: none, begin: admin("REPLICAOF", "127.0.0.1", "1"), end: admin("REPLICAOF", "NO", "ONE")},
		{name: "out of memory", closed: none, begin: admin("CONFIG", "SET", "maxmemory", "1mb"), end: admin("CONFIG", "SET", "maxmemory", "0")},
		{name: "FLUSHALL", closed: all, forgets: true, begin: admin("FLUSHALL"), end: func() {}},
		{name: "down at start", closed: all, early: true, begin: func() {
			r.Kill()
			for _, g := range e.Gateways {
				g.Restart()
			}
		}, end: r.Launch},
	}
}

func TestFaultsRedis(t *testing.T) {
	e := StartEstate(t, 2)
	for _, f := range redisFaults(e) {
		t.Run(f.name, func(t *testing.T) { e.try(t, f) })
	}
}

// postgresFaults are what happens to the store of accounts.
func postgresFaults(t *testing.T, e *Estate) []trial {
	p := e.Postgres
	return []trial{
		{name: "SQL killed", closed: none, begin: p.Kill, end: p.Launch},
		{name: "SQL disk full", closed: none, begin: func() { fillDisk(t, p) }, end: func() { p.LimitFiles(0) }},
		{name: "SQL down at start", closed: all, early: true, begin: func() {
			p.Stop()
			for _, g := range e.Gateways {
				g.Restart()
			}
		}, end: p.Launch},
	}
}

// fillDisk leaves the audit trail half a page more than it has, and uses up what is free in it. A file of the log of
// PostgreSQL has 1 MiB, so the trail has to be larger.
func fillDisk(t *testing.T, p *Postgres) {
	const filler = "INSERT INTO audit (at, event, site, realm, name, reasons, reference, address, browser) " +
		"SELECT 0, '', '', '', '', '', repeat('x', %d), '', '' FROM generate_series(1, %d)"
	p.SQL(fmt.Sprintf(filler, 500, 5000))
	var size uint64
	if _, err := fmt.Sscan(p.SQL("SELECT pg_relation_size('audit')"), &size); err != nil {
		t.Fatal(err)
	}
	p.LimitFiles(size + 4096)
	// What is left in a page must be too little for the shortest record.
	p.SQL("DO $$ BEGIN FOR i IN 1..50000 LOOP " +
		"BEGIN " + fmt.Sprintf(filler, 0, 1) + "; EXCEPTION WHEN disk_full THEN RETURN; END; " +
		"END LOOP; RAISE 'there is room'; END $$")
}

func TestFaultsPostgres(t *testing.T) {
	e := StartEstate(t, 2)
	for _, f := range postgresFaults(t, e) {
		t.Run(f.name, func(t *testing.T) { e.try(t, f) })
	}
}

// TestLongFaults are those in which most answers take as long as they may.
func TestLongFaults(t *testing.T) {
	e := StartEstate(t, 2)
	slow := Fault{Delay: 5 * time.Second}
	for _, f := range []trial{
		{name: "loading", closed: all, begin: everywhere(e.ToRedis, Fault{Answer: isLoading}), end: everywhere(e.ToRedis, Fault{})},
		{name: "slow", closed: all, begin: everywhere(e.ToRedis, slow), end: everywhere(e.ToRedis, Fault{})},
		{name: "cut off", closed: all, begin: everywhere(e.ToRedis, Fault{Hole: true}), end: everywhere(e.ToRedis, Fault{})},
		{name: "SQL black hole", closed: none, begin: e.Postgres.Pause, end: e.Postgres.Resume},
		{name: "SQL slow", closed: none, begin: everywhere(e.ToSQL, slow), end: everywhere(e.ToSQL, Fault{})},
		{name: "SQL cut off", closed: none, begin: everywhere(e.ToSQL, Fault{Hole: true}), end: everywhere(e.ToSQL, Fault{})},
	} {
		t.Run(f.name, func(t *testing.T) { e.try(t, f) })
	}
}

// TestFaultsPostgresPair: the standby takes over, and knows all that was confirmed.
func TestFaultsPostgresPair(t *testing.T) {
	pair := StartPostgresPair(t)
	e := &Estate{Desk: StartDesk(t), Redis: StartRedis(t, RedisOptions{}), Postgres: pair.Primary}
	e.Gateways = startEstate(t, 2, e.Desk, func() (string, string) { return e.Redis.Addr, pair.DSN() + " target_session_attrs=read-write" })
	e.try(t, trial{name: "SQL failed over", closed: none, begin: pair.Primary.Kill, end: pair.Promote})
}

// TestFaultsLostWrites: Sentinels promote a replica that has not seen the last minute. What ended in it stays so.
func TestFaultsLostWrites(t *testing.T) {
	group := StartSentinel(t)
	e := &Estate{Desk: StartDesk(t), Redis: group.Master(), Postgres: StartPostgres(t)}
	e.Gateways = startEstate(t, 2, e.Desk, func() (string, string) {
		return strings.Join(group.Sentinels, " ") + " {\n\t\t\tsentinel " + group.Name + "\n\t\t}", e.Postgres.DSN()
	})
	replicas := group.behind()
	e.try(t, trial{name: "failed over", closed: none, early: true, forgets: true,
		begin: func() {
			for _, s := range replicas {
				s.Pause()
			}
			group.Master().CLI("CLIENT", "KILL", "TYPE", "replica")
		},
		end: func() {
			group.KillMaster()
			for _, s := range replicas {
				s.Resume()
			}
			eventually(t, "another master", 20*time.Second, func() bool { m := group.Master(); return m != nil && m != e.Redis })
			e.Redis = group.Master()
		}})
}

// behind are the replicas.
func (g *RedisGroup) behind() (replicas []*Redis) {
	for _, s := range g.servers {
		if s != g.Master() {
			replicas = append(replicas, s)
		}
	}
	return replicas
}
