package sessions

import (
	"context"
	"net/http"
	"strconv"
	"strings"
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
		s.alive(t, ck.Value)
		if s.near.get(nearKey(ck.Value)) != nil {
			t.Error("an ended session is near")
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
	_, ck, err := s.Raise(t.Context(), live, Raised{Idle: time.Minute, Life: time.Hour})
	check(t, err)
	for range 100 {
		c.sleep(5 * time.Second)
		if !s.alive(t, ck.Value) {
			t.Fatal("a session in use ended")
		}
		s.writeDown()
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

// TestOthersEndingsKeepNobodyOut: a load that is overtaken by the end of other
// sessions is near all the same, unless there were too many to remember.
func TestOthersEndingsKeepNobodyOut(t *testing.T) {
	for endings, near := range map[int]bool{10: true, remembered: true, remembered + 1: false} {
		s, m, _ := service(t)
		_, ck := verified(t, s)
		s.near.flush()
		s.Store = &overtaken{memory: m, meanwhile: func() {
			for i := range endings {
				s.near.end(ID{byte(i), byte(i >> 8), byte(i >> 16), 1})
			}
		}}
		if !s.alive(t, ck.Value) {
			t.Fatal("it does not live")
		}
		if got := s.near.get(nearKey(ck.Value)) != nil; got != near {
			t.Errorf("after %d endings: near %v", endings, got)
		}
		if len(s.near.recent) > remembered {
			t.Errorf("%d endings are remembered", len(s.near.recent))
		}
	}
}

// TestOneSpelling of a cookie is one of ours: under another one a session
// would be near a second time, and outlive its end there.
func TestOneSpelling(t *testing.T) {
	s, _, _ := service(t)
	_, ck := verified(t, s)
	trimmed := strings.TrimRight(ck.Value, "=")
	last := len(trimmed) - 1
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		value := trimmed[:last] + string(c) + ck.Value[len(trimmed):]
		if value != ck.Value && s.alive(t, value) {
			t.Errorf("%q is as good as %q", value, ck.Value)
		}
	}
	for _, value := range []string{trimmed, ck.Value + "=", ck.Value[:9] + "\n" + ck.Value[9:], ck.Value + "\r\n"} {
		if value != ck.Value && s.alive(t, value) {
			t.Errorf("%q is as good as %q", value, ck.Value)
		}
	}
}

// TestTwoKeysOfOneSession are both forgotten with it.
func TestTwoKeysOfOneSession(t *testing.T) {
	s, _, _ := service(t)
	live, ck := verified(t, s)
	other := s.live(live.Record, live.token, "another spelling", s.near.now())
	s.near.keep(other)
	if s.near.get(nearKey(ck.Value)) != nil {
		t.Error("a session is near under two keys")
	}
	s.near.drop(live) // which is not what is near any more
	check(t, s.End(t.Context(), live))
	if s.near.get("another spelling") != nil {
		t.Error("near after its end")
	}
}

// TestNearIsBounded: there are never more than it has room for, by either
// way to them, and those in use stay.
func TestNearIsBounded(t *testing.T) {
	const size = 64
	n := newNear(size)
	session := func(i int) *Session {
		live := &Session{Record: Record{ID: ID{byte(i), byte(i >> 8)}}, key: nearKey(strconv.Itoa(i))}
		live.seen.Store(int64(i))
		return live
	}
	used := session(0)
	n.keep(used)
	for i := 1; i < 50*size; i++ {
		used.seen.Store(int64(i))
		n.keep(session(i))
	}
	entries := 0
	n.entries.Range(func(any, any) bool { entries++; return true })
	if entries != size || len(n.kept) != size {
		t.Errorf("%d entries of %d sessions, there is room for %d", entries, len(n.kept), size)
	}
	if n.get(used.key) != used {
		t.Error("the one that is used all the time had to go")
	}
}

// TestOneNear: even the smallest cache lets the last one in.
func TestOneNear(t *testing.T) {
	s, err := New(Options{Store: &memory{records: map[ID]Record{}}, Ledger: &ledger{ended: map[string]bool{}, from: map[identity.Subject]time.Time{}},
		Ring: ringOf(t, "k1"), Now: time.Now, Near: 1})
	check(t, err)
	t.Cleanup(s.Close)
	for range 3 {
		_, ck := verified(t, s)
		if s.near.get(nearKey(ck.Value)) == nil || !s.alive(t, ck.Value) {
			t.Error("the newest session is not near")
		}
	}
}
