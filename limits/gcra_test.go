package limits

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// rates draws rates as operators write them: whole seconds, and counts that
// the period divides into at least a millisecond each.
func rates() *rapid.Generator[Rate] {
	return rapid.Custom(func(t *rapid.T) Rate {
		return Rate{
			Count:  rapid.IntRange(1, 200).Draw(t, "count"),
			Period: time.Duration(rapid.IntRange(1, 30*24*3600).Draw(t, "seconds")) * time.Second,
		}
	})
}

// spend makes attempts at now until one is refused.
func spend(r Rate, tat, now time.Time) (allowed int, after time.Time, last Balance) {
	for {
		next, b := r.Advance(tat, now)
		if !b.Allowed {
			return allowed, next, b
		}
		allowed, tat = allowed+1, next
	}
}

func TestAFullBudgetIsTheCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		idle := time.Duration(rapid.Int64Range(0, int64(10*r.Period)).Draw(t, "idle"))
		_, tat, _ := spend(r, time.Time{}, start)
		if n, _, _ := spend(r, tat, start.Add(r.Period+idle)); n != r.Count {
			t.Fatalf("%d attempts of %d after a rest", n, r.Count)
		}
		if n, _, _ := spend(r, time.Time{}, start); n != r.Count {
			t.Fatalf("%d attempts of %d at the beginning", n, r.Count)
		}
	})
}

// TestAgainstACounter compares with the plainest model there is: a level that
// drains with time, in which each attempt takes one interval.
func TestAgainstACounter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		now, tat, level := start, time.Time{}, time.Duration(0)
		for range rapid.IntRange(1, 100).Draw(t, "attempts") {
			wait := time.Duration(rapid.Int64Range(0, int64(2*r.Interval())).Draw(t, "wait"))
			now, level = now.Add(wait), max(0, level-wait)
			next, b := r.Advance(tat, now)
			if want := level+r.Interval() <= r.Period; b.Allowed != want {
				t.Fatalf("allowed %v, the model says %v", b.Allowed, want)
			}
			if b.Allowed {
				level += r.Interval()
			} else if !next.Equal(tat) {
				t.Fatal("a refusal cost something")
			}
			tat = next
		}
	})
}

// TestNeverMoreThanTheRate: however attempts are spread, a stretch of time
// holds at most the count and what refills in it.
func TestNeverMoreThanTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		waits := rapid.SliceOfN(rapid.Int64Range(0, int64(r.Period)/3), 1, 150).Draw(t, "waits")
		var allowed []time.Time
		now, tat := start, time.Time{}
		for _, wait := range waits {
			now = now.Add(time.Duration(wait))
			next, b := r.Advance(tat, now)
			if tat = next; b.Allowed {
				allowed = append(allowed, now)
			}
		}
		for i, from := range allowed {
			for j, to := range allowed[i:] {
				if most := r.Count + int(to.Sub(from)/r.Interval()) + 1; j+1 > most {
					t.Fatalf("%d attempts in %v", j+1, to.Sub(from))
				}
			}
		}
	})
}

// TestWhatABalanceSays: as many attempts as remain, and the next one at
// RetryAt, not earlier.
func TestWhatABalanceSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		tat := start.Add(time.Duration(rapid.Int64Range(-int64(r.Period), int64(r.Period-r.Interval())).Draw(t, "tat")))
		next, b := r.Advance(tat, start)
		if !b.Allowed {
			t.Fatalf("refused with a whole attempt left: %+v", b)
		}
		n, full, refused := spend(r, next, start)
		if n != b.Remaining {
			t.Fatalf("%d attempts where %d remained", n, b.Remaining)
		}
		if (b.Remaining == 0) != !b.RetryAt.IsZero() || b.Remaining == 0 && !b.RetryAt.Equal(refused.RetryAt) {
			t.Fatalf("RetryAt %v with %d left; the refusal says %v", b.RetryAt, b.Remaining, refused.RetryAt)
		}
		if _, early := r.Advance(full, refused.RetryAt.Add(-1)); early.Allowed {
			t.Fatal("allowed before RetryAt")
		}
		if _, then := r.Advance(full, refused.RetryAt); !then.Allowed {
			t.Fatal("refused at RetryAt")
		}
	})
}

// TestReturn: an attempt and its return leave what was there, and returns
// never save up more than the count.
func TestReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		tat := start.Add(time.Duration(rapid.Int64Range(0, int64(r.Period-r.Interval())).Draw(t, "tat")))
		next, _ := r.Advance(tat, start)
		if back := r.Return(next, start); !back.Equal(tat) {
			t.Fatalf("TAT %v became %v", tat, back)
		}
		for range rapid.IntRange(0, 300).Draw(t, "returns") {
			tat = r.Return(tat, start)
		}
		if n, _, _ := spend(r, tat, start); n > r.Count {
			t.Fatalf("%d attempts of %d after returns", n, r.Count)
		}
	})
}

// TestAClockSetBack only makes people wait: it gives no attempt.
func TestAClockSetBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		_, tat, _ := spend(r, time.Time{}, start)
		back := time.Duration(rapid.Int64Range(0, int64(5*r.Period)).Draw(t, "back"))
		if _, b := r.Advance(tat, start.Add(-back)); b.Allowed {
			t.Fatal("a clock set back gave an attempt")
		}
	})
}
