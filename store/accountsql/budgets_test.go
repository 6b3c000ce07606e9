package accountsql

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepgate/stepgate/limits"
)

// ratesOf draws one to three rates, each with a period of its own.
func ratesOf(t *rapid.T) []limits.Rate {
	periods := rapid.SliceOfNDistinct(rapid.IntRange(1, 3600), 1, 3, rapid.ID[int]).Draw(t, "periods")
	var rates []limits.Rate
	for _, seconds := range periods {
		rates = append(rates, limits.Rate{Count: rapid.IntRange(1, 20).Draw(t, "count"), Period: time.Duration(seconds) * time.Second})
	}
	return rates
}

// TestChargeIsAllOrNothing: an attempt is allowed when each rate alone would allow it. What is left is then the least of
// all, and a refusal takes nothing and lasts until the last of those that refused would allow it.
func TestChargeIsAllOrNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates, old, now := ratesOf(t), tats{}, time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "wait")))
			next, got := charge(old, rates, now)
			want, after := alone(old, rates, now)
			if got.Allowed != want.Allowed || got.Remaining != want.Remaining || !got.RetryAt.Equal(want.RetryAt) {
				t.Fatalf("got %+v, each rate alone says %+v", got, want)
			}
			if !got.Allowed && next != nil {
				t.Fatalf("a refusal took %v", next)
			}
			if got.Allowed {
				old = next
			}
			for period, tat := range after {
				if !old[period].Equal(tat) {
					t.Fatalf("%v: the next is due at %v, want %v", period, old[period], tat)
				}
			}
		}
	})
}

// alone asks each rate for itself.
func alone(old tats, rates []limits.Rate, now time.Time) (limits.Balance, tats) {
	all, refused, after := limits.Balance{Allowed: true, Remaining: 1 << 30}, limits.Balance{}, tats{}
	for _, r := range rates {
		tat, b := r.Advance(old[r.Period], now)
		after[r.Period] = tat
		all.Remaining = min(all.Remaining, b.Remaining)
		if b.RetryAt.After(all.RetryAt) {
			all.RetryAt = b.RetryAt
		}
		if !b.Allowed {
			all.Allowed = false
			if b.RetryAt.After(refused.RetryAt) {
				refused.RetryAt = b.RetryAt
			}
		}
	}
	if all.Allowed {
		return all, after
	}
	return refused, old
}

func TestRatesThatWouldNotLimit(t *testing.T) {
	for name, rates := range map[string][]limits.Rate{
		"none":          nil,
		"count":         {{Count: 0, Period: time.Hour}},
		"period":        {{Count: 1}},
		"period, twice": {{Count: 1, Period: time.Hour}, {Count: 2, Period: time.Hour}},
		"too fine":      {{Count: 1001, Period: time.Microsecond}},
	} {
		if valid(rates) == nil {
			t.Errorf("%s: %v is accepted", name, rates)
		}
	}
}
