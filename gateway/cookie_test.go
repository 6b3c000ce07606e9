package gateway

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pairsOf reads a cookie as RFC 6265 (section 5.4) has browsers write it.
func pairsOf(lines []string, begin string) (values []string) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if value, ok := strings.CutPrefix(strings.TrimLeft(pair, " \t"), begin); ok {
				values = append(values, value)
			}
		}
	}
	return values
}

// The short way to our one cookie finds what reading every pair finds.
func TestOurCookieIsFoundAmongAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"us=", "us", "=", ";", "; ", " ", "\t", "a", "x=us=", "us=1", "us=1; us=2", "; us=3"})
		line := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "") })
		lines := rapid.SliceOfN(line, 0, 3).Draw(t, "lines")
		want := pairsOf(lines, "us=")
		value, ambiguous := onlyCookie(lines, "us=")
		if ambiguous != (len(want) > 1) || len(want) > 0 && value != want[len(want)-1] || len(want) == 0 && value != "" {
			t.Fatalf("%q: got %q, %v, want %q", lines, value, ambiguous, want)
		}
	})
}
