package escrow

import (
	"context"
	"time"
)

// Note keeps a few bytes under an id that is not in use, until they are taken
// or expire. Whoever writes them seals them.
func (e *Escrow) Note(ctx context.Context, id string, sealed []byte, expires time.Time) error {
	return e.store.Put(ctx, "note/"+id, sealed, expires)
}

// TakeNote returns a note and removes it; ErrNotFound if there is none.
func (e *Escrow) TakeNote(ctx context.Context, id string) ([]byte, error) {
	return e.store.Take(ctx, "note/"+id, e.now())
}
