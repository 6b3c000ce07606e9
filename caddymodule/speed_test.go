package caddymodule

import (
	"net/http"
	"testing"
	"unsafe"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestDeepened: what is on a new stack lies where it lay, however deep the
// calls that follow, and nothing is allocated for that.
func TestDeepened(t *testing.T) {
	moves := func(deep bool) (moved bool) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if deep {
				deepen(false)
			}
			var here byte
			before := uintptr(unsafe.Pointer(&here))
			nest(depth / 1024)
			moved = before != uintptr(unsafe.Pointer(&here))
		}()
		<-done
		return moved
	}
	if moves(true) {
		t.Error("the stack was copied although there was room")
	}
	if !moves(false) {
		t.Error("a new stack has room anyhow: deepen is not needed any more")
	}
}

// nest takes about a KiB of the stack n times.
//
//go:noinline
func nest(n int) byte {
	var frame [900]byte
	if n > 1 {
		frame[n] = nest(n - 1)
	}
	return frame[n]
}

// TestNextAllocatesNothing where it is a route, as in Caddy.
func TestNextAllocatesNothing(t *testing.T) {
	called := 0
	var next caddyhttp.Handler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		called++
		return nil
	})
	if n := testing.AllocsPerRun(100, func() { _ = function(next)(nil, nil) }); n > 0 || called == 0 {
		t.Errorf("%v allocations, called %d times", n, called)
	}
}
