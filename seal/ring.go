package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

// ErrOpen is returned for anything that cannot be opened: a foreign or
// altered value, other associated data, an unknown key. It says no more than
// that on purpose.
var ErrOpen = errors.New("seal: cannot open")

// ErrUnknownKey is wrapped when a value names a key this ring does not hold:
// an operator's mistake (a lost or foreign key set), not an attack.
var ErrUnknownKey = errors.New("seal: unknown key")

// Key is one master key. ID is at most 32 bytes of [a-z0-9-].
type Key struct {
	ID     string
	Secret [KeySize]byte
}

// NewKey makes a random master key.
func NewKey(id string) (Key, error) {
	k := Key{ID: id}
	if !validID(id) {
		return Key{}, fmt.Errorf("key id %q: use 1 to 32 of a-z, 0-9 and -", id)
	}
	_, err := rand.Read(k.Secret[:])
	return k, err
}

func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 32 &&
		strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Ring is a set of master keys, of which one seals and all open. It is
// immutable and safe for concurrent use.
type Ring struct {
	sealing Key
	byID    map[string]Key
}

// NewRing makes a ring. sealing must be the id of one of the keys.
func NewRing(sealing string, keys ...Key) (*Ring, error) {
	r := &Ring{byID: make(map[string]Key, len(keys))}
	for _, k := range keys {
		if !validID(k.ID) {
			return nil, fmt.Errorf("key id %q: use 1 to 32 of a-z, 0-9 and -", k.ID)
		}
		if _, twice := r.byID[k.ID]; twice {
			return nil, fmt.Errorf("key id %q stands twice", k.ID)
		}
		r.byID[k.ID] = k
	}
	var ok bool
	if r.sealing, ok = r.byID[sealing]; !ok {
		return nil, fmt.Errorf("sealing key %q is not in the key set", sealing)
	}
	return r, nil
}

// IDs lists the keys, sealing first, then in alphabetical order.
func (r *Ring) IDs() []string {
	ids := make([]string, 0, len(r.byID))
	for id := range r.byID {
		if id != r.sealing.ID {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return append([]string{r.sealing.ID}, ids...)
}

// Seal encrypts plain for a purpose, bound to the associated parts: whoever
// opens must name the same purpose and the same parts in the same order.
func (r *Ring) Seal(purpose string, plain []byte, bound ...string) []byte {
	return r.For(purpose).Seal(plain, bound...)
}

// Open decrypts what Seal made.
func (r *Ring) Open(purpose string, sealed []byte, bound ...string) ([]byte, error) {
	return r.For(purpose).Open(sealed, bound...)
}

// Derive returns a 32-byte key of each master key for a purpose and context,
// the sealing key's first: for our cookies, which any key of the ring may
// have authenticated.
func (r *Ring) Derive(purpose string, context ...string) [][]byte {
	ids := r.IDs()
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = r.derive(r.byID[id], purpose, context...)
	}
	return keys
}

func (r *Ring) derive(k Key, purpose string, context ...string) []byte {
	info := string(join(append([]string{"stepgate/" + purpose}, context...)))
	key, err := hkdf.Key(sha256.New, k.Secret[:], nil, info, KeySize)
	if err != nil {
		panic(err) // only for a length over 255 hashes
	}
	return key
}

// Digest is a keyed digest (HMAC-SHA-256), for values that must be recognised
// and never read back.
func Digest(key []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(join(parts))
	return m.Sum(nil)
}

// Box seals with one key. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// NewBox takes a 32-byte key.
func NewBox(key []byte) *Box {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // a wrong key length is a programming error
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &Box{aead}
}

// Seal appends the sealed form of plain to dst.
func (b *Box) Seal(dst, plain []byte, bound ...string) []byte {
	return b.aead.Seal(dst, nil, plain, join(bound))
}

// Open is the inverse of Seal.
func (b *Box) Open(sealed []byte, bound ...string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, join(bound))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// join is injective: ("ab","c") and ("a","bc") must not be the same data.
func join(parts []string) []byte {
	size := 0
	for _, p := range parts {
		size += 4 + len(p)
	}
	out := make([]byte, 0, size)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

// Boxes are the boxes of one purpose and context under every master key,
// prepared once where many values are opened (a session's cookies).
type Boxes struct {
	sealing string
	byID    map[string]*Box
}

// For prepares the boxes of a purpose and context.
func (r *Ring) For(purpose string, context ...string) *Boxes {
	b := &Boxes{sealing: r.sealing.ID, byID: make(map[string]*Box, len(r.byID))}
	for id, key := range r.byID {
		b.byID[id] = NewBox(r.derive(key, purpose, context...))
	}
	return b
}

// Seal encrypts plain and names the sealing key in front.
func (b *Boxes) Seal(plain []byte, bound ...string) []byte {
	out := append([]byte{byte(len(b.sealing))}, b.sealing...)
	return b.byID[b.sealing].Seal(out, plain, bound...)
}

// Open decrypts what Seal made, with whichever key sealed it.
func (b *Boxes) Open(sealed []byte, bound ...string) ([]byte, error) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0]) {
		return nil, ErrOpen
	}
	id, rest := string(sealed[1:1+int(sealed[0])]), sealed[1+int(sealed[0]):]
	box, ok := b.byID[id]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownKey, id)
	}
	return box.Open(rest, bound...)
}
