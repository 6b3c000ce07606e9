package caddymodule

import (
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/limits"
)

// TestSMSLimit: what all SMS can cost is as the operator says, and the default
// where nothing is said.
func TestSMSLimit(t *testing.T) {
	for word, want := range map[string][]limits.Rate{
		"":      nil,
		"20/1d": {{Count: 20, Period: 24 * time.Hour}},
	} {
		s := &SMS{}
		if word != "" {
			s.Limit = []string{word}
		}
		if got, err := s.rates(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v %v", word, got, err)
		}
	}
	if got, err := (*SMS)(nil).rates(); got != nil || err != nil {
		t.Errorf("without SMS: %v %v", got, err)
	}
	for _, word := range []string{"", "/", "1000", "0/1h", "-1/1h", "1/0s", "1/31d", "1000001/1h", "1/1h/1h", "x/1h"} {
		if _, err := (&SMS{Limit: []string{word}}).rates(); err == nil {
			t.Errorf("%q is taken", word)
		}
	}
}
