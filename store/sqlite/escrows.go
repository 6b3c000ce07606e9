package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/stepgate/stepgate/escrow"
)

type escrows Sessions

func (e escrows) Put(ctx context.Context, id string, blob []byte, expires time.Time) error {
	return e.f.exec(ctx, putEscrow, id, blob, nanos(expires))
}

func (e escrows) Take(ctx context.Context, id string, now time.Time) (blob []byte, err error) {
	err = e.f.write(ctx, func(tx *sql.Tx) error {
		return orNone(tx.QueryRowContext(ctx, takeEscrow, id, nanos(now)).Scan(&blob), escrow.ErrNotFound)
	})
	return found(blob, err)
}
