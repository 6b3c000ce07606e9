package caddymodule

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/store/sqlite"
)

// overtaken is an accounts store in which another node is quicker by a moment.
type overtaken struct {
	accounts.Store
	by *seal.Ring
}

func (o overtaken) SetMetaIfAbsent(ctx context.Context, name string, value []byte) ([]byte, error) {
	if name == "key-check-0" {
		if _, err := o.Store.SetMetaIfAbsent(ctx, name, o.by.Seal("key-check", []byte("sealed with "+o.by.IDs()[0]), name)); err != nil {
			return nil, err
		}
	}
	return o.Store.SetMetaIfAbsent(ctx, name, value)
}

// Of two nodes that start at once on an empty store with different keys, one
// does not.
func TestFirstKeysAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		mine, other *seal.Ring
		fits        bool
	}{
		"foreign": {ringOf(t, "k1"), ringOf(t, "k2"), false},
		"equal":   {ringOf(t, "k1"), ringOf(t, "k1"), true},
		"both":    {ringOf(t, "k1", "k2"), ringOf(t, "k2", "k1"), true},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			err = checkKeys(t.Context(), overtaken{store, c.other}, c.mine)
			if (err == nil) != c.fits || err != nil && !answered(err) {
				t.Errorf("with the keys of another node: %v", err)
			}
			if c.fits && checkKeys(t.Context(), store, ringOf(t, c.mine.IDs()[0])) == nil && name == "both" {
				t.Error("what the other node sealed is not remembered")
			}
		})
	}
}
