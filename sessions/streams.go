package sessions

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often open streams are looked at. With the time for which
// the near cache counts and the look at the store, the stream of a session
// that ended is cut within two seconds.
const lookEvery = 400 * time.Millisecond

// asking bounds how many sessions the store is asked about at once, and
// lookTimeout a whole look: what cannot be told by then is cut.
const (
	asking      = 32
	lookTimeout = 600 * time.Millisecond
)

// streams are the answers that stay open: WebSockets, event streams.
type streams struct {
	mu   sync.Mutex
	open map[ID]*stream // a session's newest, which leads to the others
}

type stream struct {
	newer *stream
	elder *stream
	live  *Session
	once  sync.Once
	end   func()
	known atomic.Uint64 // 1 + the near cache's flushes when the store last confirmed the session
	older atomic.Bool   // than the last look
	over  atomic.Bool   // its session ended
	tried atomic.Bool   // the last look could not tell
}

func (st *stream) cut() { st.once.Do(st.end) }

// Watch has cut called, once and on its own, when the session is over or
// cannot be told to live any more: at once, or within a second of Watch. done must be called when the stream
// ends; after it cut neither runs nor will.
func (s *Sessions) Watch(live *Session, cut func()) (done func()) {
	st := &stream{live: live, end: cut}
	s.streams.add(st)
	if live.ended.Load() {
		st.over.Store(true)
	}
	if s.closed.Load() {
		st.cut() // nobody looks any more
	}
	return func() {
		s.streams.remove(st)
		st.once.Do(func() {}) // waits for a cut that runs, and forbids a later one
	}
}

// Use notes activity that is no request: what a client sends on a stream.
func (s *Sessions) Use(live *Session) { s.use(live, s.Now()) }

func (o *streams) add(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[ID]*stream)
	}
	if st.elder = o.open[st.live.ID]; st.elder != nil {
		st.elder.newer = st
	}
	o.open[st.live.ID] = st
}

func (o *streams) remove(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch newest := o.open[st.live.ID] == st; {
	case st.newer != nil:
		st.newer.elder = st.elder
	case newest && st.elder != nil:
		o.open[st.live.ID] = st.elder
	case newest: // and not removed before
		delete(o.open, st.live.ID)
	}
	if st.elder != nil {
		st.elder.newer = st.newer
	}
	st.newer, st.elder = nil, nil
}

// of lists a session's streams.
func (o *streams) of(id ID) (all []*stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for st := o.open[id]; st != nil; st = st.elder {
		all = append(all, st)
	}
	return all
}

// cut ends the streams of sessions. It is called outside of the lock, since
// ending one removes it.
func (o *streams) cut(ids ...ID) {
	for _, id := range ids {
		for _, st := range o.of(id) {
			st.cut()
		}
	}
}

// end cuts the streams of sessions that ended. What is younger than a look is
// most likely a page that is under way, and has until the next one but one.
func (o *streams) end(ids ...ID) {
	for _, id := range ids {
		for _, st := range o.of(id) {
			if st.over.Store(true); st.older.Load() {
				st.cut()
			}
		}
	}
}

// sessions lists whose streams are open.
func (o *streams) sessions() (all []ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.open {
		all = append(all, id)
	}
	return all
}

// watchStreams looks at all open streams until ctx ends.
func (s *Sessions) watchStreams(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.lookAtStreams(ctx)
			s.retry(ctx)
		}
	}
}

// retry takes the steps that the store could not take before.
func (s *Sessions) retry(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s.unended.run(ctx)
}

func (s *Sessions) lookAtStreams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var looks sync.WaitGroup
	defer looks.Wait()
	free := make(chan struct{}, asking)
	for _, id := range s.streams.sessions() {
		if !s.doubtful(id) {
			continue
		}
		free <- struct{}{}
		looks.Go(func() {
			s.confirm(ctx, id)
			<-free
		})
	}
}

// doubtful tells whether the store must be asked about a session's streams: it
// never was since they opened, endings may have been missed since, or the
// session seems to be over by itself. Most answers are over before a second
// look.
func (s *Sessions) doubtful(id ID) bool {
	now, known := s.Now(), 1+s.near.now().flushes
	current, doubtful := s.current(now), false
	for _, st := range s.streams.of(id) {
		switch older := st.older.Swap(true); {
		case older && st.over.Load():
			st.cut()
		case older && (!current || st.known.Load() != known || st.live.expired(now)):
			doubtful = true
		}
	}
	return doubtful
}

// confirm asks the store about a session, and cuts its streams unless it
// lives.
func (s *Sessions) confirm(ctx context.Context, id ID) {
	known := 1 + s.near.now().flushes
	rec, err := s.read(ctx, id, s.Now())
	if err != nil {
		s.cutDoubtful(id, err)
		return
	}
	for _, st := range s.streams.of(id) {
		st.known.Store(known)
		st.tried.Store(false)
		if seen := rec.SeenAt.UnixNano(); seen > st.live.seen.Load() {
			st.live.seen.Store(seen)
		}
	}
}

// cutDoubtful cuts the streams of a session that is gone, or of which the
// store cannot tell: where the log is heard, at the second time, since many
// may have been asked about at once.
func (s *Sessions) cutDoubtful(id ID, err error) {
	again := s.current(s.Now()) && !errors.Is(err, ErrNotFound)
	for _, st := range s.streams.of(id) {
		if tried := st.tried.Swap(true); tried || !again {
			st.cut()
		}
	}
}
