//go:build e2e

package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestNodesCount: verified requests ask the stores next to nothing, and a login a bounded number of times.
func TestNodesCount(t *testing.T) {
	n := StartNodes(t, 3)
	n.Postgres.SQL("ALTER ROLE stepgate SET log_statement = 'all'")
	for i := range n.Gateways {
		n.Gateways[i].Restart() // for connections that log what is asked
	}
	asked := watchStores(t, n)
	v := newVisitor(t, "busy")
	v.enroll(n.url(0), n.url(1), n.url(2))
	t.Run("verified requests", func(t *testing.T) { countVerified(t, n, v, asked) })
	t.Run("a login", func(t *testing.T) { countLogin(t, n, v, asked) })
}

// storeLogs are what Redis and PostgreSQL are asked, one line each.
type storeLogs struct {
	redis    *process
	postgres *Postgres
	idle     map[string]bool // what Redis is asked although nobody is there
}

// watchStores follows Redis and learns in a few seconds what the nodes ask while nobody does anything: beats of the log
// of endings, and their notes that they are alive.
func watchStores(t *testing.T, n *Nodes) *storeLogs {
	t.Helper()
	monitor := n.Redis.scratch.command("/usr/bin/redis-cli", "-s", n.Redis.scratch.inside+"/redis.sock", "MONITOR")
	w := &storeLogs{redis: start(t, "what Redis is asked", monitor), postgres: n.Postgres, idle: map[string]bool{}}
	time.Sleep(5500 * time.Millisecond)
	redis, _ := w.since(0, 0)
	for _, command := range redis {
		w.idle[command] = true
	}
	return w
}

var (
	monitored = regexp.MustCompile(`(?m)^\d+\.\d+ \[\d+ [^l]\S*\] "([^"]*)"(?: "([^"]*)")?`) // not what a script does itself
	stated    = regexp.MustCompile(`(?m)LOG:  (?:execute \S+|statement): (.*)$`)
)

// since is what was asked behind a place in both logs. A script counts once, under its name.
func (w *storeLogs) since(redisAt, postgresAt int) (redis, postgres []string) {
	for _, line := range monitored.FindAllStringSubmatch(w.redis.out.String()[redisAt:], -1) {
		command := strings.ToLower(line[1])
		if strings.HasPrefix(command, "eval") {
			command += " " + line[2]
		}
		if !w.idle[command] {
			redis = append(redis, command)
		}
	}
	for _, line := range stated.FindAllStringSubmatch(w.postgres.Log()[postgresAt:], -1) {
		postgres = append(postgres, line[1])
	}
	return redis, postgres
}

// during is what was asked while something is done, and in the moment after it.
func (w *storeLogs) during(do func()) (redis, postgres []string) {
	redisAt, postgresAt := len(w.redis.out.String()), len(w.postgres.Log())
	do()
	time.Sleep(500 * time.Millisecond)
	return w.since(redisAt, postgresAt)
}

// countVerified sends 20,000 requests of one signed-in browser to all nodes.
func countVerified(t *testing.T, n *Nodes, v *visitor, asked *storeLogs) {
	const requests = 20000
	began := time.Now()
	redis, postgres := asked.during(func() {
		for i := range requests {
			if a, err := v.try(n.url(i), http.MethodGet, "/whoami", nil); err != nil || a.StatusCode != http.StatusOK {
				t.Fatalf("request %d: %v, %v", i, a.Response, err)
			}
		}
	})
	t.Logf("%d requests in %v ask Redis %d times and PostgreSQL %d times", requests, time.Since(began).Round(time.Millisecond), len(redis), len(postgres))
	t.Logf("Redis: %v; PostgreSQL: %q", tally(redis), postgres)
	if len(redis)+len(postgres) > requests/1000 {
		t.Errorf("more than %d", requests/1000)
	}
	if len(redis) == 0 {
		t.Error("nothing at all: three nodes that see a session for the first time have to ask")
	}
}

// loginCommands is how often a login, the page of its challenge and its pass ask Redis, as docs/performance.md says.
const loginCommands = 10

// countLogin signs in, opens the challenge and passes, each on another node.
func countLogin(t *testing.T, n *Nodes, v *visitor, asked *storeLogs) {
	v.signOut(n.url(0))
	time.Sleep(500 * time.Millisecond)
	settle()
	redis, postgres := asked.during(func() { v.pass(n.url(0), n.url(1), n.url(2), 0) })
	t.Logf("a login asks Redis %d times: %v", len(redis), tally(redis))
	t.Logf("and PostgreSQL %d times", len(postgres))
	if len(redis) > loginCommands || len(redis) < 5 || len(postgres) == 0 {
		t.Errorf("of at most %d", loginCommands)
	}
}

func tally(all []string) map[string]int {
	counts := map[string]int{}
	for _, one := range all {
		name, _, _ := strings.Cut(one, " ")
		counts[name]++
	}
	return counts
}
