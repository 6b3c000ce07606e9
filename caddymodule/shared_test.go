//go:build e2e

package caddymodule

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/store/postgres"
	"github.com/stepgate/stepgate/store/redis"
)

// shared is a gate on a real Redis and a real PostgreSQL.
type shared struct {
	*gate
	redis    *e2e.Redis
	postgres *e2e.Postgres
	keys     string
}

func newShared(t *testing.T) *shared {
	g := newGate(t)
	g.empty()
	g.remove(filepath.Join(g.home, "storage", accountsAt))
	s := &shared{g, e2e.StartRedis(t, e2e.RedisOptions{}), e2e.StartPostgres(t), keyDir(t, "k1")}
	writeFile(t, s.secret(), e2e.PostgresPassword+"\n")
	return s
}

// secret is the file with PostgreSQL's password.
func (s *shared) secret() string { return filepath.Join(s.home, "secret") }

func (s *shared) words() string { return s.at(s.redis.Addr, s.postgres.DSN()) }

func (s *shared) at(redis, dsn string) string {
	return fmt.Sprintf("keys %s\nsessions redis %s\naccounts postgres \"%s\" {\n password {file.%s}\n}", s.keys, redis, dsn, s.secret())
}

// mustServeWithin waits for the stores to be found.
func (s *shared) mustServeWithin(limit time.Duration) {
	s.t.Helper()
	for began := time.Now(); s.browser().get("/healthz").StatusCode != 200; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > limit {
			s.t.Fatalf("not served within %s", limit)
		}
	}
}

// Point 2: sessions outlive reloads and restarts; connections and the near
// cache outlive a reload; nothing lies on this machine.
func TestSharedReload(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	alice := s.browser()
	alice.enroll("alice")
	connected := s.redis.CLI("INFO", "stats")
	s.mustLoad(s.words() + "\nbrand Other")
	alice.mustSee("alice")
	if after := s.redis.CLI("INFO", "stats"); field(after, "total_connections_received") > field(connected, "total_connections_received")+2 {
		t.Errorf("a reload connected anew:\n%s\n%s", connected, after)
	}
	s.stop()
	mustBeReleased(t)
	s.mustLoad(s.words())
	alice.mustSee("alice")
	s.mustHaveNoFiles()
}

func field(info, name string) (n int) {
	_, rest, _ := strings.Cut(info, name+":")
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// Point 3: what the servers answer at the start is an error of the
// configuration, with a remedy and without the password.
func TestSharedRefused(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	s.stop()
	empty := s.postgres.NewDatabase("another")
	s.postgres.NewDatabase("foreign")
	s.postgres.SQLIn("foreign", "CREATE TABLE orders (id int); ALTER TABLE orders OWNER TO stepgate")
	locked := e2e.StartRedis(t, e2e.RedisOptions{ACL: "~other* +@all"}).Addr
	user := locked + " {\n username stepgate\n password %q\n}"
	open := s.words()
	for name, c := range map[string]struct{ words, says string }{
		"no redis password":       {s.at(locked, s.postgres.DSN()), "NOAUTH"},
		"wrong redis password":    {s.at(fmt.Sprintf(user, "hunter2"), s.postgres.DSN()), "WRONGPASS"},
		"other keys of redis":     {s.at(fmt.Sprintf(user, e2e.RedisPassword), s.postgres.DSN()), "NOPERM"},
		"wrong postgres password": {strings.Replace(open, "{file."+s.secret()+"}", "hunter2", 1), "the password is wrong"},
		"no such database":        {s.at(s.redis.Addr, strings.Replace(empty, "another", "missing", 1)), "the database is missing"},
		"foreign database":        {s.at(s.redis.Addr, strings.Replace(empty, "another", "foreign", 1)), "not a database of Stepgate"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s.gate.t = t
			why := s.refused(c.words)
			mustSay(t, why, c.says)
			if strings.Contains(why, "hunter2") {
				t.Errorf("it tells the password: %s", why)
			}
			mustBeReleased(t)
		})
	}
	s.gate.t = t
}

// Point 3: another accounts database than last time, other keys.
func TestSharedBelonging(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	s.stop()
	mustSay(t, s.refused(s.at(s.redis.Addr, s.postgres.NewDatabase("another"))), "empty or another than last time")
	keys := s.keys
	s.keys = keyDir(t, "k1")
	mustSay(t, s.refused(s.words()), "bring the lost key back")
	s.keys = keys
	s.mustLoad(s.words())
}

// Point 3: an empty database, when every node and its storage is gone.
func TestSharedAccountsLost(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	s.redis.CLI("FLUSHALL")
	time.Sleep(announceEvery + time.Second)
	s.stop()
	s.redis.CLI("DEL", "stepgate:nodes") // as if it were long ago
	s.remove(filepath.Join(s.home, "storage", accountsAt))
	empty := s.at(s.redis.Addr, s.postgres.NewDatabase("another"))
	mustSay(t, s.refused(empty), "delete the key stepgate:accounts")
	mustBeReleased(t)
	s.mustLoad(s.words())
	s.stop()
	s.remove(filepath.Join(s.home, "storage", accountsAt))
	s.redis.CLI("DEL", "stepgate:accounts")
	s.mustLoad(empty)
}

