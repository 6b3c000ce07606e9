package caddymodule

import (
	"net/http"
	"testing"
	"unsafe"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/stepgate/stepgate/gateway"
)

// TestDeepened: what is on a new stack lies where it lay, however deep the
// calls that follow, and nothing is allocated for that.
func TestDeepened(t *testing.T) {
	moves := func(kibibytes int) (moved bool) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			deepen(false)
			var here byte
			before := uintptr(unsafe.Pointer(&here))
			nest(kibibytes)
			moved = before != uintptr(unsafe.Pointer(&here))
		}()
		<-done
		return moved
	}
	if moves(depth / 1024) {
		t.Error("the stack was copied although there was room")
	}
	if !moves(64 * depth / 1024) {
		t.Error("a stack that is too small seems not to be copied: the test sees nothing")
	}
}

// nest takes about a KiB of the stack n times.
//
//go:noinline
func nest(n int) byte {
	var frame [900]byte
	if n > 1 {
		frame[n%len(frame)] = nest(n - 1)
	}
	return frame[n%len(frame)]
}

// TestNextAllocatesNothing where it is a route, as in Caddy.
func TestNextAllocatesNothing(t *testing.T) {
	called := 0
	var next caddyhttp.Handler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		called++
		return nil
	})
	if n := testing.AllocsPerRun(100, func() { handed = function(next) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if err := handed(nil, nil); err != nil || called != 1 {
		t.Errorf("%v, called %d times", err, called)
	}
}

// handed keeps what was handed on, as a visit does.
var handed gateway.Next
