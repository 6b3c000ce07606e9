package caddymodule

import (
	"fmt"
	"net"
	"net/http"
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
			g.stop()
			g.remove(g.data("accounts.db"))
			g.remove(g.data("sessions.db"))
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
			mustBeEmpty(t, g.data(""))
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

// Point 2: what identifies a connection is in the pool's key, and no secret.
func TestPoolKeys(t *testing.T) {
	g := newGate(t)
	redis, postgres := freeAddress(t), freeAddress(t)
	words := sharedWords(t, redis, postgres)
	g.mustLoad(words)
	first := poolKeys()
	g.mustLoad(words + "\nbrand Other")
	if again := poolKeys(); fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("a reload changed %q to %q", first, again)
	}
	_ = http.StatusOK
}
