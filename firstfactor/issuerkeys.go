package firstfactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How an issuer's keys are kept, where tokens come with each request.
const (
	keysFresh = 10 * time.Minute
	fileFresh = 5 * time.Second
	keysEvery = 10 * time.Second
	fileEvery = time.Second
	keysWait  = 2 * time.Second
)

var errSignature = errors.New("no key of the issuer made the signature")

// issuerKeys are the public keys of an issuer. A token that none of them
// signed has them read again, since issuers rotate keys.
type issuerKeys struct{ remote[jwks] }

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

// newSignInKeys are keys for tokens that come when people sign in, who can
// wait a moment for the issuer's newest.
func newSignInKeys(client *http.Client, address string) *issuerKeys {
	return &issuerKeys{remote[jwks]{fresh: keysFresh, every: askAgain, wait: askAgain + issuerTimeout, patient: true, now: time.Now, fault: func(error) {},
		load: func(ctx context.Context, old *jwks) (*jwks, error) { return fetchKeys(ctx, client, address, old) }}}
}

// newRequestKeys are keys for tokens that come with each request. fault is told
// when they cannot be had.
func newRequestKeys(from string, now func() time.Time, fault func(error)) *issuerKeys {
	if !isAddress(from) {
		return &issuerKeys{remote[jwks]{fresh: fileFresh, every: fileEvery, wait: keysWait, now: now, fault: fault,
			load: func(_ context.Context, old *jwks) (*jwks, error) { return readKeyFile(from, old) }}}
	}
	client := issuerClient()
	return &issuerKeys{remote[jwks]{fresh: keysFresh, every: keysEvery, wait: keysWait, now: now, fault: fault,
		load: func(ctx context.Context, old *jwks) (*jwks, error) { return fetchKeys(ctx, client, from, old) }}}
}

func fetchKeys(ctx context.Context, client *http.Client, address string, old *jwks) (*jwks, error) {
	text, err := fetch(ctx, client, address)
	if err != nil {
		return nil, err
	}
	return newer(old, text)
}

func readKeyFile(path string, old *jwks) (*jwks, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxIssuerAnswer+1))
	if err == nil && len(text) > maxIssuerAnswer {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxIssuerAnswer)
	}
	if err != nil {
		return nil, err
	}
	return newer(old, text)
}

func newer(old *jwks, text []byte) (*jwks, error) {
	if old != nil && old.text == string(text) {
		return old, nil
	}
	return parseKeys(text)
}

// verify returns what a token holds, and the keys one of which signed it (RFC
// 7515, section 5.2). errSignature: none did, not even of those that the
// issuer publishes now. ErrIssuer: that cannot be told.
func (k *issuerKeys) verify(ctx context.Context, signed *jose.JSONWebSignature) ([]byte, *jwks, error) {
	set, err := k.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	payload, ok := set.verify(signed)
	if ok {
		return payload, set, nil
	}
	if set, err = k.after(ctx, set); err != nil {
		return nil, nil, err
	}
	if payload, ok = set.verify(signed); !ok {
		return nil, nil, errSignature
	}
	return payload, set, nil
}

// VerifySignature implements oidc.KeySet.
func (k *issuerKeys) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, brief(err)
	}
	payload, _, err := k.verify(ctx, signed)
	return payload, err
}
