package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/stepgate/stepgate/store/rows"
)

const (
	sweepEvery = time.Minute
	// sweepBatch bounds how long a sweep keeps the writer.
	sweepBatch = 500
	// sweepAfter is how long an expired row stays, so that a clock that is set
	// back a little does not un-spend an id or refill a budget.
	sweepAfter = 10 * time.Minute
)

// startSweep removes what expired until the file is closed. It is for the
// disk's sake only: reads never depend on it.
func (f *file) startSweep() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.swept.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				f.sweepLogged(ctx, now)
			}
		}
	})
}

func (f *file) sweepLogged(ctx context.Context, now time.Time) {
	if err := f.sweep(ctx, now); err != nil && ctx.Err() == nil {
		slog.Warn("expired rows were not removed", "error", err)
	}
}

// sweep removes everything that had expired some time before now, in batches
// between which others may write.
func (f *file) sweep(ctx context.Context, now time.Time) error {
	for _, query := range f.kind.sweeps {
		for removed := int64(sweepBatch); removed == sweepBatch; {
			err := f.write(ctx, func(tx *sql.Tx) (err error) {
				removed, err = rows.Affected(tx.ExecContext(ctx, query, rows.Nanos(now.Add(-sweepAfter)), sweepBatch))
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
