package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shared is a log of one line, and what can happen to it.
type shared struct {
	mu     sync.Mutex
	name   string
	number uint64
	nodes  map[*node]func(Entry)
}

// node is a node's way to the log.
type node struct {
	*shared
	cut     bool          // no subscription
	silent  bool          // a subscription that tells nothing
	slow    time.Duration // until a beat arrives
	refused bool          // no commands
	heards  int
}

func newShared() *shared { return &shared{name: "first", nodes: map[*node]func(Entry){}} }

func (l *shared) node() *node { return &node{shared: l} }

func (n *node) Lines() int { return 1 }

var errCut = errors.New("cut")

func (n *node) Hear(ctx context.Context, heard func(Entry)) error {
	n.mu.Lock()
	n.heards++
	if n.cut {
		n.mu.Unlock()
		return errCut
	}
	n.nodes[n] = heard
	n.mu.Unlock()
	<-ctx.Done()
	n.mu.Lock()
	delete(n.nodes, n)
	n.mu.Unlock()
	return ctx.Err()
}

func (n *node) Beat(ctx context.Context, mark uint64) error {
	n.mu.Lock()
	slow, refused := n.slow, n.refused
	n.mu.Unlock()
	if refused {
		return errCut
	}
	time.Sleep(slow)
	n.tell(n, Entry{Log: n.name, Number: n.number, Mark: mark})
	return nil
}

func (l *shared) tell(n *node, e Entry) {
	l.mu.Lock()
	heard := l.nodes[n]
	if n.silent || n.cut {
		heard = nil
	}
	l.mu.Unlock()
	if heard != nil {
		heard(e)
	}
}

// end enters endings and tells all nodes, but those that miss it.
func (l *shared) end(ids ...ID) {
	l.mu.Lock()
	l.number++
	e := Entry{Log: l.name, Number: l.number, Ended: ids}
	var all []*node
	for n := range l.nodes {
		all = append(all, n)
	}
	l.mu.Unlock()
	for _, n := range all {
		l.tell(n, e)
	}
}

func (l *shared) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// pair is two nodes over one store, in a bubble of time.
type pair struct {
	*memory
	log    *shared
	ledger *ledger
	one    *Sessions
	two    *Sessions
	there  *node // the second's way to the log
}

// together runs do over two nodes that hear the log.
func together(t *testing.T, do func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{memory: &memory{records: map[ID]Record{}}, log: newShared()}
		p.there = p.log.node()
		p.one = over(t, p.memory, ringOf(t, "k1"), time.Now)
		p.ledger = p.one.Ledger.(*ledger)
		p.two = p.onNode(t, p.there)
		time.Sleep(time.Second)
		do(t, p)
	})
}

func (p *pair) onNode(t *testing.T, n *node) *Sessions {
	t.Helper()
	s, err := New(Options{Store: p.memory, Feed: n, Ledger: p.ledger, Ring: ringOf(t, "k1"), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(s.Close)
	return s
}

// asks counts how often the second node asks the store while it looks for a
// session n times.
func (p *pair) asks(t *testing.T, value string, n int) int64 {
	t.Helper()
	before := p.finds.Load()
	for range n {
		p.two.alive(t, value)
	}
	return p.finds.Load() - before
}

// TestEndedElsewhere: one node ends a session, another has it near.
func TestEndedElsewhere(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		live, ck := verified(t, p.one)
		if n := p.asks(t, ck.Value, 10); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
		check(t, p.one.End(t.Context(), live))
		p.log.end(live.ID)
		if p.two.alive(t, ck.Value) {
			t.Error("it lives on")
		}
	})
}

