//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNodesRolling changes all nodes one after the other, under load through the balancer: no request fails, and
// nobody is asked for a second factor again.
func TestNodesRolling(t *testing.T) {
	n := StartNodes(t, 3)
	balancer := StartBalancer(t, n.Gateways...)
	people := n.signedIn(t, 6)
	halfway := newVisitor(t, "person0")
	halfway.key = people[0].key
	settle()
	halfway.signIn(n.url(0))
	under := func(name string, posts bool, change func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			load := startTraffic(n, balancer, people, posts)
			defer load.mustBeFlawless(t)
			change(t)
			time.Sleep(300 * time.Millisecond)
		})
	}
	under("restarts", true, func(t *testing.T) { rollingRestart(t, n, balancer) })
	under("upgrade", true, func(t *testing.T) { rollingUpgrade(t, n, balancer) })
	under("reloads", false, func(t *testing.T) { rollingReloads(t, n) })
	t.Run("a challenge from before", func(t *testing.T) {
		settle()
		id := halfway.challenge(n.url(1))
		halfway.mustPass(halfway.send(n.url(2), http.MethodPost, "/.stepgate/challenge", halfway.codes(id, 1, false)))
	})
	under("a new key", false, func(t *testing.T) { rotation(t, n, people) })
	t.Run("a node without the key", func(t *testing.T) { withoutTheKey(t, n) })
	for _, person := range people {
		for i := range n.Gateways {
			person.mustSee(n.url(i))
		}
	}
}

// signedIn are people who work in the console.
func (n *Nodes) signedIn(t *testing.T, count int) (people []*visitor) {
	t.Helper()
	for i := range count {
		v := newVisitor(t, fmt.Sprintf("person%d", i))
		v.enroll(n.url(i), n.url(i+1), n.url(i+2))
		people = append(people, v)
	}
	return people
}

// traffic is what people do at the console meanwhile: they read, and one request in ten changes something, but not
// while nodes are reloaded undrained. Caddy closes idle connections when it reloads; a GET that meets that is sent
// again by every balancer, and a POST by none.
type traffic struct {
	stop     atomic.Bool
	requests atomic.Int64
	posted   atomic.Int64
	before   int
	console  *Streaming
	workers  sync.WaitGroup

	mu     sync.Mutex
	failed []string
	seen   map[string]int // by node
}

func startTraffic(n *Nodes, balancer *Balancer, people []*visitor, posts bool) *traffic {
	load := &traffic{console: n.Console, before: n.Console.All(), seen: map[string]int{}}
	for _, person := range people {
		load.workers.Go(func() {
			for i := 0; !load.stop.Load(); i++ {
				load.request(balancer.URL, person, posts && i%10 == 9)
			}
		})
	}
	return load
}

func (l *traffic) request(base string, person *visitor, post bool) {
	method, path, want, form := http.MethodGet, "/whoami", http.StatusOK, url.Values(nil)
	if post {
		method, path, want, form = http.MethodPost, "/things", http.StatusCreated, url.Values{"name": {"thing"}}
	}
	a, err := person.try(base, method, path, form)
	l.requests.Add(1)
	if err == nil && a.StatusCode == http.StatusCreated {
		l.posted.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failed = append(l.failed, fmt.Sprintf("%s: %v", method, err))
	case a.StatusCode != want || !post && !strings.Contains(a.Text, `"`+person.name+`"`):
		l.failed = append(l.failed, fmt.Sprintf("%s at %s: %s to %q: %.200s", method, nodeOf(a.Header), a.Status, a.Header.Get("Location"), a.Text))
	default:
		l.seen[nodeOf(a.Header)]++
	}
}

func (l *traffic) mustBeFlawless(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	l.workers.Wait()
	t.Logf("%d requests, %d of them changes, by node %v", l.requests.Load(), l.posted.Load(), l.seen)
	for i, failure := range l.failed {
		if i < 5 {
			t.Error(failure)
		}
	}
	if len(l.failed) > 0 {
		t.Errorf("%d of %d requests failed", len(l.failed), l.requests.Load())
	}
	if done := l.console.All() - l.before; int64(done) != l.posted.Load() {
		t.Errorf("the console made %d changes, and %d were confirmed", done, l.posted.Load())
	}
	if len(l.seen) < 3 || l.requests.Load() < 100 {
		t.Errorf("too little: %d requests, nodes %v", l.requests.Load(), l.seen)
	}
}

