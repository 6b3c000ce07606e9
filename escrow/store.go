package escrow

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound: never there, expired, or taken before.
var ErrNotFound = errors.New("escrow: not found")

// Store keeps sealed blobs until they are taken or expire. It cannot read
// them: the key is derived from what only the browser's cookie holds.
type Store interface {
	// Put stores a blob under an id that is not in use.
	Put(ctx context.Context, id string, blob []byte, expires time.Time) error
	// Take removes the blob and returns it, in one atomic step; ErrNotFound
	// the second time.
	Take(ctx context.Context, id string, now time.Time) ([]byte, error)
}

// Spender remembers what was taken although the store forgets: after a
// failover, a blob may be there again.
type Spender interface {
	// SpendID marks an id as used until expires; accounts.ErrSpent the second
	// time.
	SpendID(ctx context.Context, id string, expires time.Time) error
}
