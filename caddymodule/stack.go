package caddymodule

// depth is about what a request takes of the stack at most, in this handler
// and those that follow it, in bytes.
const depth = 16 << 10

// deepen makes room for depth on the stack at once, while it is shallow.
// HTTP/2 serves each request on a new stack of a few KiB. Whenever that is
// outgrown, it is copied frame by frame into one of double the size: most
// often deep in the reverse proxy, where this is a tenth of what a request
// costs. Only the frame's size counts, nothing is written into it: use is
// false.
//
//go:noinline
func deepen(use bool) byte {
	if !use {
		return 0
	}
	var frame [depth]byte
	return last(&frame)
}

//go:noinline
func last(frame *[depth]byte) byte { return frame[depth-1] }
