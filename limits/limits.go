// Package limits owns budgets: how often something may be tried. The rule is
// GCRA (generic cell rate algorithm, ITU-T I.371), which refills evenly and
// needs one number per key: the theoretical arrival time, TAT.
package limits

import (
	"context"
	"time"
)

// Rate allows Count attempts in a Period; they refill evenly, one every
// Period/Count, and at most Count are saved up.
type Rate struct {
	Count  int
	Period time.Duration
}

// Interval is the time in which one attempt refills.
func (r Rate) Interval() time.Duration { return r.Period / time.Duration(r.Count) }

// Balance is the outcome of a charge.
type Balance struct {
	Allowed   bool
	Remaining int       // whole attempts left afterwards, under the tightest rate
	RetryAt   time.Time // when the next attempt is allowed; zero if it is now
}

// Store keeps the TATs. Every method is one atomic step over all rates. A key
// has one counter for each Period, so that a Count that the operator changes
// forgets nothing: no rate, or two of one Period, are an error.
type Store interface {
	// Peek tells what a Charge at now would find, and takes nothing: Allowed
	// is whether it would be allowed, Remaining how many are left before it.
	Peek(ctx context.Context, key string, rates []Rate, now time.Time) (Balance, error)
	// Charge takes one attempt of key from every rate, or, if any of them is
	// exhausted, from none.
	Charge(ctx context.Context, key string, rates []Rate, now time.Time) (Balance, error)
	// Refund gives one attempt back to every rate.
	Refund(ctx context.Context, key string, rates []Rate, now time.Time) error
}

// Advance is GCRA for one rate: the TAT after an attempt at now, whether it is
// allowed, what remains afterwards, and when the next one is. A refused
// attempt leaves tat unchanged.
func (r Rate) Advance(tat, now time.Time) (next time.Time, b Balance) {
	if tat.Before(now) {
		tat = now
	}
	next = tat.Add(r.Interval())
	if next.Sub(now) > r.Period {
		return tat, Balance{RetryAt: next.Add(-r.Period)}
	}
	left := int((r.Period - next.Sub(now)) / r.Interval())
	b = Balance{Allowed: true, Remaining: left}
	if left == 0 {
		b.RetryAt = next.Add(r.Interval() - r.Period)
	}
	return next, b
}

// Return gives one attempt back.
func (r Rate) Return(tat, now time.Time) time.Time {
	if back := tat.Add(-r.Interval()); back.After(now) {
		return back
	}
	return now
}
