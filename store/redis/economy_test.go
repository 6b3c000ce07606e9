//go:build e2e

package redis

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
)

// info is a number of INFO.
func info(t *testing.T, r *e2e.Redis, name string) int {
	t.Helper()
	found := regexp.MustCompile(name + `[:=](\d+)`).FindStringSubmatch(r.CLI("INFO", "everything"))
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	must(t, err)
	return n
}

// TestDials: connections are kept. Each look with redis-cli is one itself.
func TestDials(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r := stored(t, s)
	before := info(t, redis, "total_connections_received")
	for range 1000 {
		_, err := s.Find(t.Context(), r.ID, time.Now())
		must(t, err)
	}
	one := info(t, redis, "total_connections_received")
	if dials := one - before - 1; dials != 0 {
		t.Errorf("%d dials for 1,000 commands one after the other", dials)
	}
	for range 3 {
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() { _, _ = s.Find(t.Context(), r.ID, time.Now()) })
		}
		all.Wait()
	}
	if dials := info(t, redis, "total_connections_received") - one - 1; dials > connections {
		t.Errorf("%d dials for 1,500 commands, 500 at once; the pool has %d", dials, connections)
	}
}

// TestRoundTrips: each step is one command, once the server has the scripts,
// and after it has lost them.
func TestRoundTrips(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r := stored(t, s)
	steps := calls(s, r)
	all := func() {
		for what, step := range steps {
			_ = step(t.Context())
			if err := works(t, s, r); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	all()
	before, evals := info(t, redis, "total_commands_processed"), info(t, redis, "cmdstat_eval:calls")
	commands := 0
	for range 10 {
		for _, step := range steps {
			_ = step(t.Context())
			commands++
		}
	}
	// What scripts do counts as well, so look at who asks: EVALSHA and SET.
	if again := info(t, redis, "cmdstat_eval:calls"); again != evals || before == 0 {
		t.Errorf("%d scripts were sent again", again-evals)
	}
	redis.CLI("SCRIPT", "FLUSH")
	all()
	if again := info(t, redis, "cmdstat_eval:calls") - evals; again == 0 || again > len(steps) {
		t.Errorf("%d scripts were sent after SCRIPT FLUSH", again)
	}
}

// TestMemory: what a session costs in all, when each belongs to somebody else.
func TestMemory(t *testing.T) {
	const people, limit = 20_000, 600
	for name, start := range map[string]func() (Options, *e2e.Redis){
		"one server": func() (Options, *e2e.Redis) {
			redis := e2e.StartRedis(t, e2e.RedisOptions{Config: []string{"appendonly no"}})
			return single(redis), redis
		},
	} {
		o, redis := start()
		s := open(t, o)
		usage := func(key string) int {
			n, err := s.client.MemoryUsage(t.Context(), key).Result()
			must(t, err)
			return int(n)
		}
		r := stored(t, s)
		if each := usage(s.keys.session(r.ID)) + usage(s.keys.index(alice)); each > limit {
			t.Errorf("%s: a session and its index take %d bytes", name, each)
		} else {
			t.Logf("%s: MEMORY USAGE of a session and its index: %d bytes", name, each)
		}
		sign := func(from, to int) {
			var all sync.WaitGroup
			for part := range 20 {
				all.Go(func() {
					for i := from + part; i < to; i += 20 {
						who := identity.Subject{Realm: "wiki", Name: fmt.Sprintf("user%06d", i)}
						if err := s.Create(t.Context(), session(who)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
		}
		sign(0, people/20) // the connections are there, and cost nothing more
		before := info(t, redis, "used_memory")
		sign(people/20, people+people/20)
		time.Sleep(200 * time.Millisecond) // a dictionary that grows is moved in the background
		each := (info(t, redis, "used_memory") - before) / people
		t.Logf("%s: %d bytes a session of used_memory, all included", name, each)
		if each > limit {
			t.Errorf("%s: a session takes %d bytes of the server's memory", name, each)
		}
	}
}