// rollingRestart restarts every node with SIGTERM. The balancer takes it out before, and waits for its answers.
func rollingRestart(t *testing.T, n *Nodes, balancer *Balancer) {
	for i, g := range n.Gateways {
		balancer.Drain(t, i)
		g.Restart()
		balancer.Admit(i)
	}
}

// rollingUpgrade puts another file in the place of each node's program. It is the same version: what an upgrade
// changes in the stores is tested with the stores.
func rollingUpgrade(t *testing.T, n *Nodes, balancer *Balancer) {
	upgraded := filepath.Join(n.Gateways[0].Dir, "stepgate-upgraded")
	if out, err := exec.Command("cp", n.Gateways[0].binary, upgraded).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, g := range n.Gateways {
		balancer.Drain(t, i)
		g.binary = upgraded
		g.Restart()
		balancer.Admit(i)
		if at, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", g.process.cmd.Process.Pid)); err != nil || at != upgraded {
			t.Fatalf("the node runs %s, %v", at, err)
		}
	}
}

// rollingReloads loads a changed configuration on every node while it serves, twice. Nothing is drained.
func rollingReloads(t *testing.T, n *Nodes) {
	for _, brand := range []string{"Other", "Another"} {
		for i := range n.Gateways {
			if err := n.Reload(i, brand); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// rotation is the two phases of docs/configuration.md. What one node has sealed, the others open at each moment.
func rotation(t *testing.T, n *Nodes, people []*visitor) {
	key := newKey(t, n.Gateways[0])
	n.eachReloads(t, "Opens", func(i int) {
		n.sealWith(i, "k1")
		n.giveKey(i, "k2", key)
	})
	n.eachReloads(t, "Seals", func(i int) { n.sealWith(i, "k2") })
	for i := range n.Gateways {
		v := newVisitor(t, fmt.Sprintf("new%d", i))
		v.enroll(n.url(i), n.url(i), n.url(i))
		v.signOut(n.url(i))
		v.pass(n.url(i+1), n.url(i+2), n.url(i+1), 0)
		for at := range n.Gateways {
			v.mustSee(n.url(at))
		}
	}
}

// eachReloads changes and reloads one node after the other; after each, somebody who binds at the changed node works
// at all.
func (n *Nodes) eachReloads(t *testing.T, brand string, change func(i int)) {
	t.Helper()
	for i := range n.Gateways {
		change(i)
		if err := n.Reload(i, brand); err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, brand+fmt.Sprint(i))
		v.enroll(n.url(i), n.url(i), n.url(i))
		for at := range n.Gateways {
			v.mustSee(n.url(at))
		}
	}
}

// withoutTheKey starts and reloads a node that lacks the key that the others seal with: it is refused. The node that
// was asked to reload goes on with what it had.
func withoutTheKey(t *testing.T, n *Nodes) {
	for _, file := range []string{"k2.key", "sealing"} {
		if err := os.Remove(filepath.Join(n.keys[2], file)); err != nil {
			t.Fatal(err)
		}
	}
	err := n.Reload(2, "Without")
	if err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("reloaded without k2: %v", err)
	}
	g := n.Gateways[2]
	if a := NewRaw(t, g.URL).Get("/healthz"); a.StatusCode != http.StatusOK {
		t.Errorf("the node that refused a reload: %s", a.Status)
	}
	g.Stop()
	out, err := g.Command("start", "--config", g.config(), "--adapter", "caddyfile").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "k2") {
		t.Errorf("started without k2: %v\n%s", err, out)
	}
	for i := range 2 {
		for _, file := range []string{"k2.key", "sealing"} {
			text, err := os.ReadFile(filepath.Join(n.keys[i], file))
			if err != nil {
				t.Fatal(err)
			}
			n.write(filepath.Join(n.keys[2], file), string(text))
		}
	}
	g.Restart()
}
