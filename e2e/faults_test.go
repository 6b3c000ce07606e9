//go:build e2e

package e2e

import (
	"testing"
)

// everywhere puts the same fault on each node's wire.
func everywhere(wires []*Wire, f Fault) {
	for _, w := range wires {
		w.Set(f)
	}
}

// redisFaults are what happens to the store of sessions.
func redisFaults(e *Estate) []trial {
	r := e.Redis
	admin := func(args ...string) func() { return func() { r.CLI(args...) } }
	return []trial{
		{name: "killed", closed: true, begin: r.Kill, end: r.Launch},
		{name: "black hole", closed: true, begin: r.Pause, end: r.Resume},
		{name: "wrong password", closed: true, begin: func() {
			r.CLI("ACL", "SETUSER", "stepgate", "resetpass", ">another")
			r.CLI("CLIENT", "KILL", "USER", "stepgate")
		}, end: admin("ACL", "SETUSER", "stepgate", "resetpass", ">"+RedisPassword)},
		{name: "loading", closed: true,
			begin: func() { everywhere(e.ToRedis, Fault{Answer: "LOADING Redis is loading the dataset in memory"}) },
			end:   func() { everywhere(e.ToRedis, Fault{}) }},
		{name: "read-only replica", begin: admin("REPLICAOF", "127.0.0.1", "1"), end: admin("REPLICAOF", "NO", "ONE")},
		{name: "out of memory", begin: admin("CONFIG", "SET", "maxmemory", "1mb"), end: admin("CONFIG", "SET", "maxmemory", "0")},
		{name: "FLUSHALL", closed: true, forgets: true, begin: admin("FLUSHALL"), end: func() {}},
	}
}

func TestFaultsRedis(t *testing.T) {
	e := StartEstate(t, 2)
	for _, f := range redisFaults(e) {
		t.Run(f.name, func(t *testing.T) { e.try(t, f) })
	}
}
