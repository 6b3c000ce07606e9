package match

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A set is only a faster way to compare with each of its names.
func TestNamesHasWhatSameHeaderFinds(t *testing.T) {
	long := "X-" + strings.Repeat("A", 80)
	listed := []string{"Authorization", "x-a", "X.B", "-c", "", long, "X-" + strings.Repeat("B", 61)}
	set := NewNames(listed[:3]...).With(NewNames(listed[3:]...))
	for _, name := range append(slices.Clone(listed), "AUTHORIZATION", "x_a", "x-b", ".C", strings.ToLower(long), long+"a", "X-c") {
		want := slices.ContainsFunc(listed, func(known string) bool { return SameHeader(known, name) })
		if set.Has(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[-_.aAbBcCxX]{0,4}`).Draw(t, "name")
		want := slices.ContainsFunc(listed, func(known string) bool { return SameHeader(known, name) })
		if set.Has(name) != want {
			t.Fatalf("%q: %v", name, !want)
		}
	})
}
