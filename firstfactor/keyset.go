package firstfactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that a token may be signed with (RFC 7518, section
// 3.1): none that needs no key, and none whose key both sides know, by which
// a public key could become a secret one.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// keysKept is how long keys count without being asked for again: so long a
// key that its issuer took back goes on.
const keysKept = 10 * time.Minute

var errSignature = errors.New("no key of the issuer made the signature")

// keySet are the keys that an issuer publishes (RFC 7517). A token by a key
// that is not among them has them fetched again, since issuers rotate keys.
type keySet struct{ published remote[[]jose.JSONWebKey] }

func newKeySet(client *http.Client, url string) *keySet {
	load := func(ctx context.Context) ([]jose.JSONWebKey, error) {
		body, err := fetch(ctx, client, url)
		if err != nil {
			return nil, err
		}
		return parseKeys(body)
	}
	return &keySet{remote[[]jose.JSONWebKey]{load: load, keep: keysKept}}
}

// VerifySignature returns what a token holds if a key of the set signed it.
// ErrIssuer: the keys cannot be had.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, brief(err)
	}
	keys, err := k.published.get(ctx)
	if err != nil {
		return nil, err
	}
	if payload, err := verifyBy(keys, jws); err == nil {
		return payload, nil
	}
	if keys, err = k.published.anew(ctx); err != nil {
		return nil, err
	}
	return verifyBy(keys, jws)
}

func verifyBy(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, error) {
	head := jws.Signatures[0].Protected
	for _, key := range keys {
		named := head.KeyID == "" || key.KeyID == head.KeyID
		if !named || key.Algorithm != "" && key.Algorithm != head.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errSignature
}

// parseKeys reads a set, and leaves out what is not for checking signatures
// or of a kind that we do not know (RFC 7517, section 5).
func parseKeys(body []byte) (keys []jose.JSONWebKey, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() && key.Use != "enc" {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("keys: none in the set checks signatures")
	}
	return keys, nil
}
