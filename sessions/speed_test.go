package sessions

import (
	"context"
	"testing"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// oneRecord is a store that holds one session and counts the looks at it.
type oneRecord struct {
	Store
	record Record
	finds  int
}

func (s *oneRecord) Create(_ context.Context, r Record) error {
	s.record = r
	return nil
}

func (s *oneRecord) Replace(_ context.Context, _ ID, r Record) error {
	s.record = r
	return nil
}

func (s *oneRecord) Find(_ context.Context, id ID, _ time.Time) (Record, error) {
	s.finds++
	if id != s.record.ID {
		return Record{}, ErrNotFound
	}
	return s.record, nil
}

// begun is a service with one session, and its cookie's value.
func begun(t testing.TB) (*Sessions, *oneRecord, string) {
	t.Helper()
	key, err := seal.NewKey("k")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing("k", key)
	if err != nil {
		t.Fatal(err)
	}
	store := new(oneRecord)
	s := over(t, store, ring, time.Now)
	now := time.Now()
	live, _, err := s.Begin(Record{Site: "console", BeganAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour})
	check(t, err)
	check(t, s.Start(t.Context(), live))
	_, ck, err := s.Raise(context.Background(), live, Raised{Idle: time.Hour, Life: time.Hour})
	check(t, err)
	return s, store, ck.Value
}

// What every request costs: a hash, a look into the near cache, nothing on
// the heap, and no look at the store.
func TestNearHitAllocatesNothing(t *testing.T) {
	s, store, value := begun(t)
	n := testing.AllocsPerRun(1000, func() {
		if _, err := s.Find(context.Background(), "console", value); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 || store.finds != 0 {
		t.Errorf("%v allocations, the store was asked %d times", n, store.finds)
	}
}

func BenchmarkNearHit(b *testing.B) {
	s, _, value := begun(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Find(context.Background(), "console", value); err != nil {
			b.Fatal(err)
		}
	}
}

// A forged cookie must not cost a look at the store, only its authentication.
func BenchmarkForgedCookie(b *testing.B) {
	s, store, value := begun(b)
	forged := value[:20] + "AAAA" + value[24:]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Find(context.Background(), "console", forged); err == nil {
			b.Fatal("a forged cookie is a session")
		}
	}
	if store.finds != 0 {
		b.Errorf("the store was asked %d times", store.finds)
	}
}
