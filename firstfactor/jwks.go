package firstfactor

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How an issuer's keys are kept.
const (
	keysFresh = 10 * time.Minute // then they are read again
	fileFresh = 5 * time.Second
	keysStale = 6 * time.Hour    // when they cannot be read again, they count so long
	keysEvery = 10 * time.Second // whatever tokens are sent
	fileEvery = time.Second
	keysWait  = 2 * time.Second // of one request
	weakRSA   = 2048            // bits, below which no key counts (RFC 7518, section 3.3)
)

// jwks is a set of keys as it was published once (RFC 7517). One that is
// published again unchanged stays the same pointer.
type jwks struct {
	text string
	keys []jose.JSONWebKey
}

// issuerKeys are the public keys of an issuer, as they are published now or
// were a while ago.
type issuerKeys struct {
	read         func(context.Context) ([]byte, error)
	fresh, every time.Duration
	now          func() time.Time
	fault        func(error) // is told that they cannot be had

	current atomic.Pointer[jwks]
	readAt  atomic.Int64 // when current was read last, in Unix nanoseconds

	mu    sync.Mutex
	tried time.Time
	err   error         // of the last try
	doing chan struct{} // closed when the try under way is over
}

// isAddress tells an address from the path of a file.
func isAddress(from string) bool { return strings.Contains(from, "://") }

// checkKeysAddress refuses one that others on the way could answer for.
func checkKeysAddress(from string) error {
	if !isAddress(from) {
		return nil
	}
	if u, err := url.Parse(from); err != nil || !safeURL(u) {
		return fmt.Errorf("jwks %q: give an https address, or the path of a file; http only to this machine itself", from)
	}
	return nil
}

func newIssuerKeys(from string, now func() time.Time, fault func(error)) *issuerKeys {
	k := &issuerKeys{fresh: fileFresh, every: fileEvery, now: now, fault: fault}
	k.read = func(context.Context) ([]byte, error) { return readKeyFile(from) }
	if isAddress(from) {
		client := issuerClient()
		k.fresh, k.every = keysFresh, keysEvery
		k.read = func(ctx context.Context) ([]byte, error) { return fetch(ctx, client, from) }
	}
	return k
}

func readKeyFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxIssuerAnswer+1))
	if err == nil && len(text) > maxIssuerAnswer {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxIssuerAnswer)
	}
	return text, err
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

// get is the keys as they were published a while ago at most.
func (k *issuerKeys) get(ctx context.Context) (*jwks, error) {
	if set := k.current.Load(); set != nil && k.age() < k.fresh {
		return set, nil
	}
	err := k.refresh(ctx)
	if set := k.current.Load(); set != nil && k.age() < keysStale {
		return set, nil
	}
	if err == nil {
		err = errors.New("they were read a long time ago")
	}
	return nil, fmt.Errorf("the issuer's keys: %w", err)
}

// after is the keys after those in which one was not found: the issuer may
// have a new one. The same ones mean that it has not, or that somebody asks
// for keys without end.
func (k *issuerKeys) after(ctx context.Context, old *jwks) (*jwks, error) {
	if set := k.current.Load(); set != old {
		return set, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("the issuer's keys: %w", err)
	}
	return k.current.Load(), nil
}

// still tells that nothing is known against signatures that were checked with
// these keys. It does not wait.
func (k *issuerKeys) still(set *jwks) bool {
	age := k.age()
	if age >= k.fresh {
		k.begin()
	}
	return k.current.Load() == set && age < keysStale
}

func (k *issuerKeys) age() time.Duration { return k.now().Sub(time.Unix(0, k.readAt.Load())) }

// refresh waits for a try, if there may be one now, and returns what became
// of the last.
func (k *issuerKeys) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	if doing := k.begin(); doing != nil {
		select {
		case <-doing:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// begin tries to read the keys, unless it was tried just now, and returns
// what is closed when the try under way is over. It is nobody's own: whoever
// waits may go away.
func (k *issuerKeys) begin() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.doing == nil && now.Sub(k.tried) >= k.every {
		k.tried, k.doing = now, make(chan struct{})
		go k.try()
	}
	return k.doing
}

func (k *issuerKeys) try() {
	ctx, cancel := context.WithTimeout(context.Background(), issuerTimeout)
	defer cancel()
	err := k.load(ctx)
	if err != nil {
		k.fault(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.doing)
	k.doing, k.err = nil, err
}

func (k *issuerKeys) load(ctx context.Context) error {
	text, err := k.read(ctx)
	if err != nil {
		return err
	}
	if old := k.current.Load(); old == nil || old.text != string(text) {
		keys, err := parseKeys(text)
		if err != nil {
			return err
		}
		k.current.Store(&jwks{text: string(text), keys: keys})
	}
	k.readAt.Store(k.now().UnixNano())
	return nil
}
