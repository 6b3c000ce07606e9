package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stepgate/stepgate/store/accountsql"
	"github.com/stepgate/stepgate/store/rows"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
	// sweepAfter is how long an expired row stays, so that a node's clock that
	// is wrong by a little does not un-spend an id or refill a budget.
	sweepAfter = 10 * time.Minute
)

// sweep removes what expired until it is ended.
type sweep struct {
	stop  context.CancelFunc
	swept sync.WaitGroup
}

func (s *sweep) begin(do func(context.Context, time.Time) error) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.swept.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if err := do(ctx, now); err != nil && ctx.Err() == nil {
					slog.Warn("expired rows were not removed", "error", err)
				}
			}
		}
	})
}

func (s *sweep) end() {
	if s.stop != nil {
		s.stop()
	}
	s.swept.Wait()
}

// expired removes everything that had expired some time before now, in
// batches. While one node does, the others leave it to it.
func (a *Accounts) expired(ctx context.Context, now time.Time) error {
	for _, query := range accountsql.Sweeps() {
		for removed := int64(sweepBatch); removed == sweepBatch; {
			err := database{a}.Write(ctx, func(ctx context.Context, tx accountsql.Tx) (err error) {
				removed, err = removeBatch(ctx, tx, query, now)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// beginSweep goes by the clock that is behind, the node's or the server's: one
// node whose clock is ahead would un-spend ids for all.
const beginSweep = `SELECT pg_try_advisory_xact_lock(?),
	least(?::bigint, (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint) - ?::bigint`

func removeBatch(ctx context.Context, tx accountsql.Tx, query string, now time.Time) (removed int64, err error) {
	var mine bool
	var until int64
	if err := tx.QueryRowContext(ctx, beginSweep, sweepLock, rows.Nanos(now), sweepAfter.Nanoseconds()).Scan(&mine, &until); err != nil || !mine {
		return 0, err
	}
	return rows.Affected(tx.ExecContext(ctx, query, until, sweepBatch))
}
