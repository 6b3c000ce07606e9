package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// beatEvery is how often a node asks the log for its place.
	beatEvery = 300 * time.Millisecond
	// beatLife is how long an answer counts, from when it was asked for: an
	// ending that was not heard is believed no longer.
	beatLife = time.Second
	// deafAfter is when a subscription that tells nothing is given up.
	deafAfter = 2 * time.Second
	// hearAgain is the pause before the next one.
	hearAgain = 200 * time.Millisecond
)

// hearing follows the log of endings. The near cache counts only while every
// line's last beat is younger than beatLife and nothing before it was missed.
// All times are of this process's own monotonic clock.
type hearing struct {
	feed  Feed // nil: nobody else has the store
	ended func(...ID)
	flush func()
	start time.Time
	until atomic.Int64 // nanoseconds since start

	mu    sync.Mutex
	lines []line
}

// line is how far a line of the log was heard.
type line struct {
	log    string // "": not at all
	number uint64
	beat   int64 // when the last beat that was heard was sent; 0: none was
}

var errDeaf = errors.New("sessions: nothing is heard of the log of endings")

func newHearing(feed Feed, ended func(...ID), flush func()) *hearing {
	h := &hearing{feed: feed, ended: ended, flush: flush, start: time.Now()}
	if feed != nil {
		h.lines = make([]line, feed.Lines())
	}
	return h
}

func (h *hearing) since() int64 { return int64(time.Since(h.start)) }

// current tells whether at now every ending that is older than beatLife was
// heard. Of now, the monotonic clock counts.
func (h *hearing) current(now time.Time) bool {
	return h.feed == nil || int64(now.Sub(h.start)) < h.until.Load()
}

// run keeps a subscription until ctx ends.
func (h *hearing) run(ctx context.Context, log *slog.Logger) {
	deaf := false
	for ctx.Err() == nil {
		err := h.subscribe(ctx)
		if ctx.Err() != nil {
			return
		}
		if !deaf {
			log.Warn("the log of ended sessions cannot be heard; every request asks the store until it can", "error", err)
		}
		deaf = h.lost()
		pause(ctx, hearAgain)
	}
}

// subscribe hears and beats until the subscription breaks or tells nothing.
func (h *hearing) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beating sync.WaitGroup
	defer beating.Wait()
	beating.Go(func() { cancel(h.beat(ctx)) })
	err := h.feed.Hear(ctx, h.heard)
	cancel(err)
	return context.Cause(ctx)
}

// beat asks for the log's place again and again, and gives up when nothing
// comes back.
func (h *hearing) beat(ctx context.Context) (err error) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for last := h.since(); ; {
		beating, cancel := context.WithTimeout(ctx, beatLife)
		failed := h.feed.Beat(beating, uint64(h.since()))
		cancel()
		if failed != nil {
			err = failed
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if h.current(time.Now()) {
			last, err = h.since(), nil
		} else if h.since()-last > int64(deafAfter) {
			return errors.Join(errDeaf, err)
		}
	}
}

// lost has nothing near count until the next beat, whose number will tell
// whether something was missed. It tells whether the log had been heard at
// all since the last time.
func (h *hearing) lost() (deaf bool) { return h.until.Swap(0) == 0 }

// heard takes an entry of the log.
func (h *hearing) heard(e Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &h.lines[e.Line]
	expected := l.number
	if e.Mark == 0 {
		expected++
	}
	if l.log != e.Log || expected != e.Number {
		h.flush()
	}
	l.log, l.number = e.Log, e.Number
	// A mark of the future is of another hearing on this feed, which counts
	// from its own start.
	if sent := int64(e.Mark); sent <= h.since() {
		l.beat = max(l.beat, sent)
	}
	if len(e.Ended) > 0 {
		h.ended(e.Ended...)
	}
	h.until.Store(h.counts())
}

// counts is until when the near cache counts: as long as the line that was
// heard longest ago allows.
func (h *hearing) counts() int64 {
	until := int64(0)
	for i, l := range h.lines {
		if l.beat == 0 {
			return 0
		}
		if at := l.beat + int64(beatLife); i == 0 || at < until {
			until = at
		}
	}
	return until
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