// What outlives a reload writes to the log of the new configuration.
func TestSharedLog(t *testing.T) {
	s := newShared(t)
	logs := [2]string{filepath.Join(s.home, "first"), filepath.Join(s.home, "second")}
	for i, log := range logs {
		config := strings.Replace(string(s.config(s.words()+fmt.Sprint("\nbrand B", i))), `"output":"discard"`,
			fmt.Sprintf(`"output":"file","filename":%q`, log), 1)
		must(t, caddy.Load([]byte(config), true))
	}
	s.redis.Stop()
	for began := time.Now(); !strings.Contains(readFile(t, logs[1]), "cannot be heard"); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the log has only\n%s", readFile(t, logs[1]))
		}
	}
}

// Point 3: stores that come up later are checked before the first request is
// served, and found unaided.
func TestSharedLater(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	alice := s.browser()
	alice.enroll("alice")
	s.stop()
	s.redis.Stop()
	s.postgres.Stop()
	s.mustLoad(s.words())
	mustBeUnavailable(t, alice.get("/whoami"))
	s.redis.Restart()
	time.Sleep(2 * nextAttempt)
	mustBeUnavailable(t, alice.get("/whoami"))
	s.postgres.Restart()
	s.mustServeWithin(10 * time.Second)
	alice.mustSee("alice")
	s.stop()

	s.postgres.Stop()
	s.keys = keyDir(t, "k1")
	s.mustLoad(s.words())
	s.postgres.Restart()
	time.Sleep(3 * nextAttempt)
	mustBeUnavailable(t, alice.get("/whoami"))
}

// Point 3: a key that another node, still alive, lacks does not seal. Rotation
// in two phases passes.
func TestSharedRotation(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	alice := s.browser()
	alice.enroll("alice")
	other := s.another()
	must(t, other.join(t.Context(), s.id(), s.ring()))

	addKey(t, s.keys, "k2")
	sealWith(t, s.keys, "k2")
	mustSay(t, s.refused(s.words()+"\nbrand Early"), "this node seals with k2")
	alice.mustSee("alice")

	sealWith(t, s.keys, "k1")
	must(t, other.join(t.Context(), s.id(), s.ring()))
	sealWith(t, s.keys, "k2")
	s.mustLoad(s.words() + "\nbrand Later")
	alice.mustSee("alice")
	must(t, other.join(t.Context(), s.id(), s.ring()))
	s.browser().enroll("bob")
	alice.mustSee("alice")
}

// another is another node's line in the list.
func (s *shared) another() *roll {
	s.t.Helper()
	store, err := redis.Open(redis.Options{Addrs: []string{s.redis.Addr}})
	must(s.t, err)
	s.t.Cleanup(func() { _ = store.Close() })
	return &roll{list: store, node: "another", process: "another"}
}

func (s *shared) ring() *seal.Ring {
	s.t.Helper()
	ring, err := readKeys(s.keys)
	must(s.t, err)
	return ring
}

// id is that of the accounts store.
func (s *shared) id() string {
	s.t.Helper()
	store, err := postgres.Open(s.postgres.DSN(), e2e.PostgresPassword)
	must(s.t, err)
	defer func() { _ = store.Close() }()
	must(s.t, store.Ready(s.t.Context()))
	id, err := accountsID(s.t.Context(), store)
	must(s.t, err)
	return string(id)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Point 3: the log says what should be changed at Redis.
func TestSharedWarnings(t *testing.T) {
	s := newShared(t)
	s.redis.CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	log := filepath.Join(s.home, "log")
	config := strings.Replace(string(s.config(s.words())), `"output":"discard"`, fmt.Sprintf(`"output":"file","filename":%q`, log), 1)
	must(t, caddy.Load([]byte(config), true))
	s.stop()
	mustSay(t, readFile(t, log), "allkeys-lru", "noeviction")
}

// The rights that docs/configuration.md names are enough, at one server, in a
// cluster and behind Sentinels.
func TestSharedRights(t *testing.T) {
	rules := regexp.MustCompile(`(?m)^ACL SETUSER (.*)$`).FindAllStringSubmatch(readFile(t, "../docs/configuration.md"), -1)
	if len(rules) != 3 {
		t.Fatalf("the documentation has %d users", len(rules))
	}
	allow := func(addr string, rule int) {
		c := goredis.NewClient(&goredis.Options{Addr: addr})
		defer func() { _ = c.Close() }()
		var args []any
		for _, word := range strings.Fields("ACL SETUSER " + strings.ReplaceAll(rules[rule][1], "PASSWORD", "sesame")) {
			args = append(args, word)
		}
		must(t, c.Do(t.Context(), args...).Err())
	}
	const user = "username stepgate\n password sesame\n}"
	for name, reach := range map[string]func(*shared) string{
		"server": func(s *shared) string {
			allow(s.redis.Addr, 0)
			return s.redis.Addr + " {\n" + user
		},
		"cluster": func(*shared) string {
			c := e2e.StartRedisCluster(t)
			for _, addr := range c.Addrs {
				allow(addr, 0)
				allow(addr, 1)
			}
			return strings.Join(c.Addrs, " ") + " {\n cluster\n" + user
		},
		"sentinel": func(*shared) string {
			g := e2e.StartSentinel(t)
			for _, r := range g.Servers() {
				allow(r.Addr, 0)
			}
			for _, addr := range g.Sentinels {
				allow(addr, 2)
			}
			return strings.Join(g.Sentinels, " ") + " {\n sentinel " + g.Name + " {\n username watcher\n password sesame\n}\n" + user
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShared(t)
			s.mustLoad(s.at(reach(s), s.postgres.DSN()))
			alice := s.browser()
			alice.enroll("alice")
			alice.post("/logout", nil)
			alice.mustNotSee()
			s.browser().enroll("bob")
		})
	}
}
