//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestNodes: whoever signs in at one node passes on another and works on the third, and what ends at one is over at
// all.
func TestNodes(t *testing.T) {
	n := StartNodes(t, 3)
	balancer := StartBalancer(t, n.Gateways...)
	t.Run("each step elsewhere", func(t *testing.T) { stepsElsewhere(t, n) })
	t.Run("a browser at the balancer", func(t *testing.T) { browserAtBalancer(t, balancer) })
	t.Run("ends everywhere", func(t *testing.T) { endsEverywhere(t, n) })
}

func stepsElsewhere(t *testing.T, n *Nodes) {
	a, b, c := n.Gateways[0].URL, n.Gateways[1].URL, n.Gateways[2].URL
	alice := newVisitor(t, "alice")
	alice.enroll(a, b, c)
	for _, base := range []string{a, b, c} {
		alice.mustSee(base)
	}
	alice.signOut(a)
	alice.pass(b, c, a, 0)
	for _, base := range []string{c, b, a} {
		alice.mustSee(base)
	}
}

// browserAtBalancer takes the same way with Chromium, which knows one address only.
func browserAtBalancer(t *testing.T, balancer *Balancer) {
	b := OpenBrowser(t)
	signIn := func() {
		b.Goto(balancer.URL + "/login")
		b.Fill("#user", "carol")
		b.Fill("#password", "open")
		b.Follow("#in")
	}
	signIn()
	key := enroll(t, b, -2)
	for range 6 {
		b.Goto(balancer.URL + "/")
		if name := b.Text("#name"); name != "carol" {
			t.Fatalf("%s is signed in", name)
		}
	}
	b.Follow("#out")
	b.Goto(balancer.URL + "/")
	if b.Has("#name") {
		t.Fatal("signed out, and still in")
	}
	signIn()
	enter(t, b, key, 0)
	for range 3 {
		b.Goto(balancer.URL + "/")
		if name := b.Text("#name"); name != "carol" {
			t.Fatalf("%s is signed in", name)
		}
	}
}

// endsEverywhere measures from the end of the logout at one node until the cookies are worthless at the others, which
// had the session near. A second is the promise.
func endsEverywhere(t *testing.T, n *Nodes) {
	var took []time.Duration
	for i := range 9 {
		v := newVisitor(t, fmt.Sprintf("leaver%d", i))
		v.enroll(n.Gateways[0].URL, n.Gateways[1].URL, n.Gateways[2].URL)
		for _, g := range n.Gateways {
			v.mustSee(g.URL)
		}
		stolen := v.copy()
		v.signOut(n.Gateways[i%3].URL)
		began := time.Now()
		for at := 0; at < len(n.Gateways); {
			if stolen.sees(n.Gateways[at].URL) {
				continue
			}
			at++
		}
		took = append(took, time.Since(began))
		for _, g := range n.Gateways {
			if a, err := stolen.try(g.URL, http.MethodGet, "/whoami", nil); err != nil || a.StatusCode == http.StatusOK {
				t.Errorf("the cookies of a session that ended: %v, %v", a, err)
			}
		}
	}
	slices.Sort(took)
	t.Logf("worthless everywhere after the logout's answer: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if worst := took[len(took)-1]; worst > time.Second {
		t.Errorf("worst %v", worst)
	}
}
