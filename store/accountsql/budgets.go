package accountsql

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/store/rows"
)

type budgets Accounts

// tats are a key's theoretical arrival times by period.
type tats map[time.Duration]time.Time

func (b budgets) Peek(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	if err := valid(rates); err != nil {
		return limits.Balance{}, err
	}
	var old tats
	err := b.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		old, err = readBudgets(ctx, r, key)
		return err
	})
	if err != nil {
		return limits.Balance{}, err
	}
	_, out := charge(old, rates, now)
	if out.Allowed { // it is still there
		out.Remaining, out.RetryAt = out.Remaining+1, time.Time{}
	}
	return out, nil
}

func (b budgets) Charge(ctx context.Context, key string, rates []limits.Rate, now time.Time) (out limits.Balance, err error) {
	err = b.change(ctx, key, rates, func(old tats) tats {
		var next tats
		next, out = charge(old, rates, now)
		return next
	})
	return rows.Whole(out, err)
}

func (b budgets) Refund(ctx context.Context, key string, rates []limits.Rate, now time.Time) error {
	return b.change(ctx, key, rates, func(old tats) tats {
		next := tats{}
		for _, r := range rates {
			if tat, spent := old[r.Period]; spent {
				next[r.Period] = r.Return(tat, now)
			}
		}
		return next
	})
}

// change reads, computes and writes under the lock of the key, which may have
// no row yet. Nothing is written, and no disk waited for, when step returns
// nothing: a refusal is cheap.
func (b budgets) change(ctx context.Context, key string, rates []limits.Rate, step func(tats) tats) error {
	if err := valid(rates); err != nil {
		return err
	}
	return b.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if err := b.db.Lock(ctx, tx, key); err != nil {
			return err
		}
		old, err := readBudgets(ctx, tx, key)
		if err != nil {
			return err
		}
		next := step(old)
		// In one order, whatever the map's is: steps that differ from run to run
		// could each wait for the other's row.
		for _, period := range slices.Sorted(maps.Keys(next)) {
			if _, err := tx.ExecContext(ctx, setBudget, []byte(key), int64(period), rows.Nanos(next[period])); err != nil {
				return err
			}
		}
		return nil
	})
}

func readBudgets(ctx context.Context, from Reader, key string) (tats, error) {
	type row struct {
		period time.Duration
		tat    time.Time
	}
	fields := func(r *row) []any { return []any{&r.period, rows.At(&r.tat)} }
	all, err := find(ctx, from, fields, findBudgets, []byte(key))
	out := tats{}
	for _, r := range all {
		out[r.period] = r.tat
	}
	return out, err
}

// charge is one attempt under all rates: the arrival times to store, none if
// any rate refuses, and the balance under the tightest.
func charge(old tats, rates []limits.Rate, now time.Time) (tats, limits.Balance) {
	next, all := tats{}, limits.Balance{Allowed: true, Remaining: rates[0].Count}
	var refused limits.Balance
	for _, r := range rates {
		tat, b := r.Advance(old[r.Period], now)
		next[r.Period] = tat
		if b.Allowed {
			all = tighter(all, b)
		} else {
			refused = tighter(refused, b)
		}
	}
	if !refused.RetryAt.IsZero() {
		return nil, refused
	}
	return next, all
}

func tighter(a, b limits.Balance) limits.Balance {
	a.Remaining = min(a.Remaining, b.Remaining)
	if b.RetryAt.After(a.RetryAt) {
		a.RetryAt = b.RetryAt
	}
	return a
}

// valid refuses rates that would not limit: of a period there is one counter.
func valid(rates []limits.Rate) error {
	seen := map[time.Duration]bool{}
	for _, r := range rates {
		if r.Count < 1 || r.Period < time.Duration(r.Count) || seen[r.Period] {
			return fmt.Errorf("store: rate of %d in %v: a count and a period above zero, and each period once", r.Count, r.Period)
		}
		seen[r.Period] = true
	}
	if len(rates) == 0 {
		return fmt.Errorf("store: a budget without a rate")
	}
	return nil
}
