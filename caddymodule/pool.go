package caddymodule

import (
	"crypto/rand"
	"encoding/hex"
	"io"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/seal"
)

// pool has what outlives a reload. The new configuration starts before the
// old one stops, so both hold the same entry for a moment. A key says what
// the entry is connected to and as whom: a changed password is another entry.
var pool = caddy.NewUsagePool()

// hold takes an entry of the pool, opening it if there is none. Cleanup lets
// go of it.
func hold[T io.Closer](a *App, key string, open func() (T, error)) (T, error) {
	v, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		v, err := open()
		return entry[T]{v}, err
	})
	if err != nil {
		var none T
		return none, err
	}
	a.release = append(a.release, func() error {
		_, err := pool.Delete(key)
		return err
	})
	return v.(entry[T]).value, nil
}

// entry is what the pool holds.
type entry[T io.Closer] struct{ value T }

// Destruct implements caddy.Destructor.
func (e entry[T]) Destruct() error { return e.value.Close() }

// digestKey makes the pool's keys useless for guessing what is in them.
var digestKey = func() []byte {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails since Go 1.24
	return key
}()

func digest(parts ...string) string { return hex.EncodeToString(seal.Digest(digestKey, parts...)) }
