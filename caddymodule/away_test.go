package caddymodule

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharedWords are both words with stores at these addresses.
func sharedWords(t *testing.T, redis, postgres string) string {
	host, port, err := net.SplitHostPort(postgres)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("keys %s\nsessions redis %s\naccounts postgres \"host=%s port=%s dbname=mfa user=stepgate sslmode=disable\" {\n password hunter2\n}",
		keyDir(t, "k1"), redis, host, port)
}

// empty stops the gate and removes its files.
func (g *gate) empty() {
	g.t.Helper()
	g.stop()
	if err := os.RemoveAll(g.data("")); err != nil {
		g.t.Fatal(err)
	}
}

// mustHaveNoFiles sees to it that shared stores leave nothing on this machine.
func (g *gate) mustHaveNoFiles() {
	g.t.Helper()
	found, err := os.ReadDir(g.data(""))
	if err != nil && !os.IsNotExist(err) {
		g.t.Fatal(err)
	}
	for _, f := range found {
		if f.Name() != "admin.sock" { // which every node has
			g.t.Errorf("the data directory holds %v", f)
		}
	}
}

// deaf takes connections and says nothing.
func deaf(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// Point 3: with stores that are away the gateway starts, answers 503 within
// two seconds, lets nothing through, and stops at once.
func TestStoresAway(t *testing.T) {
	for name, address := range map[string]func(*testing.T) string{
		"closed": func(t *testing.T) string { return freeAddress(t) },
		"deaf":   deaf,
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			g.empty()
			g.mustLoad(sharedWords(t, address(t), address(t)))
			before := g.reached.count.Load()
			for _, path := range []string{"/", "/healthz", "/.stepgate/challenge"} {
				began := time.Now()
				mustBeUnavailable(t, g.browser().get(path))
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("%s was answered after %s", path, took)
				}
			}
			if g.reached.count.Load() != before {
				t.Error("a request reached the console")
			}
			g.mustHaveNoFiles()
			began := time.Now()
			g.stop()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("stopping took %s", took)
			}
			mustBeReleased(t)
		})
	}
}

// Point 3: a reload to stores that are away is no failure, and one back finds
// all as it was. A reload that fails for another reason keeps what runs.
func TestReloadToStoresAway(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	shared := sharedWords(t, freeAddress(t), freeAddress(t))
	g.refused(shared + "\nhelp {env.STEPGATE_MISSING}")
	alice.mustSee("alice")
	g.mustLoad(shared)
	mustBeUnavailable(t, alice.get("/whoami"))
	g.refused("help {env.STEPGATE_MISSING}")
	mustBeUnavailable(t, alice.get("/whoami"))
	g.mustLoad("brand Test")
	alice.mustSee("alice")
}

// Point 2: a reload keeps connections; another password or address makes new
// ones, and no key shows either.
func TestPoolKeys(t *testing.T) {
	g := newGate(t)
	g.empty()
	words := sharedWords(t, freeAddress(t), freeAddress(t))
	g.mustLoad(words)
	first := poolKeys()
	g.mustLoad(words + "\nbrand Other")
	if again := poolKeys(); !slices.Equal(first, again) {
		t.Errorf("a reload changed\n%q to\n%q", first, again)
	}
	for what, other := range map[string]string{
		"the password": strings.ReplaceAll(words, "hunter2", "hunter3"),
		"the database": strings.ReplaceAll(words, "dbname=mfa", "dbname=other"),
	} {
		g.mustLoad(other)
		changed := poolKeys()
		if len(changed) != len(first) || slices.Equal(first, changed) {
			t.Errorf("with %s changed the pool holds\n%q, before\n%q", what, changed, first)
		}
	}
	if all := fmt.Sprint(first); strings.Contains(all, "hunter") || strings.Contains(all, "dbname") {
		t.Errorf("the pool's keys tell: %s", all)
	}
	g.mustHaveNoFiles()
}

func poolKeys() (keys []string) {
	pool.Range(func(key, _ any) bool {
		keys = append(keys, key.(string))
		return true
	})
	slices.Sort(keys)
	return keys
}
