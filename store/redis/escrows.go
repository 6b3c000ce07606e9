package redis

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/escrow"
)

type escrows struct{ *Store }

// Put stores the blob behind the instant of its expiry.
func (e escrows) Put(ctx context.Context, id string, blob []byte, expires time.Time) error {
	w := make(writer, 0, 6+len(blob))
	w.time(expires)
	w.raw(blob)
	return e.put(ctx, e.keys.escrow(id), w, expires)
}

func (e escrows) Take(ctx context.Context, id string, now time.Time) ([]byte, error) {
	value, err := e.run(ctx, takeOnce, []string{e.keys.escrow(id)}, millis(now)).Text()
	if err != nil {
		return nil, e.answer(err, escrow.ErrNotFound)
	}
	in := &reader{left: value}
	in.ms()
	return []byte(in.left), e.fault(in.err)
}
