//go:build e2e

package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// What DESIGN asks of every fault.
const (
	denial   = 2 * time.Second
	recovery = 10 * time.Second
)

var alice = identity.Subject{Realm: "wiki", Name: "alice"}

// session is a realistic one.
func session(who identity.Subject) sessions.Record {
	now := time.Now().UTC().Truncate(time.Millisecond)
	r := sessions.Record{
		Site: "wiki", Source: "console", Subject: who, Level: identity.Verified, AMR: []string{"pwd", "otp"},
		Passed: true, Strength: identity.Device, BeganAt: now, AuthTime: now, SeenAt: now, ExpiresAt: now.Add(24 * time.Hour), Idle: time.Hour,
		Waiting: rand.Text()[:22], Address: "192.168.178.123",
		Browser: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	}
	_, _ = rand.Read(r.ID[:])
	_, _ = rand.Read(r.Family[:])
	r.ID[0] = sessions.ShardOf(who)
	return r
}

// stored is a session that a store holds.
func stored(t testing.TB, s *Store) sessions.Record {
	t.Helper()
	r := session(alice)
	must(t, s.Create(t.Context(), r))
	return r
}

// calls are all that a store is asked; r is a session that is there.
func calls(s *Store, r sessions.Record) map[string]func(context.Context) error {
	now, next := time.Now(), session(r.Subject)
	c := challenge.Record{ID: "c", Subject: r.Subject, ExpiresAt: now.Add(time.Hour)}
	return map[string]func(context.Context) error{
		"find":      func(ctx context.Context) error { _, err := s.Find(ctx, r.ID, now); return err },
		"find none": func(ctx context.Context) error { _, err := s.Find(ctx, next.ID, now); return err },
		"create":    func(ctx context.Context) error { return s.Create(ctx, session(r.Subject)) },
		"replace":   func(ctx context.Context) error { return s.Replace(ctx, next.ID, session(r.Subject)) },
		"touch": func(ctx context.Context) error {
			return s.Touch(ctx, map[sessions.ID]time.Time{r.ID: now.Add(time.Minute)})
		},
		"end none": func(ctx context.Context) error { _, err := s.End(ctx, next.ID); return err },
		"end subject": func(ctx context.Context) error {
			_, err := s.EndSubject(ctx, identity.Subject{Realm: "x", Name: "y"})
			return err
		},
		"challenge": func(ctx context.Context) error { return s.Challenges().Create(ctx, c) },
		"attempt":   func(ctx context.Context) error { _, err := s.Challenges().Attempt(ctx, "none", 5, now); return err },
		"take":      func(ctx context.Context) error { _, err := s.Challenges().Take(ctx, "none", now); return err },
		"keep part": func(ctx context.Context) error {
			_, err := s.Challenges().KeepPart(ctx, "none", challenge.Part{}, now)
			return err
		},
		"put part": func(ctx context.Context) error { return s.Challenges().PutPart(ctx, "none", challenge.Part{}, now) },
		"take part": func(ctx context.Context) error {
			_, err := s.Challenges().TakePart(ctx, "none", "", "", now)
			return err
		},
		"open": func(ctx context.Context) error {
			return s.Challenges().Open(ctx, "none", "sms", identity.Telephone, now)
		},
		"put":   func(ctx context.Context) error { return s.Escrows().Put(ctx, "e", nil, c.ExpiresAt) },
		"stash": func(ctx context.Context) error { _, err := s.Escrows().Take(ctx, "none", now); return err },
		"beat":  func(ctx context.Context) error { return s.Beat(ctx, 1) },
	}
}

// denied: every call, or those named, fails in time, says why and what helps,
// and claims to know nothing. Many at once do not wait for each other.
func denied(t *testing.T, s *Store, r sessions.Record, says string, only ...string) {
	t.Helper()
	all := calls(s, r)
	if len(only) > 0 {
		kept := map[string]func(context.Context) error{}
		for _, what := range only {
			kept[what] = all[what]
		}
		all = kept
	}
	var waiting sync.WaitGroup
	for what, do := range all {
		for range 10 {
			waiting.Go(func() {
				from := time.Now()
				err := do(t.Context())
				if took := time.Since(from); took > denial {
					t.Errorf("%s: an answer after %v", what, took)
				}
				for _, answer := range []error{nil, sessions.ErrNotFound, challenge.ErrNotFound, challenge.ErrExhausted, escrow.ErrNotFound} {
					if errors.Is(err, answer) {
						t.Errorf("%s: got %v where nothing can be known", what, err)
						return
					}
				}
				if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), s.where) {
					t.Errorf("%s: %v\ndoes not say %q", what, err, says)
				}
			})
		}
	}
	waiting.Wait()
}

