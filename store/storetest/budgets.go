package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/limits"
)

func budgets(t *testing.T, open func(t *testing.T) AccountStores) {
	for name, test := range map[string]func(*testing.T, limits.Store){
		"peek":                budgetPeek,
		"exhaust and refill":  budgetRefill,
		"all or none":         budgetAllOrNone,
		"refund":              budgetRefund,
		"keys":                budgetKeys,
		"changed count":       budgetChangedCount,
		"rates without sense": budgetNoRate,
		"crowd":               budgetCrowd,
		"canceled":            budgetCanceled,
	} {
		t.Run("budgets/"+name, func(t *testing.T) { test(t, open(t).Budgets) })
	}
}

// The bounds of failures: 10 a day and 100 in 30 days.
var perDay, perMonth = limits.Rate{Count: 10, Period: 24 * time.Hour}, limits.Rate{Count: 100, Period: 30 * 24 * time.Hour}

func charge(t *testing.T, s limits.Store, key string, now time.Time, rates ...limits.Rate) limits.Balance {
	t.Helper()
	b, err := s.Charge(t.Context(), key, rates, now)
	must(t, err)
	return b
}

func wantBalance(t *testing.T, what string, got, want limits.Balance) {
	t.Helper()
	if got.Allowed != want.Allowed || got.Remaining != want.Remaining || !got.RetryAt.Equal(want.RetryAt) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func budgetRefill(t *testing.T, s limits.Store) {
	now := clock()
	for left := 9; left > 0; left-- {
		wantBalance(t, "charge", charge(t, s, "k", now, perDay), limits.Balance{Allowed: true, Remaining: left})
	}
	next := now.Add(perDay.Interval())
	wantBalance(t, "the last", charge(t, s, "k", now, perDay), limits.Balance{Allowed: true, RetryAt: next})
	wantBalance(t, "one more", charge(t, s, "k", now, perDay), limits.Balance{RetryAt: next})
	wantBalance(t, "too early", charge(t, s, "k", next.Add(-time.Millisecond), perDay), limits.Balance{RetryAt: next})
	wantBalance(t, "one refilled", charge(t, s, "k", next, perDay), limits.Balance{Allowed: true, RetryAt: next.Add(perDay.Interval())})
	later := now.Add(365 * 24 * time.Hour)
	wantBalance(t, "no more than the count is saved up", charge(t, s, "k", later, perDay), limits.Balance{Allowed: true, Remaining: 9})
}

func budgetPeek(t *testing.T, s limits.Store) {
	now, rates := clock(), []limits.Rate{perMonth, perDay}
	peek := func(what string, want limits.Balance) {
		t.Helper()
		for range 2 {
			got, err := s.Peek(t.Context(), "k", rates, now)
			must(t, err)
			wantBalance(t, what, got, want)
		}
	}
	for left := 10; left > 0; left-- {
		peek("before a charge", limits.Balance{Allowed: true, Remaining: left})
		charge(t, s, "k", now, rates...)
	}
	peek("exhausted", limits.Balance{RetryAt: now.Add(perDay.Interval())})
}

// budgetAllOrNone: an attempt that one rate refuses costs nothing under the
// other.
func budgetAllOrNone(t *testing.T, s limits.Store) {
	now, tight := clock(), limits.Rate{Count: 2, Period: time.Minute}
	wantBalance(t, "under the tightest", charge(t, s, "k", now, perDay, tight), limits.Balance{Allowed: true, Remaining: 1})
	charge(t, s, "k", now, perDay, tight)
	for range 20 {
		wantBalance(t, "refused", charge(t, s, "k", now, perDay, tight), limits.Balance{RetryAt: now.Add(30 * time.Second)})
	}
	wantBalance(t, "the wider one", charge(t, s, "k", now, perDay), limits.Balance{Allowed: true, Remaining: 7})

	day, spent := now, 0
	for range 40 { // the hundred of the month end before forty days of ten do
		for range 10 {
			if charge(t, s, "m", day, perDay, perMonth).Allowed {
				spent++
			}
		}
		day = day.Add(24 * time.Hour)
	}
	if most := 100 + 39*100/30; spent != most {
		t.Errorf("%d attempts in 40 days, want %d", spent, most)
	}
}

func budgetRefund(t *testing.T, s limits.Store) {
	now, ctx := clock(), t.Context()
	rates := []limits.Rate{perDay, perMonth}
	must(t, s.Refund(ctx, "k", rates, now)) // nothing spent: nothing saved up
	wantBalance(t, "first", charge(t, s, "k", now, rates...), limits.Balance{Allowed: true, Remaining: 9})
	must(t, s.Refund(ctx, "k", rates, now))
	must(t, s.Refund(ctx, "k", rates, now))
	wantBalance(t, "after more refunds than charges", charge(t, s, "k", now, rates...), limits.Balance{Allowed: true, Remaining: 9})
	wantBalance(t, "the other rate", charge(t, s, "k", now, perMonth), limits.Balance{Allowed: true, Remaining: 98})
}

func budgetKeys(t *testing.T, s limits.Store) {
	now := clock()
	for _, name := range oddNames {
		wantBalance(t, name, charge(t, s, "strangers wiki/"+name, now, perDay), limits.Balance{Allowed: true, Remaining: 9})
	}
}

// budgetChangedCount: a new count in the configuration forgets nothing.
func budgetChangedCount(t *testing.T, s limits.Store) {
	now, fewer := clock(), limits.Rate{Count: 5, Period: perDay.Period}
	for range 10 {
		charge(t, s, "k", now, perDay)
	}
	if b := charge(t, s, "k", now, fewer); b.Allowed {
		t.Error("a changed count gave an exhausted budget back")
	}
}

func budgetNoRate(t *testing.T, s limits.Store) {
	for _, rates := range [][]limits.Rate{nil, {{}}, {{Count: 1}}, {{Period: time.Hour}},
		{{Count: -1, Period: time.Hour}}, {{Count: 2, Period: 1}}, {perDay, {Count: 5, Period: perDay.Period}}} {
		b, err := s.Charge(t.Context(), "k", rates, clock())
		if err == nil || b.Allowed {
			t.Errorf("%v: charged, %+v", rates, b)
		}
		if b, err = s.Peek(t.Context(), "k", rates, clock()); err == nil || b.Allowed {
			t.Errorf("%v: peeked, %+v", rates, b)
		}
	}
}

func budgetCrowd(t *testing.T, s limits.Store) {
	ctx, now := t.Context(), clock()
	var allowed atomic.Int32
	race(t, nil, func(int) error {
		b, err := s.Charge(ctx, "k", []limits.Rate{perDay, perMonth}, now)
		if b.Allowed {
			allowed.Add(1)
		}
		return err
	})
	if allowed.Load() != 10 {
		t.Errorf("%d of 10 attempts were allowed", allowed.Load())
	}
}

func budgetCanceled(t *testing.T, s limits.Store) {
	now, rates := clock(), []limits.Rate{perDay}
	b, err := s.Charge(canceled(t), "k", rates, now)
	if err == nil || b.Allowed {
		t.Errorf("charge: %+v, %v", b, err)
	}
	b, err = s.Peek(canceled(t), "k", rates, now)
	if err == nil || b.Allowed {
		t.Errorf("peek: %+v, %v", b, err)
	}
	wantUnknown(t, "refund", s.Refund(canceled(t), "k", rates, now))
	wantBalance(t, "afterwards", charge(t, s, "k", now, rates...), limits.Balance{Allowed: true, Remaining: 9})
}
