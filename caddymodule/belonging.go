package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// checkBelonging makes sure that accounts and keys are those of last time.
// With others the gateway would start, and find nobody enrolled: whoever has
// a password could bind a second factor of their own.
func (a *App) checkBelonging(f *files, ring *seal.Ring) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(f.checkKeys(ctx, ring), f.checkAccounts(ctx, a.storage))
}

// checkKeys opens one value of each key that ever sealed, and leaves one of
// the key that seals now.
func (f *files) checkKeys(ctx context.Context, ring *seal.Ring) error {
	mine, known := "sealed with "+ring.IDs()[0], false
	for n := 0; ; n++ {
		name := fmt.Sprintf("key-check-%d", n)
		sealed, err := f.accounts.Meta(ctx, name)
		if err != nil {
			return err
		}
		if sealed == nil && known {
			return nil
		}
		if sealed == nil {
			_, err := f.accounts.SetMetaIfAbsent(ctx, name, ring.Seal("key-check", []byte(mine), name))
			return err
		}
		plain, err := ring.Open("key-check", sealed, name)
		if err != nil {
			return fmt.Errorf("keys: these master keys (%s) are not all that this accounts store was sealed with (%w): "+
				"bring the lost key back, or start with an empty accounts store, in which nobody is enrolled", strings.Join(ring.IDs(), ", "), err)
		}
		known = known || string(plain) == mine
	}
}

const accountsAt = "stepgate/accounts-id"

// checkAccounts compares the accounts store with a note in Caddy's storage.
func (f *files) checkAccounts(ctx context.Context, storage keyStorage) error {
	fresh := make([]byte, 16)
	_, _ = rand.Read(fresh) // never fails since Go 1.24
	id, err := f.accounts.SetMetaIfAbsent(ctx, "id", []byte(hex.EncodeToString(fresh)))
	if err != nil {
		return err
	}
	noted, err := storage.Load(ctx, accountsAt)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return storage.Store(ctx, accountsAt, id)
	case err != nil:
		return fmt.Errorf("storage: %w", err)
	case string(noted) != string(id):
		return fmt.Errorf("accounts: the accounts store is empty or another than last time: bring accounts.db back; "+
			"or, if nobody shall be enrolled any more, remove %s from Caddy's storage", accountsAt)
	}
	return nil
}