// back: the store works again, unaided, and still has the session.
func back(t *testing.T, s *Store, r sessions.Record) {
	t.Helper()
	from, attempt := time.Now(), error(nil)
	for attempt = works(t, s, r); attempt != nil; attempt = works(t, s, r) {
		if time.Since(from) > recovery {
			t.Fatalf("still not back: %v", attempt)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("back after %v", time.Since(from).Round(time.Millisecond))
}

func works(t *testing.T, s *Store, r sessions.Record) error {
	_, found := s.Find(t.Context(), r.ID, time.Now())
	return errors.Join(found, s.Create(t.Context(), session(r.Subject)), s.Beat(t.Context(), 1))
}

func TestFaultDown(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r := stored(t, s)
	redis.Kill()
	denied(t, s, r, "nobody listens there")
	redis.Restart()
	back(t, s, r)

	socket := open(t, Options{Addrs: []string{redis.Socket}})
	redis.Stop()
	denied(t, socket, r, "nobody listens there")
	redis.Restart()
	back(t, socket, r)
}

func TestFaultBlackHole(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s, unused := open(t, single(redis)), open(t, single(redis))
	r := stored(t, s)
	redis.Pause()
	denied(t, s, r, "no answer in time")
	denied(t, s, r, "no answer in time") // when no connection is left that looked well
	denied(t, unused, r, "no answer in time")
	redis.Resume()
	back(t, s, r)
	back(t, unused, r)
}

// TestFaultReplica: a master becomes a replica whose link is down. What it
// still has may have ended elsewhere.
func TestFaultReplica(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r := stored(t, s)
	redis.CLI("REPLICAOF", "127.0.0.1", "1")
	denied(t, s, r, "this is a replica", "find", "find none", "create", "replace", "touch", "end none", "end subject", "challenge", "put", "beat")
	redis.CLI("REPLICAOF", "NO", "ONE")
	back(t, s, r)
	redis.CLI("CONFIG", "SET", "min-replicas-to-write", "1")
	denied(t, s, r, "waits for its replicas", "find", "create", "end none", "beat")
	redis.CLI("CONFIG", "SET", "min-replicas-to-write", "0")
	back(t, s, r)
}

// TestFaultFull: nobody signs in, those who did go on, and every ending gets
// through.
func TestFaultFull(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r, ended, raised := stored(t, s), stored(t, s), stored(t, s)
	must(t, s.Beat(t.Context(), 1))
	redis.CLI("CONFIG", "SET", "maxmemory", "100kb")
	denied(t, s, r, "raise maxmemory", "create", "challenge", "put")
	_, err := s.Find(t.Context(), r.ID, time.Now())
	must(t, err)
	_, err = s.End(t.Context(), ended.ID)
	must(t, err)
	must(t, s.Replace(t.Context(), raised.ID, session(alice)))
	must(t, s.Beat(t.Context(), 2))
	if number := redis.CLI("HGET", "stepgate:log", "number"); number != "2" {
		t.Errorf("the log has %s entries, want 2", number)
	}
	redis.CLI("CONFIG", "SET", "maxmemory", "0")
	back(t, s, r)
}

// TestFaultPassword also covers the rights that a user lacks.
func TestFaultPassword(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{ACL: rights(t)})
	o := Options{Addrs: []string{redis.Addr}, Username: "stepgate", Password: "wrong"}
	wrong := open(t, o)
	o.Password = e2e.RedisPassword
	right := open(t, o)
	r := stored(t, right)
	denied(t, wrong, r, "check the user and the password")
	denied(t, open(t, single(redis)), r, "wants a password")
	redis.CLI("ACL", "SETUSER", "stepgate", "-info")
	denied(t, right, r, "see the rights", "beat")
	if _, err := right.End(t.Context(), r.ID); err == nil {
		t.Error("ended a session without an entry in the log")
	}
	redis.CLI("ACL", "SETUSER", "stepgate", "+info", ">wrong")
	back(t, right, r)
	back(t, wrong, r)
}

func TestFaultLoading(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{Config: []string{
		"key-load-delay 2000", "loading-process-events-interval-bytes 1024",
	}})
	s := open(t, single(redis))
	r := stored(t, s)
	for range 1000 {
		stored(t, s)
	}
	redis.CLI("BGREWRITEAOF")
	for strings.Contains(redis.CLI("INFO", "persistence"), "aof_rewrite_in_progress:1") ||
		strings.Contains(redis.CLI("INFO", "persistence"), "aof_rewrite_scheduled:1") {
		time.Sleep(20 * time.Millisecond)
	}
	redis.Kill()
	redis.Launch()
	for strings.Contains(redis.Try("PING"), "connect") {
		time.Sleep(20 * time.Millisecond)
	}
	denied(t, s, r, "still reads its data")
	back(t, s, r)
}

func TestFaultForeignKeys(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	s := open(t, single(redis))
	r := stored(t, s)
	redis.CLI("SET", "stepgate:log", "x")
	denied(t, s, r, "another program uses the same keys", "end subject", "beat")
	if _, err := s.End(t.Context(), r.ID); err == nil {
		t.Error("ended a session without an entry in the log")
	}
	redis.CLI("DEL", "stepgate:log")
	back(t, s, r)
	must(t, s.client.Set(t.Context(), s.keys.session(r.ID), "x", 0).Err())
	if _, err := s.Find(t.Context(), r.ID, time.Now()); err == nil || errors.Is(err, sessions.ErrNotFound) {
		t.Errorf("an unreadable session: %v", err)
	}
}

func TestFaultNoCluster(t *testing.T) {
	redis := e2e.StartRedis(t, e2e.RedisOptions{})
	denied(t, open(t, Options{Addrs: []string{redis.Addr}, Cluster: true}), session(alice), "this is no cluster")
	denied(t, open(t, Options{Addrs: []string{redis.Addr}, DB: 99}), session(alice), "choose a lower number")
	denied(t, open(t, Options{Addrs: []string{redis.Addr}, Sentinel: "nobody"}), session(alice), "no Sentinel that answers")
}