// TestUnheardEndings: whatever keeps an ending from being heard, the near
// cache does not count a second later, nor after the log is heard again.
func TestUnheardEndings(t *testing.T) {
	for what, fault := range map[string]func(p *pair, on bool){
		"silent subscription": func(p *pair, on bool) { p.there.silent = on },
		"lost subscription":   func(p *pair, on bool) { p.there.cut = on },
		"no commands":         func(p *pair, on bool) { p.there.silent, p.there.refused = on, on },
		"late beats": func(p *pair, on bool) {
			p.there.silent = on
			p.there.slow = 0
			if on {
				p.there.slow = 900 * time.Millisecond
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			together(t, func(t *testing.T, p *pair) {
				live, ck := verified(t, p.one)
				_, other := verified(t, p.one)
				p.asks(t, ck.Value, 1)
				p.asks(t, other.Value, 1)
				p.log.change(func() { fault(p, true) })
				check(t, p.one.End(t.Context(), live))
				p.log.end(live.ID)
				time.Sleep(1001 * time.Millisecond)
				if p.two.alive(t, ck.Value) {
					t.Error("it lives on after a second")
				}
				if n := p.asks(t, other.Value, 5); n != 5 {
					t.Errorf("deaf, the store is asked %d times for 5 requests", n)
				}
				p.log.change(func() { fault(p, false) })
				time.Sleep(5 * time.Second)
				if p.two.alive(t, ck.Value) {
					t.Error("it lives again")
				}
				p.asks(t, other.Value, 1)
				if n := p.asks(t, other.Value, 5); n != 0 {
					t.Errorf("heard again, the store is still asked %d times", n)
				}
			})
		})
	}
}

// TestAgeOfABeat is counted from when it was asked for: what comes through a
// slow line is old.
func TestAgeOfABeat(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		p.log.change(func() { p.there.slow = 1100 * time.Millisecond })
		time.Sleep(5 * time.Second)
		if n := p.asks(t, ck.Value, 5); n != 5 {
			t.Errorf("beats of more than a second count: the store was asked %d times", n)
		}
	})
}

// TestGaps: after an entry that was missed, nothing near is believed.
func TestGaps(t *testing.T) {
	for what, miss := range map[string]func(p *pair, id ID){
		"an ending that was not told": func(p *pair, id ID) {
			p.log.change(func() { p.there.silent = true })
			p.log.end(id)
			p.log.change(func() { p.there.silent = false })
			p.log.end(ID{1})
		},
		"told by the next beat": func(p *pair, id ID) {
			p.log.change(func() { p.there.silent = true })
			p.log.end(id)
			p.log.change(func() { p.there.silent = false })
			time.Sleep(2 * beatEvery)
		},
		"a log that begins anew": func(p *pair, id ID) {
			p.log.change(func() { p.log.name = "second" })
			time.Sleep(2 * beatEvery)
		},
		"a log that lost its end": func(p *pair, id ID) {
			p.log.change(func() { p.log.number -= 2 })
			time.Sleep(2 * beatEvery)
		},
	} {
		t.Run(what, func(t *testing.T) {
			together(t, func(t *testing.T, p *pair) {
				for range 5 {
					p.log.end(ID{2})
				}
				live, ck := verified(t, p.one)
				p.asks(t, ck.Value, 1)
				check(t, p.one.End(t.Context(), live))
				if !p.two.alive(t, ck.Value) {
					t.Fatal("the near cache is not used")
				}
				miss(p, live.ID)
				if p.two.alive(t, ck.Value) {
					t.Error("it lives on")
				}
			})
		})
	}
}

// TestNotBeforeTheFirstBeat counts what is near.
func TestNotBeforeTheFirstBeat(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		n := p.log.node()
		n.silent = true
		p.two = p.onNode(t, n)
		time.Sleep(100 * time.Millisecond)
		if n := p.asks(t, ck.Value, 3); n != 3 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

// TestIdleHereButNotElsewhere: the other node wrote down when it was seen.
func TestIdleHereButNotElsewhere(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		_, ck := verified(t, p.one)
		p.asks(t, ck.Value, 1)
		for range 8 {
			time.Sleep(10 * time.Minute)
			if !p.one.alive(t, ck.Value) {
				t.Fatal("in use, it ended")
			}
		}
		if !p.two.alive(t, ck.Value) {
			t.Error("in use on another node, it ended here")
		}
		time.Sleep(61 * time.Minute)
		if p.two.alive(t, ck.Value) {
			t.Error("idle everywhere, it lives")
		}
	})
}

