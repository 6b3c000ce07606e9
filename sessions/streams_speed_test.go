package sessions

import "testing"

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
