//go:build e2e

package redis

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/sessions"
)

// hearer is what one node heard last, and how its subscriptions end.
type hearer struct {
	store *Store
	mu    sync.Mutex
	last  map[int]sessions.Entry
	ended []sessions.ID
}

// hear subscribes until the subscription ends, and sends why.
func (h *hearer) hear(ctx context.Context) <-chan error {
	over := make(chan error, 1)
	go func() {
		over <- h.store.Hear(ctx, func(e sessions.Entry) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.last[e.Line], h.ended = e, append(h.ended, e.Ended...)
		})
	}()
	return over
}

func newHearer(s *Store) *hearer { return &hearer{store: s, last: map[int]sessions.Entry{}} }

// place is what a beat tells of the line of alice's sessions, once one is heard.
func (h *hearer) place(t *testing.T) sessions.Entry {
	t.Helper()
	for from := time.Now(); time.Since(from) < recovery; time.Sleep(20 * time.Millisecond) {
		mark := uint64(time.Now().UnixNano())
		if h.store.Beat(t.Context(), mark) != nil {
			continue
		}
		time.Sleep(20 * time.Millisecond)
		h.mu.Lock()
		last := h.last[h.store.keys.line(sessions.ShardOf(alice))]
		h.mu.Unlock()
		if last.Mark == mark {
			return last
		}
	}
	t.Fatal("no beat is heard")
	return sessions.Entry{}
}

// TestLogAfterLoss: whatever lost entries, the log has another name.
func TestLogAfterLoss(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	h := newHearer(s)
	h.hear(t.Context())
	_, err := s.End(t.Context(), stored(t, s).ID)
	must(t, err)
	before := h.place(t)
	redis.CLI("FLUSHALL")
	flushed := h.place(t)
	if before.Number != 1 || flushed.Number != 0 || flushed.Log == before.Log {
		t.Errorf("before %+v, after FLUSHALL %+v", before, flushed)
	}
	over := h.hear(t.Context())
	h.place(t)
	redis.Kill()
	if err := <-over; err == nil {
		t.Error("a subscription outlives its server")
	}
	redis.Restart()
	h.hear(t.Context())
	if restarted := h.place(t); restarted.Log == flushed.Log {
		t.Error("after a crash the log has the same name")
	}
}

// TestHearEnds when the server does, when it is silent, when the caller wants
// it, and when a message cannot be read.
func TestHearEnds(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	h := newHearer(s)
	ended := func(what string, within time.Duration, over <-chan error, end func()) {
		t.Helper()
		h.place(t)
		from := time.Now()
		end()
		select {
		case err := <-over:
			if err == nil {
				t.Errorf("%s: Hear returned no error", what)
			}
		case <-time.After(within):
			t.Errorf("%s: Hear goes on after %v", what, time.Since(from))
		}
	}
	ended("nonsense", time.Second, h.hear(t.Context()), func() { redis.CLI("PUBLISH", "stepgate:endings", "nonsense") })
	ended("a closed connection", 2*time.Second, h.hear(t.Context()), func() { redis.CLI("CLIENT", "KILL", "TYPE", "pubsub") })
	ended("silence", silence+2*time.Second, h.hear(t.Context()), redis.Pause)
	redis.Resume()
	ctx, cancel := context.WithCancel(t.Context())
	ended("a black hole that the caller gives up", time.Second, h.hear(ctx), func() { redis.Pause(); cancel() })
	redis.Resume()
}

// TestSentinelFailover in good order and by a crash. Nobody restarts anything.
func TestSentinelFailover(t *testing.T) {
	g := e2e.StartSentinel(t)
	s := open(t, Options{Addrs: g.Sentinels, Sentinel: g.Name})
	failover(t, s, func() { g.Failover() })
	failover(t, s, func() { g.KillMaster() })
}

// TestClusterFailover kills the master that has alice's sessions.
func TestClusterFailover(t *testing.T) {
	c := e2e.StartRedisCluster(t)
	s := open(t, Options{Addrs: c.Addrs, Cluster: true})
	failover(t, s, func() { c.MasterOf(s.keys.index(alice)).Kill() })
}

// failover: in the middle of load another server takes over. Every call is
// answered in time, and soon they succeed again, with what was stored before.
func failover(t *testing.T, s *Store, change func()) {
	t.Helper()
	r := stored(t, s)
	h := newHearer(s)
	hearing, deaf := context.WithCancel(t.Context())
	h.hear(hearing)
	before := h.place(t)
	time.Sleep(200 * time.Millisecond) // the replicas follow a moment behind
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() { busy(ctx, t, s) })
	}
	change()
	calm(t, s, r)
	stop()
	load.Wait()
	deaf() // the connection may be to the old one, as package sessions notices by itself
	h.hear(t.Context())
	if after := h.place(t); after.Log == before.Log {
		t.Error("after a failover the log has the same name")
	}
	_, err := s.End(t.Context(), r.ID)
	must(t, err)
	h.place(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ended) != 1 || h.ended[0] != r.ID {
		t.Errorf("heard of %d endings after the failover, want one", len(h.ended))
	}
}

// busy calls until ctx ends. Each call has an answer in time.
func busy(ctx context.Context, t *testing.T, s *Store) {
	for ctx.Err() == nil {
		from, next := time.Now(), session(alice)
		_, err := s.Find(ctx, next.ID, from)
		if errors.Is(err, sessions.ErrNotFound) {
			err = s.Create(ctx, next)
		}
		if took := time.Since(from); took > denial {
			t.Errorf("an answer after %v: %v", took, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// calm waits until all calls have succeeded for a while.
func calm(t *testing.T, s *Store, r sessions.Record) {
	t.Helper()
	from, since, last := time.Now(), time.Now(), error(nil)
	for time.Since(since) < time.Second {
		if err := works(t, s, r); err != nil {
			since, last = time.Now(), err
		}
		if time.Since(from) > recovery {
			t.Fatalf("not back after %v: %v", recovery, last)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("back after %v; the last fault was: %v", since.Sub(from).Round(time.Millisecond), last)
}
