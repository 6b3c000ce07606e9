package sessions

import (
	"sync/atomic"
	"testing"
	"time"
)

// open watches a stream, and tells when it was cut.
func open(t *testing.T, s *Sessions, value string) (live *Session, cutAt *atomic.Int64) {
	t.Helper()
	live, err := s.Find(t.Context(), "wiki", value)
	check(t, err)
	cutAt = new(atomic.Int64)
	done := s.Watch(live, func() { cutAt.Add(time.Now().UnixNano()) })
	t.Cleanup(done)
	return live, cutAt
}

// TestStreamsAreCut within two seconds of the end of their session, however it
// ends and whatever of it is heard; others stay open.
func TestStreamsAreCut(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, p *pair, live *Session){
		"here":       func(t *testing.T, p *pair, live *Session) { check(t, p.two.End(t.Context(), live)) },
		"everywhere": func(t *testing.T, p *pair, live *Session) { check(t, p.two.EndSubject(t.Context(), live.Subject)) },
		"elsewhere": func(t *testing.T, p *pair, live *Session) {
			check(t, p.one.End(t.Context(), live))
			p.log.end(live.ID)
		},
		"elsewhere, not heard": func(t *testing.T, p *pair, live *Session) {
			p.log.change(func() { p.there.cut, p.there.silent = true, true })
			check(t, p.one.End(t.Context(), live))
			p.log.end(live.ID)
		},
		"elsewhere, missed": func(t *testing.T, p *pair, live *Session) {
			check(t, p.one.End(t.Context(), live))
			p.log.change(func() { p.log.number++ })
		},
		"idle":              func(t *testing.T, p *pair, live *Session) { time.Sleep(live.Idle) },
		"gone from storage": func(t *testing.T, p *pair, live *Session) { p.log.change(func() { p.log.name = "new" }); forgetAll(p) },
	} {
		t.Run(what, func(t *testing.T) {
			together(t, func(t *testing.T, p *pair) {
				_, ck := verified(t, p.one)
				live, cutAt := open(t, p.two, ck.Value)
				time.Sleep(10 * time.Second)
				if cutAt.Load() != 0 {
					t.Fatal("cut before the end")
				}
				end(t, p, live)
				began := time.Now()
				time.Sleep(2 * time.Second)
				if at := cutAt.Load(); at == 0 {
					t.Error("open after two seconds")
				} else if at > began.Add(2*time.Second).UnixNano() {
					t.Error("cut twice")
				}
			})
		})
	}
}

func forgetAll(p *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.records)
}

// TestStreamsStay open while their session lives, also when others end, when
// the log is not heard, and when only what the client sends keeps it alive.
func TestStreamsStay(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		live, cutAt := open(t, p.two, ck.Value)
		other, _ := verified(t, p.one)
		check(t, p.one.End(t.Context(), other))
		p.log.end(other.ID)
		p.log.change(func() { p.there.cut, p.there.silent = true, true })
		time.Sleep(5 * time.Second)
		p.log.change(func() { p.there.cut, p.there.silent = false, false })
		for range 9 {
			time.Sleep(20 * time.Minute)
			p.two.Use(live)
		}
		if cutAt.Load() != 0 {
			t.Error("cut although the client sends")
		}
		if !p.one.alive(t, ck.Value) {
			t.Error("what the client sends on a stream does not keep its session alive")
		}
		time.Sleep(22 * time.Hour)
		if cutAt.Load() == 0 {
			t.Error("open after the session's lifetime")
		}
	})
}

// TestStreamsOfAnOlderMoment: a session that ended between its finding and the
// opening of its stream is asked about.
func TestStreamsOfAnOlderMoment(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		live, err := p.two.Find(t.Context(), "wiki", ck.Value)
		check(t, err)
		check(t, p.one.End(t.Context(), live))
		p.log.end(live.ID)
		p.two.near.flush() // its entry is not marked
		live.ended.Store(false)
		var cut atomic.Bool
		defer p.two.Watch(live, func() { cut.Store(true) })()
		time.Sleep(2 * time.Second)
		if !cut.Load() {
			t.Error("open after two seconds")
		}
	})
}

// TestStreamsOfALostStore are cut: what cannot be told is denied.
func TestStreamsOfALostStore(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		_, cutAt := open(t, p.two, ck.Value)
		time.Sleep(time.Second)
		p.ledger.mu.Lock()
		p.ledger.err = errCut
		p.ledger.mu.Unlock()
		p.log.change(func() { p.there.cut, p.there.silent = true, true })
		time.Sleep(2 * time.Second)
		if cutAt.Load() == 0 {
			t.Error("open although nobody can tell whether its session lives")
		}
	})
}

// TestShortAnswersAskNothing: looking at streams costs no look at the store
// for those that are over in a moment.
func TestShortAnswersAskNothing(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		p.asks(t, ck.Value, 1)
		live, err := p.two.Find(t.Context(), "wiki", ck.Value)
		check(t, err)
		before := p.finds.Load()
		for range 1000 {
			done := p.two.Watch(live, func() { t.Error("cut") })
			time.Sleep(30 * time.Millisecond)
			done()
		}
		if n := p.finds.Load() - before; n > 0 {
			t.Errorf("the store was asked %d times", n)
		}
		if len(p.two.streams.open) > 0 {
			t.Error("streams that are over are still there")
		}
	})
}

// TestNoCutAfterDone: by then the connection serves somebody else.
func TestNoCutAfterDone(t *testing.T) {
	s, _, _ := service(t)
	live, _ := verified(t, s)
	over := false
	done := s.Watch(live, func() {
		if over {
			t.Error("cut after done")
		}
	})
	listed := s.streams.of(live.ID) // an end, between its two steps
	done()
	over = true
	for _, st := range listed {
		st.cut()
	}
}
