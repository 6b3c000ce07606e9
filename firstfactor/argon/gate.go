package argon

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"
)

// ErrBusy: so many hashes are being computed that another one would have to
// wait for long. Nothing was computed.
var ErrBusy = errors.New("argon: too many passwords at once")

const (
	// queue is how many may wait for each that is computed: about a second's
	// work.
	queue = 32
	// patience is how long one waits at most.
	patience = time.Second
)

// gate lets so many do their work at once, and so many wait for it.
type gate struct{ places, working chan struct{} }

func newGate(width int) gate {
	return gate{places: make(chan struct{}, width*(1+queue)), working: make(chan struct{}, width)}
}

// pass does the work, or says ErrBusy: at once when all places are taken.
func (g gate) pass(ctx context.Context, work func()) error {
	select {
	case g.places <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-g.places }()
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case g.working <- struct{}{}:
	case <-soon.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrBusy
	}
	defer func() { <-g.working }()
	work()
	return nil
}

// width is how many hashes are computed at once: on half of the processors,
// so that the rest serves everybody else, and in an eighth of the memory.
func width(processors int, memory int64) int {
	return max(1, min(processors/2, int(memory/8/(int64(now.memory)<<10))))
}

// widthHere goes by the limit that the Go runtime has (GOMEMLIMIT, which Caddy
// sets to the container's); without one, memory is no bound.
func widthHere() int { return width(runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1)) }
