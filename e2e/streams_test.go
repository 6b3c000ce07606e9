//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// cutWithin is the promise for streams of a session that ended anywhere.
const cutWithin = 2 * time.Second

// TestStreams: what is open on one node is cut when the session ends on another; what others have open stays.
func TestStreams(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1")
	n := StartNodes(t, 3)
	t.Run("cut from another node", func(t *testing.T) { cutFromElsewhere(t, n) })
	t.Run("cut without the subscription", func(t *testing.T) { cutUnheard(t, n) })
	t.Run("cut when nobody may subscribe", func(t *testing.T) { cutForbidden(t, n) })
	t.Run("what is sent on them", func(t *testing.T) { sentOnThem(t, n) })
}

// streamsOf opens streams of all kinds at the second and the third node.
func streamsOf(t *testing.T, n *Nodes, v *visitor) map[string]*stream {
	t.Helper()
	open := map[string]*stream{}
	for kind, start := range streamKinds {
		for at := range 2 {
			open[fmt.Sprintf("%s at %d", kind, at+1)] = start(t, n.Gateways[at+1], v)
		}
	}
	eventually(t, "the console's ends", 5*time.Second, func() bool { return n.Console.Open(v.name) == len(open) })
	return open
}

// mustEnd ends a session at the first node, and finds all its streams at the others cut at both ends, and no other. The
// time counts from the logout's answer; most are cut before it.
func mustEnd(t *testing.T, n *Nodes, leaver, stays *visitor) {
	t.Helper()
	hers, his := streamsOf(t, n, leaver), streamsOf(t, n, stays)
	time.Sleep(time.Second)
	for kind, s := range hers {
		if !s.open() {
			t.Errorf("%s ends by itself", kind)
		}
	}
	leaver.signOut(n.url(0))
	var all sync.WaitGroup
	for kind, s := range hers {
		all.Go(func() {
			took, ok := s.endsWithin(cutWithin)
			t.Logf("%s: cut after %v", kind, took.Round(time.Millisecond/10))
			if !ok {
				t.Errorf("%s is open after %v", kind, cutWithin)
			}
		})
	}
	all.Wait()
	eventually(t, "the end at the console", time.Second, func() bool { return n.Console.Open(leaver.name) == 0 })
	time.Sleep(500 * time.Millisecond)
	for kind, s := range his {
		if !s.open() {
			t.Errorf("another person's %s is cut", kind)
		}
		s.close()
	}
}

func (n *Nodes) pair(t *testing.T, what string) (leaver, stays *visitor) {
	t.Helper()
	leaver, stays = newVisitor(t, what+" leaver"), newVisitor(t, what+" other")
	leaver.enroll(n.url(0), n.url(1), n.url(2))
	stays.enroll(n.url(2), n.url(1), n.url(0))
	return leaver, stays
}

func cutFromElsewhere(t *testing.T, n *Nodes) {
	leaver, stays := n.pair(t, "heard")
	mustEnd(t, n, leaver, stays)
}

// cutUnheard kills the subscriptions of all nodes again and again meanwhile.
func cutUnheard(t *testing.T, n *Nodes) {
	leaver, stays := n.pair(t, "unheard")
	stop := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				n.Redis.Try("CLIENT", "KILL", "TYPE", "pubsub")
			}
		}
	})
	defer killing.Wait()
	defer close(stop)
	mustEnd(t, n, leaver, stays)
}

// cutForbidden takes the right to subscribe away, so that nothing is heard at all.
func cutForbidden(t *testing.T, n *Nodes) {
	leaver, stays := n.pair(t, "forbidden")
	n.Redis.CLI("ACL", "SETUSER", "default", "-subscribe", "-psubscribe", "-ssubscribe")
	n.Redis.CLI("CLIENT", "KILL", "TYPE", "pubsub")
	defer n.Redis.CLI("ACL", "SETUSER", "default", "+@all")
	time.Sleep(1200 * time.Millisecond) // until nothing counts as heard
	mustEnd(t, n, leaver, stays)
}

// sentOnThem sends through each kind of stream and has it sent back.
func sentOnThem(t *testing.T, n *Nodes) {
	v := newVisitor(t, "sender")
	v.enroll(n.url(0), n.url(1), n.url(2))
	for kind, start := range streamKinds {
		if kind == "event stream" {
			continue
		}
		s := start(t, n.Gateways[1], v)
		for range 10 {
			if _, err := io.WriteString(s.out, "typing"); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		eventually(t, kind+" sends back", 2*time.Second, func() bool { return s.got.Load() == int64(10*len("typing")) })
		s.close()
	}
}
