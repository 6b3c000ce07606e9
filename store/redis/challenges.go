package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
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
	return r, c.answer(err, challenge.ErrNotFound)
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

func (c challenges) KeepPart(ctx context.Context, id string, p challenge.Part, now time.Time) (challenge.Part, error) {
	return c.setPart(ctx, keepPart, id, p, now)
}

func (c challenges) PutPart(ctx context.Context, id string, p challenge.Part, now time.Time) error {
	_, err := c.setPart(ctx, putPart, id, p, now)
	return err
}

// setPart returns the part that holds.
func (c challenges) setPart(ctx context.Context, how *goredis.Script, id string, p challenge.Part, now time.Time) (challenge.Part, error) {
	value, err := encodePart(p)
	if err != nil {
		return challenge.Part{}, c.fault(err)
	}
	return c.part(c.run(ctx, how, []string{c.keys.challenge(id)}, millis(now), p.Name, value).Text())
}

func (c challenges) TakePart(ctx context.Context, id, name, partID string, now time.Time) (challenge.Part, error) {
	return c.part(c.run(ctx, takePart, []string{c.keys.challenge(id)}, millis(now), name, partID).Text())
}

// part reads what Redis answered.
func (c challenges) part(value string, err error) (challenge.Part, error) {
	if err != nil {
		return challenge.Part{}, c.answer(err, challenge.ErrNotFound)
	}
	p, err := decodePart(value)
	return p, c.fault(err)
}

func (c challenges) Open(ctx context.Context, id, by string, strength identity.Strength, now time.Time) error {
	opened, err := encodeOpened(by, strength)
	if err != nil {
		return c.fault(err)
	}
	err = c.run(ctx, openGate, []string{c.keys.challenge(id)}, millis(now), []byte(opened)).Err()
	return c.answer(err, challenge.ErrNotFound)
}

func (c challenges) Take(ctx context.Context, id string, now time.Time) (challenge.Record, error) {
	value, err := c.run(ctx, takeOnce, []string{c.keys.challenge(id)}, millis(now)).Text()
	return c.challenge(id, value, err)
}
