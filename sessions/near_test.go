package sessions

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// TestEndInACrowd: sessions that are loaded while others end, one by one or
// all of a person, are gone once their own end has returned.
func TestEndInACrowd(t *testing.T) {
	s, _, _ := service(t)
	for round := range 300 {
		live, ck := verified(t, s)
		others := make([]*Session, 4)
		for i := range others {
			others[i], _ = verified(t, s)
		}
		var ended atomic.Bool
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 40 {
					if before := ended.Load(); s.alive(t, ck.Value) && before {
						t.Error("found after its end")
						return
					}
				}
			})
		}
		all.Go(func() {
			for _, other := range others {
				check(t, s.End(t.Context(), other))
			}
		})
		all.Go(func() {
			check(t, s.end(t, live, round%2 == 0))
			ended.Store(true)
		})
		all.Wait()
		if t.Failed() {
			return
		}
	}
}

func (s *Sessions) end(t testing.TB, live *Session, everywhere bool) error {
	if everywhere {
		return s.EndSubject(t.Context(), live.Subject)
	}
	return s.End(t.Context(), live)
}

// overtaken is a store in which a session ends between the reading of its
// record and the answer, while another request looks for it.
type overtaken struct {
	*memory
	meanwhile func()
}

func (o *overtaken) Find(ctx context.Context, id ID, now time.Time) (Record, error) {
	rec, err := o.memory.Find(ctx, id, now)
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
	return rec, err
}

// TestNoEntryOfALoadThatWasOvertaken serves anybody: the one that the load
// itself returns is the last.
func TestNoEntryOfALoadThatWasOvertaken(t *testing.T) {
	for _, everywhere := range []bool{false, true} {
		s, m, _ := service(t)
		live, ck := verified(t, s)
		s.near.flush()
		slow := &overtaken{memory: m}
		s.Store = slow
		slow.meanwhile = func() { check(t, s.end(t, live, everywhere)) }
		loaded, err := s.Find(t.Context(), "wiki", ck.Value)
		if err == nil && loaded.settled.Load() {
			t.Error("the entry of an ended session counts as settled")
		}
		if err == nil { // as if the load had been stopped before it took the entry away
			s.near.entries.Set(loaded.key, loaded)
		}
		if s.alive(t, ck.Value) {
			t.Error("an ended session is found in the near cache")
		}
	}
}

// TestShortSessionsAreTouchedInTime: one in use outlives a restart, which
// knows only what was written down.
func TestShortSessionsAreTouchedInTime(t *testing.T) {
	s, m, c := service(t)
	live, _ := begin(t, s)
	_, ck, err := s.Raise(t.Context(), live, nil, "", time.Minute, time.Hour)
	check(t, err)
	for range 100 {
		c.sleep(5 * time.Second)
		if !s.alive(t, ck.Value) {
			t.Fatal("a session in use ended")
		}
		s.Close()
	}
	if n := m.touches.Load(); n < 30 || n > 35 {
		t.Errorf("%d touches in 500 seconds", n)
	}
	c.sleep(40 * time.Second)
	restarted := over(t, m, ringOf(t, "k1"), c.now)
	if !restarted.alive(t, ck.Value) {
		t.Error("40 seconds after its last use a session of a minute's idle time is over")
	}
	c.sleep(time.Minute)
	if restarted.alive(t, ck.Value) {
		t.Error("idle for a minute, it lives")
	}
}

// forgetful ends sessions without saying which, as when another node was
// faster.
type forgetful struct{ *memory }

func (f forgetful) EndSubject(ctx context.Context, who identity.Subject) ([]ID, error) {
	_, err := f.memory.EndSubject(ctx, who)
	return nil, err
}

func TestEndSubjectEmptiesTheNearCache(t *testing.T) {
	s, m, _ := service(t)
	s.Store = forgetful{m}
	var cookies []*http.Cookie
	for range 20 {
		_, ck := verified(t, s)
		s.alive(t, ck.Value)
		cookies = append(cookies, ck)
	}
	check(t, s.EndSubject(t.Context(), alice))
	for _, ck := range cookies {
		if s.alive(t, ck.Value) {
			t.Fatal("a session of an ended person is found in the near cache")
		}
	}
}
