package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/seal"
)

// checkBelonging makes sure that accounts and keys are those of last time,
// and of the other nodes. With others the gateway would start, and find
// nobody enrolled: whoever has a password could bind a second factor of their
// own. It leaves a trace only where all is well.
func checkBelonging(ctx context.Context, store accounts.Store, ring *seal.Ring, storage keyStorage, others *roll) error {
	id, err := accountsID(ctx, store)
	if err != nil {
		return err
	}
	known, err := knownAccounts(ctx, storage, id)
	if err != nil {
		return err
	}
	if err := others.join(ctx, string(id), ring); err != nil {
		return err
	}
	if err := checkKeys(ctx, store, ring); err != nil {
		return err
	}
	if err := others.own(ctx); err != nil || known {
		return err
	}
	return storage.Store(ctx, accountsAt, id)
}

// checkKeys opens one value of each key that ever sealed, and leaves one of
// the key that seals now.
func checkKeys(ctx context.Context, store accounts.Store, ring *seal.Ring) error {
	mine, known := "sealed with "+ring.IDs()[0], false
	for n := 0; ; n++ {
		name := fmt.Sprintf("key-check-%d", n)
		sealed, err := store.Meta(ctx, name)
		if err == nil && sealed == nil && known {
			return nil
		}
		if err == nil && sealed == nil { // another node may be quicker, with another key
			sealed, err = store.SetMetaIfAbsent(ctx, name, ring.Seal("key-check", []byte(mine), name))
		}
		if err != nil {
			return err
		}
		plain, err := ring.Open("key-check", sealed, name)
		if err != nil {
			return &lasting{fmt.Errorf("keys: these master keys (%s) are not all that this accounts store was sealed with (%w): "+
				"bring the lost key back, or start with an empty accounts store, in which nobody is enrolled", strings.Join(ring.IDs(), ", "), err)}
		}
		known = known || string(plain) == mine
	}
}

// accountsID tells one accounts store from another.
func accountsID(ctx context.Context, store accounts.Store) ([]byte, error) {
	fresh := make([]byte, 16)
	_, _ = rand.Read(fresh) // never fails since Go 1.24
	return store.SetMetaIfAbsent(ctx, "id", []byte(hex.EncodeToString(fresh)))
}

const accountsAt = "stepgate/accounts-id"

// knownAccounts compares the accounts store with a note in Caddy's storage,
// if there is one.
func knownAccounts(ctx context.Context, storage keyStorage, id []byte) (known bool, err error) {
	noted, err := storage.Load(ctx, accountsAt)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, &lasting{fmt.Errorf("storage: %w", err)}
	case string(noted) != string(id):
		return true, &lasting{fmt.Errorf("accounts: the accounts store is empty or another than last time: bring accounts.db back, or the database; "+
			"or, if nobody shall be enrolled any more, remove %s from Caddy's storage", accountsAt)}
	}
	return true, nil
}
