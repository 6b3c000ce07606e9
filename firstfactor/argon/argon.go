package argon

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// cost is the work of one hash (RFC 9106, section 3.1).
type cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// now is the cost of new hashes.
var now = cost{memory: 19 << 10, passes: 2, lanes: 1}

const (
	saltSize = 16
	tagSize  = 32
)

// Hasher is safe for concurrent use. A process needs one: it bounds what all
// its callers take together.
type Hasher struct {
	cost   cost
	gate   gate
	nobody hash
	derive func(password string, h hash) []byte
}

// New makes a hasher for this machine.
func New() *Hasher {
	return &Hasher{cost: now, gate: newGate(widthHere()), nobody: random(now), derive: derive}
}

// Hash returns the encoded hash of a new password.
func (h *Hasher) Hash(ctx context.Context, password string) (encoded string, err error) {
	made := hash{cost: h.cost, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	_, _ = rand.Read(made.salt) // never fails since Go 1.24
	err = h.gate.pass(ctx, func() { made.tag = h.derive(password, made) })
	if err != nil {
		return "", err
	}
	return made.String(), nil
}

// Verify tells whether a password is the one that was hashed, and if so
// whether it should be hashed anew. The empty hash is nobody's: that it is
// wrong takes the same work.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (right, old bool, err error) {
	want, somebody := h.nobody, encoded != ""
	if somebody {
		if want, err = parse(encoded); err != nil {
			return false, false, err
		}
	}
	var got []byte
	if err := h.gate.pass(ctx, func() { got = h.derive(password, want) }); err != nil {
		return false, false, err
	}
	right = subtle.ConstantTimeCompare(got, want.tag) == 1 && somebody
	return right, right && want.cost != h.cost, nil
}

// random is a hash that no password has.
func random(c cost) hash {
	h := hash{cost: c, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	_, _ = rand.Read(h.salt)
	_, _ = rand.Read(h.tag)
	return h
}

func derive(password string, h hash) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.tag)))
}