// TestRule5AFailoverBringsNothingBack: what the store forgot to have ended,
// the ledger knows.
func TestRule5AFailoverBringsNothingBack(t *testing.T) {
	for _, everywhere := range []bool{false, true} {
		together(t, func(t *testing.T, p *pair) {
			live, ck := verified(t, p.one)
			time.Sleep(time.Minute)
			before := live.Record
			check(t, p.one.end(t, live, everywhere))
			check(t, p.Create(t.Context(), before)) // the replica had not heard of it
			if p.two.alive(t, ck.Value) || p.one.alive(t, ck.Value) {
				t.Error("it is back")
			}
			p.ledger.err = errCut
			if _, err := p.two.Find(t.Context(), "wiki", ck.Value); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("a ledger that cannot tell: %v", err)
			}
		})
	}
}

// TestTwoHearingsOnOneFeed, as after a reload with other keys: the marks of
// the older one, which counts from an earlier start, prove nothing to the
// younger.
func TestTwoHearingsOnOneFeed(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		time.Sleep(24 * time.Hour)
		p.two = p.onNode(t, p.there)
		time.Sleep(time.Second)
		p.two.hearing.heard(Entry{Log: p.log.name, Number: p.log.number, Mark: uint64(24 * time.Hour)})
		p.log.change(func() { p.there.silent = true })
		time.Sleep(1500 * time.Millisecond)
		if p.two.hearing.current(time.Now()) {
			t.Error("current without a beat of its own")
		}
	})
}

// failing is a store whose End fails for a while.
type failing struct {
	*memory
	until time.Time
	log   *shared
}

func (f *failing) End(ctx context.Context, id ID) (Record, error) {
	if time.Now().Before(f.until) {
		return Record{}, errCut
	}
	rec, err := f.memory.End(ctx, id)
	if err == nil {
		f.log.end(id)
	}
	return rec, err
}

// TestHalfAnEnd is finished: what the ledger noted and the store did not, it
// is told until it takes it, so that other nodes hear of it.
func TestHalfAnEnd(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		p.one.Store = &failing{memory: p.memory, log: p.log, until: time.Now().Add(3 * time.Second)}
		live, ck := verified(t, p.one)
		p.asks(t, ck.Value, 1)
		if p.one.End(t.Context(), live) == nil {
			t.Fatal("a store that fails is no error")
		}
		time.Sleep(5 * time.Second)
		if p.two.alive(t, ck.Value) {
			t.Error("on the other node it lives on")
		}
	})
}

// TestWhatTheLedgerEndedIsEnded everywhere by whoever reads it.
func TestWhatTheLedgerEndedIsEnded(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		p.one.Store = &failing{memory: p.memory, log: p.log}
		live, ck := verified(t, p.one)
		p.asks(t, ck.Value, 1)
		check(t, p.ledger.EndSession(t.Context(), live.ID.inLedger(), time.Now()))
		p.one.near.flush()
		p.one.alive(t, ck.Value)
		time.Sleep(time.Second)
		if p.two.alive(t, ck.Value) {
			t.Error("on the other node it lives on")
		}
	})
}

// TestClosed: a configuration that was replaced may still answer, and hears of
// nothing any more.
func TestClosed(t *testing.T) {
	together(t, func(t *testing.T, p *pair) {
		live, ck := verified(t, p.one)
		_, cutAt := open(t, p.one, ck.Value)
		p.one.Close()
		if cutAt.Load() == 0 {
			t.Error("a stream stays open that nobody watches")
		}
		check(t, p.two.End(t.Context(), live))
		if p.one.alive(t, ck.Value) {
			t.Error("what ended lives on in a closed near cache")
		}
	})
}
