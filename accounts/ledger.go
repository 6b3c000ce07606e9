package accounts

import (
	"context"
	"errors"
	"time"
)

// Ledger is a Store as the memory of sessions that ended.
type Ledger struct{ Store }

// EndSession spends the session's id.
func (l Ledger) EndSession(ctx context.Context, id string, expires time.Time) error {
	err := l.SpendID(ctx, id, expires)
	if errors.Is(err, ErrSpent) {
		return nil
	}
	return err
}
