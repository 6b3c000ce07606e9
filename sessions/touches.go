package sessions

import (
	"context"
	"maps"
	"sync"
	"time"
)

// writeEvery is how long uses are gathered before they are written down
// together: with many sessions, most of what the store would hear is this.
const writeEvery = time.Second

// touches are uses that were not written down yet.
type touches struct {
	mu   sync.Mutex
	seen map[ID]time.Time
}

func (t *touches) add(id ID, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = make(map[ID]time.Time)
	}
	t.seen[id] = at
}

func (t *touches) take() map[ID]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen
	t.seen = nil
	return seen
}

// giveBack keeps what could not be written for the next time, unless it was
// seen again.
func (t *touches) giveBack(seen map[ID]time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(seen, t.seen)
	t.seen = seen
}

// writeTouches writes down what was used until ctx ends.
func (s *Sessions) writeTouches(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.writeDown()
		}
	}
}

func (s *Sessions) writeDown() {
	seen := s.touches.take()
	if len(seen) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if s.Store.Touch(ctx, seen) != nil {
		s.touches.giveBack(seen)
	}
}
