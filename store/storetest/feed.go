package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// Node is one of several that share a store.
type Node interface {
	sessions.Store
	sessions.Feed
}

// Feed runs the suite of the log of endings. open gives nodes on one empty
// store, which it also closes at the end of the test.
func Feed(t *testing.T, open func(t *testing.T, nodes int) []Node) {
	for name, test := range map[string]func(*testing.T, []Node){
		"every ending once":  feedEndings,
		"what ends nothing":  feedNothing,
		"beats":              feedBeats,
		"many nodes at once": feedCrowd,
		"canceled":           feedCanceled,
	} {
		t.Run("feed/"+name, func(t *testing.T) { test(t, open(t, 3)) })
	}
}

// listener is what one node hears.
type listener struct {
	node Node
	mu   sync.Mutex
	all  []sessions.Entry
}

// listen subscribes until the test ends, and returns when the node hears.
func listen(t *testing.T, node Node) *listener {
	t.Helper()
	l := &listener{node: node}
	ctx, stop := context.WithCancel(t.Context())
	var hearing sync.WaitGroup
	hearing.Go(func() {
		if err := node.Hear(ctx, l.heard); err == nil {
			t.Error("Hear returned no error")
		}
	})
	t.Cleanup(func() { stop(); hearing.Wait() })
	l.settle(t)
	return l
}

func (l *listener) heard(e sessions.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

func (l *listener) entries() []sessions.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// settle returns when a beat of all lines was heard, behind which nothing of
// before can come, and returns it.
func (l *listener) settle(t *testing.T) (beat []sessions.Entry) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		mark := uint64(time.Now().UnixNano())
		must(t, l.node.Beat(t.Context(), mark))
		for range 20 {
			time.Sleep(5 * time.Millisecond)
			beat = slices.DeleteFunc(l.entries(), func(e sessions.Entry) bool { return e.Mark != mark })
			if len(beat) == l.node.Lines() {
				return beat
			}
		}
	}
	t.Fatal("no beat of all lines is heard")
	return nil
}

// endings returns what ended, in the order heard, and checks that the numbers
// of each line have no gap, and that beats tell them.
func (l *listener) endings(t *testing.T) (ended []sessions.ID) {
	t.Helper()
	l.settle(t)
	type place struct {
		log    string
		number uint64
	}
	at := map[int]place{}
	for _, e := range l.entries() {
		was, known := at[e.Line]
		next := was.number
		if e.Mark == 0 {
			next++
		}
		if known && (e.Log != was.log || e.Number != next) {
			t.Errorf("line %d: after %+v came %+v", e.Line, was, e)
		}
		if (e.Mark == 0) != (len(e.Ended) > 0) {
			t.Errorf("%+v is neither an ending nor a beat", e)
		}
		at[e.Line] = place{e.Log, e.Number}
		ended = append(ended, e.Ended...)
	}
	return ended
}

func feedEndings(t *testing.T, nodes []Node) {
	ctx, now := t.Context(), clock()
	one, two, three, four := newSession(now), newSession(now), newSession(now), newSession(now)
	for _, r := range []sessions.Record{one, two, three} {
		must(t, nodes[0].Create(ctx, r))
	}
	here, there := listen(t, nodes[0]), listen(t, nodes[1])
	_, err := nodes[0].End(ctx, one.ID)
	must(t, err)
	must(t, nodes[1].Replace(ctx, two.ID, four))
	ended, err := nodes[2].EndSubject(ctx, alice)
	must(t, err)
	want := append([]sessions.ID{one.ID, two.ID}, ended...)
	for _, l := range []*listener{here, there} {
		if got := l.endings(t); len(ended) != 2 || !slices.Equal(got, want) {
			t.Errorf("heard of %d endings, want %d in their order", len(got), len(want))
		}
	}
}

func feedNothing(t *testing.T, nodes []Node) {
	ctx, now := t.Context(), clock()
	r, other := newSession(now), newSession(now)
	l := listen(t, nodes[0])
	must(t, nodes[1].Create(ctx, r))
	must(t, nodes[1].Touch(ctx, seenAt(now.Add(time.Second), r.ID)))
	_, err := nodes[1].Find(ctx, r.ID, now)
	must(t, err)
	_, err = nodes[1].End(ctx, other.ID)
	wantErr(t, "end one that never was", err, sessions.ErrNotFound)
	wantErr(t, "replace one that never was", nodes[1].Replace(ctx, other.ID, newSession(now)), sessions.ErrNotFound)
	wantUnknown(t, "replace by an id in use", nodes[1].Replace(ctx, r.ID, r), sessions.ErrNotFound)
	_, err = nodes[1].EndSubject(ctx, identity.Subject{Realm: "wiki", Name: "nobody"})
	must(t, err)
	if got := l.endings(t); len(got) != 0 {
		t.Errorf("heard of %d endings, and nothing ended", len(got))
	}
}

func feedBeats(t *testing.T, nodes []Node) {
	one, two := listen(t, nodes[0]), listen(t, nodes[1])
	before := len(two.entries())
	places := map[int]bool{}
	for _, e := range one.settle(t) {
		places[e.Line] = true
	}
	if len(places) != nodes[0].Lines() {
		t.Errorf("a beat told of %d lines, there are %d", len(places), nodes[0].Lines())
	}
	if got := len(two.entries()); got != before {
		t.Error("a node hears another one's beats")
	}
}

func feedCrowd(t *testing.T, nodes []Node) {
	ctx, now := t.Context(), clock()
	one, two := listen(t, nodes[0]), listen(t, nodes[1])
	records := make([]sessions.Record, crowd)
	for i := range records {
		records[i] = newSessionOf(identity.Subject{Realm: "wiki", Name: string(rune('a' + i%16))}, now)
		must(t, nodes[0].Create(ctx, records[i]))
	}
	race(t, nil, func(i int) error { _, err := nodes[i%len(nodes)].End(ctx, records[i].ID); return err })
	first, second := one.endings(t), two.endings(t)
	for _, r := range records {
		if count(first, r.ID) != 1 || count(second, r.ID) != 1 {
			t.Errorf("an ending was heard %d and %d times", count(first, r.ID), count(second, r.ID))
		}
	}
}

func count(ids []sessions.ID, id sessions.ID) (n int) {
	for _, each := range ids {
		if each == id {
			n++
		}
	}
	return n
}

func feedCanceled(t *testing.T, nodes []Node) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- nodes[0].Hear(ctx, func(sessions.Entry) {}) }()
	time.Sleep(50 * time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Hear returned no error")
		}
	case <-time.After(time.Second):
		t.Fatal("Hear goes on after its context ended")
	}
	if nodes[0].Beat(canceled(t), 1) == nil {
		t.Error("a canceled beat is no error")
	}
}
