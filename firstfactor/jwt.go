package firstfactor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"github.com/stepgate/stepgate/match"
)

// JWT proves people by a token that each of their requests carries, signed by
// an issuer (RFC 7519): `first_factor jwt {…}` in a Caddyfile.
type JWT struct {
	// Issuer is what the token must name as its `iss`, byte for byte.
	Issuer string `json:"issuer"`
	// Audience: the token's `aud` must name one of these.
	Audience []string `json:"audience"`
	// JWKS is where the issuer's public keys are (RFC 7517): an https address,
	// or the path of a file, which is read again when it changes.
	JWKS string `json:"jwks"`
	// Algorithms that a token may be signed with. Default: RS256, ES256, EdDSA.
	Algorithms []jose.SignatureAlgorithm `json:"algorithms,omitempty"`
	// Header carries the token. Default: Authorization, as `Bearer TOKEN`;
	// other headers hold it alone.
	Header string `json:"header,omitempty"`
	// Cookie carries the token, instead of a header.
	Cookie string `json:"cookie,omitempty"`
	// Subject is the claim that names the person, or a JSON pointer (RFC 6901)
	// to it. Default: sub.
	Subject string `json:"subject,omitempty"`
	// Groups is the claim that lists the person's groups, or a JSON pointer to
	// it. Default: none.
	Groups string `json:"groups,omitempty"`

	// Now is the clock. Default: time.Now.
	Now func() time.Time `json:"-"`
	// Log is told of keys that cannot be had. Default: slog.Default.
	Log *slog.Logger `json:"-"`

	realm    string
	header   header
	cookies  *match.Names
	smuggled func(pair string) bool // whether a cookie holds the token's for some console
	allowed  []jose.SignatureAlgorithm
	keys     *issuerKeys
	verified *otter.Cache[string, verifiedToken]
}

// verifiedToken is a person whom a token named, and the keys that its
// signature was checked with.
type verifiedToken struct {
	who  Identity
	keys *jwks
}

const (
	maxToken    = 16 << 10 // bytes
	maxVerified = 32 << 20 // bytes of remembered tokens
)

// Prepare checks the description and readies it for the people of a realm.
// It opens nothing.
func (j *JWT) Prepare(realm string) error {
	if err := j.check(); err != nil {
		return err
	}
	if j.Now == nil {
		j.Now = time.Now
	}
	if j.Log == nil {
		j.Log = slog.Default()
	}
	j.realm = realm
	if j.Cookie == "" {
		j.header = newHeader(cmp.Or(j.Header, "Authorization"))
	} else {
		j.cookies = match.NewNames(j.Cookie)
		j.smuggled = (&Console{SessionCookies: []string{j.Cookie}}).smuggles
	}
	j.allowed = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}
	if len(j.Algorithms) > 0 {
		j.allowed = j.Algorithms
	}
	j.keys = newRequestKeys(j.JWKS, j.Now, func(err error) {
		j.Log.Error("the keys of an issuer cannot be had; those known before count for a while", "issuer", j.Issuer, "jwks", j.JWKS, "error", err)
	})
	var err error
	j.verified, err = otter.New(&otter.Options[string, verifiedToken]{MaximumWeight: maxVerified,
		Weigher: func(token string, _ verifiedToken) uint32 { return uint32(512 + len(token)) }})
	return err
}

func (j *JWT) check() error {
	var errs []error
	want := func(ok bool, remedy string) {
		if !ok {
			errs = append(errs, errors.New(remedy))
		}
	}
	want(j.Issuer != "", "issuer: say who signs the tokens, as `issuer https://id.example.com`")
	want(len(j.Audience) > 0 && !slices.Contains(j.Audience, ""), "audience: say what the tokens must be for, as `audience wiki`: without it, tokens for other sites would count")
	want(j.JWKS != "", "jwks: say where the issuer's public keys are, as `jwks https://id.example.com/keys` or `jwks /etc/keys.json`")
	want(j.Header == "" || j.Cookie == "", "header, cookie: the token comes in one of them; keep one")
	want(j.Header == "" || validName(j.Header) && !strings.EqualFold(j.Header, "Cookie"), fmt.Sprintf("header %q: that is no name of a header", j.Header))
	want(j.Cookie == "" || validName(j.Cookie), fmt.Sprintf("cookie %q: that is no name of a cookie", j.Cookie))
	for _, name := range j.Algorithms {
		want(slices.Contains(algorithms, name), fmt.Sprintf("algorithms: %q is none of %q: only those are checked with a public key", name, algorithms))
	}
	return errors.Join(append(errs, checkKeysAddress(j.JWKS))...)
}

// Open reads keys that are in a file, so that a missing one is known at the
// start. An address is asked when the first token comes.
func (j *JWT) Open(ctx context.Context) error {
	if isAddress(j.JWKS) {
		return nil
	}
	if _, err := j.keys.load(ctx, nil); err != nil {
		return fmt.Errorf("jwks %s: %w", j.JWKS, err)
	}
	return nil
}
