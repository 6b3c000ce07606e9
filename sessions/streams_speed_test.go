package sessions

import (
	"slices"
	"testing"
)

// What is open of a session is one object and the function that ends it.
func TestWatchAllocatesLittle(t *testing.T) {
	s, _, value := begun(t)
	live, err := s.Find(t.Context(), "console", value)
	check(t, err)
	if n := testing.AllocsPerRun(1000, func() { s.Watch(live, func() {})() }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// TestStreamsInAnyOrder: they end in whatever order, and once more.
func TestStreamsInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var o streams
		live := new(Session)
		left := make([]*stream, 3)
		for i := range left {
			left[i] = &stream{live: live}
			o.add(left[i])
		}
		all := slices.Clone(left)
		for _, i := range order {
			o.remove(all[i])
			o.remove(all[i])
			left = slices.DeleteFunc(left, func(st *stream) bool { return st == all[i] })
			got := o.of(live.ID)
			if slices.Reverse(got); !slices.Equal(got, left) {
				t.Fatalf("%v: %d are open after the end of %d", order, len(got), i)
			}
		}
		if len(o.sessions()) > 0 {
			t.Errorf("%v: a session without streams is left", order)
		}
	}
}

// What an answer without a length costs.
func BenchmarkWatch(b *testing.B) {
	s, _, value := begun(b)
	live, err := s.Find(b.Context(), "console", value)
	check(b, err)
	b.ReportAllocs()
	for b.Loop() {
		s.Watch(live, func() {})()
	}
}
