package escrow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/seal"
)

// longest is how long something can be held.
const longest = 24 * time.Hour

// Escrow holds answers in a store.
type Escrow struct {
	store Store
	spent Spender
	now   func() time.Time
}

// New makes the service. now is the clock.
func New(store Store, spent Spender, now func() time.Time) *Escrow {
	return &Escrow{store, spent, now}
}

// Held is an answer together with where the login was sent: an answer that
// is a page must be shown at that address, or its links break.
type Held struct {
	Answer Answer
	URL    string
}

// Hold seals an answer with key and stores it under id until expires. bound
// are the associated data; Release must name the same.
func (e *Escrow) Hold(ctx context.Context, id string, key []byte, h Held, expires time.Time, bound ...string) error {
	plain, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return e.store.Put(ctx, id, seal.NewBox(key).Seal(nil, plain, bound...), expires)
}

// Release takes an answer out, once. ErrNotFound if it is gone; what cannot
// be opened is gone all the same.
func (e *Escrow) Release(ctx context.Context, id string, key []byte, bound ...string) (Held, error) {
	blob, err := e.store.Take(ctx, id, e.now())
	if err != nil {
		return Held{}, err
	}
	err = e.spent.SpendID(ctx, "escrow/"+id, e.now().Add(longest))
	if errors.Is(err, accounts.ErrSpent) {
		return Held{}, ErrNotFound
	}
	if err != nil {
		return Held{}, err
	}
	plain, err := seal.NewBox(key).Open(blob, bound...)
	if err != nil {
		return Held{}, fmt.Errorf("escrow of another browser, site or person: %w", err)
	}
	var h Held
	err = json.Unmarshal(plain, &h)
	return h, err
}
