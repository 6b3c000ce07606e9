package redis

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/challenge"
)

type challenges struct{ *Store }

func (c challenges) Create(ctx context.Context, r challenge.Record) error {
	value, err := encodeChallenge(&r)
	if err != nil {
		return c.fault(err)
	}
	return c.put(ctx, c.keys.challenge(r.ID), value, r.ExpiresAt)
}

func (c challenges) Find(ctx context.Context, id string, now time.Time) (challenge.Record, error) {
	value, err := c.get(ctx, c.keys.challenge(id))
	r, err := c.challenge(id, value, err)
	if err == nil && !now.Before(r.ExpiresAt) {
		return challenge.Record{}, challenge.ErrNotFound
	}
	return r, err
}

// challenge reads what Redis answered.
func (c challenges) challenge(id, value string, err error) (challenge.Record, error) {
	if err != nil {
		return challenge.Record{}, c.answer(err, challenge.ErrNotFound)
	}
	r, err := decodeChallenge(id, value)
	return r, c.fault(err)
}

func (c challenges) Attempt(ctx context.Context, id string, max int, now time.Time) (left int, err error) {
	spent, err := c.run(ctx, spendAttempt, []string{c.keys.challenge(id)}, millis(now), max).Int()
	switch {
	case err != nil:
		return 0, c.answer(err, challenge.ErrNotFound)
	case spent < 0:
		return 0, challenge.ErrExhausted
	default:
		return max - spent, nil
	}
}

func (c challenges) SetPendingIfAbsent(ctx context.Context, id string, p challenge.Pending, now time.Time) (challenge.Pending, error) {
	value, err := c.run(ctx, setPending, []string{c.keys.challenge(id)}, millis(now), encodePending(p)).Text()
	if err != nil {
		return challenge.Pending{}, c.answer(err, challenge.ErrNotFound)
	}
	holds, err := decodePending(value)
	return holds, c.fault(err)
}

func (c challenges) Take(ctx context.Context, id string, now time.Time) (challenge.Record, error) {
	value, err := c.run(ctx, takeOnce, []string{c.keys.challenge(id)}, millis(now)).Text()
	return c.challenge(id, value, err)
}
