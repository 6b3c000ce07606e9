package firstfactor

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that a token may be signed with (RFC 7518, section
// 3.1): none that needs no key, and none whose key both sides know, by which
// a public key could become a secret one.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// weakRSA is how many bits a key must have to count (RFC 7518, section 3.3).
const weakRSA = 2048

// jwks is a set of keys as it was published once (RFC 7517). One that is
// published again unchanged stays the same pointer.
type jwks struct {
	text string
	keys []jose.JSONWebKey
}

// parseKeys reads a set, and leaves out what is not for checking signatures
// or of a kind that we do not know (RFC 7517, section 5).
func parseKeys(text []byte) (*jwks, error) {
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &published); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	set := &jwks{text: string(text)}
	for _, raw := range published.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() && key.Use != "enc" {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("keys: none in the set checks signatures")
	}
	return set, nil
}

// verify returns what was signed, if a key of the set did it.
func (s *jwks) verify(signed *jose.JSONWebSignature) (payload []byte, ok bool) {
	for _, key := range s.matching(signed.Signatures[0].Protected) {
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// matching are the keys that a token can be signed with by what its head
// says: those of its kid, or the only one of its kind where it names none.
func (s *jwks) matching(head jose.Header) (keys []jose.JSONWebKey) {
	for _, key := range s.keys {
		if (head.KeyID == "" || key.KeyID == head.KeyID) && signs(key, head.Algorithm) {
			keys = append(keys, key)
		}
	}
	if head.KeyID == "" && len(keys) > 1 {
		return nil
	}
	return keys
}

// signs tells whether a key is for an algorithm: what a token says of itself
// must not have its signature checked by the rules of another (RFC 8725,
// section 3.1).
func signs(key jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= weakRSA && (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS"))
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	default:
		return false
	}
}
