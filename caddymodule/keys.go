package caddymodule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/stepgate/stepgate/seal"
)

// keyStorage finds the master keys: in the operator's directory, or in
// Caddy's storage, where the first start makes one.
type keyStorage struct {
	certmagic.Storage
	dir string
}

// storedKeys is the key set as Caddy's storage holds it: one value, so that
// it changes whole.
type storedKeys struct {
	Sealing string            `json:"sealing"`
	Keys    map[string][]byte `json:"keys"`
}

const storedAt = "stepgate/keys.json"

// check looks at an operator's directory early, where the error can still
// stop a configuration from being loaded.
func (s keyStorage) check() error {
	if s.dir == "" {
		return nil
	}
	_, err := readKeys(s.dir)
	return err
}

// load reads the keys, and makes the first one where there is none.
func (s keyStorage) load() (*seal.Ring, error) { return s.read(s.create) }

// existing reads keys that have to be there.
func (s keyStorage) existing() (*seal.Ring, error) {
	return s.read(func(context.Context) ([]byte, error) {
		return nil, errors.New("there are none: bring back the master keys first, without which nothing that they sealed can be read")
	})
}

func (s keyStorage) read(without func(context.Context) ([]byte, error)) (*seal.Ring, error) {
	if s.dir != "" {
		return readKeys(s.dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	text, err := s.Load(ctx, storedAt)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = without(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %s in Caddy's storage: %w", storedAt, err)
	}
	return parseStored(text)
}

// create makes the first key of an installation, unless another node was
// quicker.
func (s keyStorage) create(ctx context.Context) ([]byte, error) {
	if err := s.Lock(ctx, storedAt); err != nil {
		return nil, err
	}
	defer func() { _ = s.Unlock(context.WithoutCancel(ctx), storedAt) }() // it expires by itself
	if text, err := s.Load(ctx, storedAt); !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	k, err := seal.NewKey("k1")
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(storedKeys{Sealing: k.ID, Keys: map[string][]byte{k.ID: k.Secret[:]}})
	if err != nil {
		return nil, err
	}
	return text, s.Store(ctx, storedAt, text)
}

func parseStored(text []byte) (*seal.Ring, error) {
	var stored storedKeys
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("keys: %s in Caddy's storage: %w: restore it from a backup", storedAt, err)
	}
	var keys []seal.Key
	for id, secret := range stored.Keys {
		k, err := key(id, secret)
		if err != nil {
			return nil, fmt.Errorf("keys: %s in Caddy's storage: %w: restore it from a backup", storedAt, err)
		}
		keys = append(keys, k)
	}
	return seal.NewRing(stored.Sealing, keys...)
}

func key(id string, secret []byte) (seal.Key, error) {
	if len(secret) != seal.KeySize {
		return seal.Key{}, fmt.Errorf("key %q has %d bytes, not %d: make it with `stepgate keys new`", id, len(secret), seal.KeySize)
	}
	return seal.Key{ID: id, Secret: [seal.KeySize]byte(secret)}, nil
}

// readKeys reads a directory: ID.key files of 32 bytes in base64, and a file
// `sealing` that names the one that seals. With one key it may be left out.
func readKeys(dir string) (*seal.Ring, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("keys: %s holds no ID.key file; make one with `stepgate keys new > %s`", dir, filepath.Join(dir, "k1.key"))
	}
	var keys []seal.Key
	for _, path := range paths {
		k, err := readKey(path)
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		keys = append(keys, k)
	}
	sealing, err := readSealing(dir, keys)
	if err != nil {
		return nil, err
	}
	ring, err := seal.NewRing(sealing, keys...)
	if err != nil {
		return nil, fmt.Errorf("keys: %s: %w; correct the file `sealing` or the file's name", dir, err)
	}
	return ring, nil
}

func readSealing(dir string, keys []seal.Key) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "sealing"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(keys) == 1:
		return keys[0].ID, nil
	case err != nil:
		return "", fmt.Errorf("keys: %s holds %d keys: write the id of the one that seals into its file `sealing` (%w)", dir, len(keys), err)
	}
	return strings.TrimSpace(string(text)), nil
}

func readKey(path string) (seal.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return seal.Key{}, err
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return seal.Key{}, fmt.Errorf("%s is not base64: make it with `stepgate keys new`", path)
	}
	k, err := key(strings.TrimSuffix(filepath.Base(path), ".key"), secret)
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}
