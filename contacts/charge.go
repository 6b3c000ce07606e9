package contacts

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/limits"
)

// TooMany is the error of a code that was not sent since as many were as may
// be.
type TooMany struct{ RetryAt time.Time }

// Error implements error.
func (t TooMany) Error() string {
	return "contacts: no more messages until " + t.RetryAt.UTC().Format(time.RFC3339)
}

// taken is one attempt that was charged.
type taken struct {
	key   string
	rates []limits.Rate
}

// charge takes an attempt from each budget or, if one is exhausted, from none.
func (b *Book) charge(ctx context.Context, charges []otp.Charge) (all []taken, err error) {
	for _, c := range charges {
		one, err := b.take(ctx, c)
		if err != nil {
			return nil, errors.Join(err, b.refund(ctx, all))
		}
		all = append(all, one)
	}
	return all, nil
}

// take takes an attempt of the first key that has one.
func (b *Book) take(ctx context.Context, c otp.Charge) (taken, error) {
	var free time.Time
	for _, key := range c.Keys {
		balance, err := b.Budgets.Charge(ctx, key, c.Rates, b.Now())
		if err != nil {
			return taken{}, err
		}
		if balance.Allowed {
			return taken{key, c.Rates}, nil
		}
		if free.IsZero() || balance.RetryAt.Before(free) {
			free = balance.RetryAt
		}
	}
	return taken{}, TooMany{free}
}

func (b *Book) refund(ctx context.Context, all []taken) error {
	var failed error
	for _, t := range all {
		failed = errors.Join(failed, b.Budgets.Refund(ctx, t.key, t.rates, b.Now()))
	}
	return failed
}
