package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/store/rows"
)

type escrows Sessions

func (e escrows) Put(ctx context.Context, id string, blob []byte, expires time.Time) error {
	return e.f.exec(ctx, putEscrow, id, blob, rows.Nanos(expires))
}

func (e escrows) Take(ctx context.Context, id string, now time.Time) (blob []byte, err error) {
	err = e.f.write(ctx, func(tx *sql.Tx) error {
		return rows.OrNone(tx.QueryRowContext(ctx, takeEscrow, id, rows.Nanos(now)).Scan(&blob), escrow.ErrNotFound)
	})
	return rows.Whole(blob, err)
}
