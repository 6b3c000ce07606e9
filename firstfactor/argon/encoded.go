package argon

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// hash is an encoded hash, taken apart.
type hash struct {
	cost
	salt, tag []byte
}

var errEncoded = errors.New("argon: not an Argon2id hash of ours")

// The largest cost that is computed, whatever a stored hash says.
const (
	maxMemory = 1 << 20 // KiB
	maxPasses = 64
	maxLanes  = 16
)

var base = base64.RawStdEncoding.Strict()

// String is the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$TAG.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		base.EncodeToString(h.salt), base.EncodeToString(h.tag))
}

// parse reads what String wrote, and nothing else.
func parse(encoded string) (h hash, err error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 {
		return hash{}, errEncoded
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return hash{}, errEncoded
	}
	if h.salt, err = base.DecodeString(parts[4]); err != nil {
		return hash{}, errEncoded
	}
	if h.tag, err = base.DecodeString(parts[5]); err != nil {
		return hash{}, errEncoded
	}
	if !h.sane() || h.String() != encoded {
		return hash{}, errEncoded
	}
	return h, nil
}

func (h hash) sane() bool {
	return h.memory >= 8 && h.memory <= maxMemory && h.passes >= 1 && h.passes <= maxPasses &&
		h.lanes >= 1 && h.lanes <= maxLanes && len(h.salt) >= 8 && len(h.tag) >= 16 && len(h.tag) <= 64
}
