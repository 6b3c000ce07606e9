package admin

import (
	"net"
	"os"
	"testing"
)

// A connection that is no Unix socket's has no caller, whoever opened it.
func TestPasswordSocketCallers(t *testing.T) {
	over, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = over.Close() }()
	c, err := net.Dial("tcp", over.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if caller, err := callerOf(c); err == nil {
		t.Errorf("over TCP it is %s", caller)
	}
	for _, c := range []struct {
		uid  uint32
		own  int
		want bool
	}{{0, 0, true}, {0, 998, true}, {998, 998, true}, {1000, 998, false}, {1000, 0, false}} {
		if trusted(c.uid, c.own) != c.want {
			t.Errorf("user %d at the gateway of user %d: %v", c.uid, c.own, !c.want)
		}
	}
	if got := named(uint32(os.Geteuid())); got == "" {
		t.Error("nobody")
	}
	if got := named(4_000_000_000); got != "uid 4000000000" {
		t.Errorf("a user without a name is %q", got)
	}
}
