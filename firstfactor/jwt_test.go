package firstfactor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stepgate/stepgate/identity"
)

// Keys take long to make: all tests share these.
var rsaKey, otherRSA, weakKey, ecKey, edKey = func() (r, o, w *rsa.PrivateKey, e *ecdsa.PrivateKey, d ed25519.PrivateKey) {
	r, _ = rsa.GenerateKey(rand.Reader, 2048)
	o, _ = rsa.GenerateKey(rand.Reader, 2048)
	w, _ = rsa.GenerateKey(rand.Reader, 1024)
	e, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, _ = ed25519.GenerateKey(rand.Reader)
	return r, o, w, e, d
}()

// published is what an issuer says its keys are.
func published(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func public(kid string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: kid, Key: key.Public()}
}

// testClock is a clock that the test sets.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func keyFile(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, published(t, keys...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	testIssuer   = "https://id.example.com"
	testAudience = "wiki"
)

// newJWT takes tokens of the test's issuer, whose keys are in a file unless
// change says otherwise.
func newJWT(t testing.TB, change ...func(*JWT)) (*JWT, *testClock) {
	t.Helper()
	clock := &testClock{at: now}
	j := &JWT{Issuer: testIssuer, Audience: []string{testAudience}, Now: clock.now, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(j)
	}
	if j.JWKS == "" {
		j.JWKS = keyFile(t, public("rsa", rsaKey), public("ec", ecKey), public("ed", edKey))
	}
	if err := j.Prepare("staff"); err != nil {
		t.Fatal(err)
	}
	return j, clock
}

// good are the claims of a token that holds.
func good() map[string]any {
	return map[string]any{"iss": testIssuer, "aud": testAudience, "sub": "alice", "exp": now.Add(time.Hour).Unix()}
}

func with(name string, value any) map[string]any {
	c := good()
	c[name] = value
	if value == nil {
		delete(c, name)
	}
	return c
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, kid string, key any, payload any) string {
	t.Helper()
	options := new(jose.SignerOptions)
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, raw := payload.([]byte)
	if !raw {
		text, _ = json.Marshal(payload)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return sign(t, jose.RS256, "rsa", rsaKey, claims)
}

// carrying is a request with these headers, as "Name: value".
func carrying(headers ...string) *http.Request {
	r := &http.Request{Method: "GET", Header: http.Header{}, RemoteAddr: "10.1.2.3:4711"}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

func bearer(token string) *http.Request { return carrying("Authorization: Bearer " + token) }

func TestJWTNamesAPerson(t *testing.T) {
	j, _ := newJWT(t, func(j *JWT) { j.Groups = "groups" })
	auth := now.Add(-time.Minute)
	c := good()
	c["groups"], c["amr"], c["acr"], c["auth_time"] = []string{"admins", "it"}, []string{"pwd", "hwk"}, "gold", auth.Unix()
	raw := token(t, c)
	for range 2 { // the second is remembered
		a, err := j.Assert(t.Context(), bearer(raw))
		if err != nil {
			t.Fatal(err)
		}
		e, said := a.Evidence()
		if a.Subject() != (identity.Subject{Realm: identity.IssuedBy("staff", testIssuer), Name: "alice"}) || a.Key != raw ||
			a.Source() != j.ID() || !slices.Equal(a.Groups(), []string{"admins", "it"}) || !a.ExpiresAt().Equal(now.Add(time.Hour)) || !said ||
			e.Issuer != testIssuer || !slices.Equal(e.AMR, []string{"pwd", "hwk"}) || e.ACR != "gold" || !e.AuthTime.Equal(auth) {
			t.Errorf("%+v, %+v", a, e)
		}
	}
}

// TestJWTIssuersAreApart: equal names of two issuers are two people.
func TestJWTIssuersAreApart(t *testing.T) {
	one, _ := newJWT(t)
	other, _ := newJWT(t, func(j *JWT) { j.Issuer = "https://id.example.com/" })
	a, err := one.Assert(t.Context(), bearer(token(t, good())))
	b, err2 := other.Assert(t.Context(), bearer(token(t, with("iss", "https://id.example.com/"))))
	if err != nil || err2 != nil || a.Subject() == b.Subject() || a.Source() == b.Source() {
		t.Errorf("%v %v (%v, %v)", a.Subject(), b.Subject(), err, err2)
	}
}

// TestJWTAgainstOpenSSL takes tokens and keys that openssl made.
func TestJWTAgainstOpenSSL(t *testing.T) {
	text, err := os.ReadFile("testdata/openssl/tokens.txt")
	if err != nil {
		t.Fatal(err)
	}
	j, _ := newJWT(t, func(j *JWT) { j.JWKS = "testdata/openssl/keys.json" })
	tokens := strings.Fields(string(text))
	if len(tokens) != 3 {
		t.Fatalf("%d tokens", len(tokens))
	}
	for _, raw := range tokens {
		if a, err := j.Assert(t.Context(), bearer(raw)); err != nil || a.Subject().Name != "alice" {
			t.Errorf("%.40s: %v", raw, err)
		}
		head, rest, _ := strings.Cut(raw, ".")
		payload, signature, _ := strings.Cut(rest, ".")
		plain, _ := base64.RawURLEncoding.DecodeString(payload)
		bob := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(plain), "alice", "bob", 1)))
		if a, err := j.Assert(t.Context(), bearer(head+"."+bob+"."+signature)); !errors.Is(err, ErrAssertion) {
			t.Errorf("changed: %+v, %v", a, err)
		}
	}
}

// TestJWTForged: whatever is wrong with a token, it names nobody.
func TestJWTForged(t *testing.T) {
	weak := public("weak", weakKey)
	j, _ := newJWT(t, func(j *JWT) {
		enc := public("enc", otherRSA)
		enc.Use = "enc"
		bound := public("bound", otherRSA)
		bound.Algorithm = "RS512"
		shared := jose.JSONWebKey{KeyID: "shared", Key: []byte("0123456789abcdef0123456789abcdef")}
		private := jose.JSONWebKey{KeyID: "private", Key: otherRSA}
		j.JWKS = keyFile(t, public("rsa", rsaKey), public("second", otherRSA), public("ec", ecKey), weak, enc, bound, shared, private)
		j.Groups = "groups"
	})
	pem := rsaPublicBytes(t)
	raw := token(t, good())
	parts := strings.Split(raw, ".")
	unsigned := func(head string) string { return b64(head) + "." + parts[1] + "." }
	for name, forged := range map[string]string{
		"nothing":              "",
		"no token":             "abc",
		"two parts":            parts[0] + "." + parts[1],
		"four parts":           raw + ".x",
		"encrypted":            "a.b.c.d.e",
		"cut":                  raw[:len(raw)-1],
		"padded":               raw + "=",
		"in JSON":              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"alg none":             unsigned(`{"alg":"none"}`),
		"alg None":             unsigned(`{"alg":"None","kid":"rsa"}`),
		"alg empty":            unsigned(`{"alg":"","kid":"rsa"}`),
		"no alg":               unsigned(`{"kid":"rsa"}`),
		"none, signed":         b64(`{"alg":"none","kid":"rsa"}`) + "." + parts[1] + "." + parts[2],
		"two algs":             b64(`{"alg":"none","alg":"RS256","kid":"rsa"}`) + "." + parts[1] + "." + parts[2],
		"HS by the public key": sign(t, jose.HS256, "rsa", pem, good()),
		"HS by a shared key":   sign(t, jose.HS256, "shared", []byte("0123456789abcdef0123456789abcdef"), good()),
		"not allowed":          sign(t, jose.PS256, "rsa", rsaKey, good()),
		"RS by the EC key":     sign(t, jose.RS256, "ec", otherRSA, good()),
		"ES by the RSA key":    sign(t, jose.ES256, "rsa", ecKey, good()),
		"wrong kid":            sign(t, jose.RS256, "other", rsaKey, good()),
		"kid of another":       sign(t, jose.RS256, "rsa", otherRSA, good()),
		"kid of a private one": sign(t, jose.RS256, "private", otherRSA, good()),
		"a key to encrypt":     sign(t, jose.RS256, "enc", otherRSA, good()),
		"a key for RS512":      sign(t, jose.RS256, "bound", otherRSA, good()),
		"a weak key":           sign(t, jose.RS256, "weak", weakKey, good()),
		"no kid, several keys": sign(t, jose.RS256, "", rsaKey, good()),
		"its own key":          ownKey(t),
		"too long":             sign(t, jose.RS256, "rsa", rsaKey, with("x", strings.Repeat("x", maxToken))),
		"no issuer":            token(t, with("iss", nil)),
		"another issuer":       token(t, with("iss", testIssuer+"/")),
		"issuer in capitals":   token(t, with("iss", strings.ToUpper(testIssuer))),
		"two issuers":          token(t, with("iss", []string{testIssuer})),
		"no audience":          token(t, with("aud", nil)),
		"another audience":     token(t, with("aud", "wik")),
		"other audiences":      token(t, with("aud", []string{"blog", "wiki2"})),
		"audience in parts":    token(t, with("aud", map[string]any{"wiki": "wiki"})),
		"no end":               token(t, with("exp", nil)),
		"ended":                token(t, with("exp", now.Unix())),
		"end in text":          token(t, with("exp", "99999999999")),
		"end beyond time":      token(t, with("exp", 1e300)),
		"end below zero":       token(t, with("exp", -1)),
		"later":                token(t, with("nbf", now.Add(61*time.Second).Unix())),
		"made later":           token(t, with("iat", now.Add(61*time.Second).Unix())),
		"later in text":        token(t, with("nbf", "0")),
		"no subject":           token(t, with("sub", nil)),
		"empty subject":        token(t, with("sub", "")),
		"subject a number":     token(t, with("sub", 7)),
		"two subjects":         token(t, with("sub", []string{"alice", "bob"})),
		"control bytes":        token(t, with("sub", "alice\n")),
		"long subject":         token(t, with("sub", strings.Repeat("a", identity.MaxName+1))),
		"groups a number":      token(t, with("groups", 7)),
		"groups with a number": token(t, with("groups", []any{"it", 7})),
		"sub twice":            sign(t, jose.RS256, "rsa", rsaKey, doubled(t, "sub", `"bob"`)),
		"exp twice":            sign(t, jose.RS256, "rsa", rsaKey, doubled(t, "exp", "99999999999")),
		"escaped twice":        sign(t, jose.RS256, "rsa", rsaKey, doubled(t, `\u0073ub`, `"bob"`)),
		"claims no object":     sign(t, jose.RS256, "rsa", rsaKey, []byte(`["alice"]`)),
		"claims no JSON":       sign(t, jose.RS256, "rsa", rsaKey, []byte(`alice`)),
		"something behind":     sign(t, jose.RS256, "rsa", rsaKey, append(doubled(t, "x", "1"), "{}"...)),
	} {
		a, err := j.Assert(t.Context(), bearer(forged))
		if !errors.Is(err, ErrAssertion) || !a.IsZero() || a.Key != "" {
			t.Errorf("%s: %v, %v", name, a.Subject(), err)
		}
	}
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil {
		t.Errorf("and the good one: %v", err)
	}
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// rsaPublicBytes is the public key as an attacker signs with it.
func rsaPublicBytes(t *testing.T) []byte {
	text, err := json.Marshal(public("rsa", rsaKey))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ownKey is a token that brings its own key.
func ownKey(t *testing.T) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: otherRSA}, (&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "rsa"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(good())
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := signed.CompactSerialize()
	return raw
}

// doubled are good claims and one more, whose name is written as it is.
func doubled(t *testing.T, name, value string) []byte {
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `%s,"%s":%s}`, text[:len(text)-1], name, value)
}

// TestJWTClocks: an issuer's clock may be a minute ahead, and no token lasts
// longer than it says.
func TestJWTClocks(t *testing.T) {
	j, clock := newJWT(t)
	c := good()
	c["nbf"], c["iat"] = now.Add(time.Minute).Unix(), now.Add(time.Minute).Unix()
	raw := token(t, c)
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil {
		t.Error(err)
	}
	clock.sleep(time.Hour - time.Nanosecond)
	if _, err := j.Assert(t.Context(), bearer(raw)); err != nil {
		t.Error(err)
	}
	clock.sleep(time.Nanosecond)
	if _, err := j.Assert(t.Context(), bearer(raw)); !errors.Is(err, ErrAssertion) {
		t.Errorf("remembered beyond its end: %v", err)
	}
}

// TestJWTForgedEvidence: what is said in a wrong way counts for nothing, and
// the person is still the person.
func TestJWTForgedEvidence(t *testing.T) {
	j, _ := newJWT(t)
	for name, value := range map[string]any{"amr": "mfa", "acr": []string{"gold"}, "auth_time": "0"} {
		a, err := j.Assert(t.Context(), bearer(token(t, with(name, value))))
		e, _ := a.Evidence()
		if err != nil || len(e.AMR) > 0 || e.ACR != "" || !e.AuthTime.IsZero() {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestJWTClaims(t *testing.T) {
	nested := with("realm_access", map[string]any{"roles": []string{"admins"}, "name": "Alice"})
	j, _ := newJWT(t, func(j *JWT) { j.Subject, j.Groups = "/realm_access/name", "/realm_access/roles" })
	if a, err := j.Assert(t.Context(), bearer(token(t, nested))); err != nil || a.Subject().Name != "Alice" || !slices.Equal(a.Groups(), []string{"admins"}) {
		t.Errorf("%+v, %v", a, err)
	}
	mail, _ := newJWT(t, func(j *JWT) { j.Subject = "email" })
	byPointer, _ := newJWT(t, func(j *JWT) { j.Subject = "/email" })
	for verified, holds := range map[any]bool{true: true, "true": true, nil: true, false: false, "false": false, 1: false} {
		c := with("email", "alice@example.com")
		if verified != nil {
			c["email_verified"] = verified
		}
		if _, err := mail.Assert(t.Context(), bearer(token(t, c))); (err == nil) != holds {
			t.Errorf("email_verified %v: %v", verified, err)
		}
		if _, err := byPointer.Assert(t.Context(), bearer(token(t, c))); (err == nil) != holds {
			t.Errorf("email_verified %v, by a pointer: %v", verified, err)
		}
	}
}

// TestJWTWhereItStands: one token, in the one place that was named.
func TestJWTWhereItStands(t *testing.T) {
	raw := token(t, good())
	bear, _ := newJWT(t)
	access, _ := newJWT(t, func(j *JWT) { j.Header = "cf-access-jwt-assertion" })
	cookie, _ := newJWT(t, func(j *JWT) { j.Cookie = "CF_Authorization" })
	trailer := bearer(raw)
	trailer.Trailer = http.Header{"Authorization": nil}
	only, _ := newJWT(t, func(j *JWT) { j.JWKS = keyFile(t, public("rsa", rsaKey), public("ec", ecKey)) })
	if _, err := only.Assert(t.Context(), bearer(sign(t, jose.RS256, "", rsaKey, good()))); err != nil {
		t.Errorf("without a kid, by the only key of its kind: %v", err)
	}
	const none, holds, forged = "none", "holds", "forged"
	for _, c := range []struct {
		name string
		j    *JWT
		r    *http.Request
		want string
	}{
		{"bearer", bear, bearer(raw), holds},
		{"bearer in small letters", bear, carrying("Authorization: bearer  " + raw), holds},
		{"Basic", bear, carrying("Authorization: Basic YTpi"), none},
		{"nothing", bear, carrying("Cookie: Authorization=" + raw), none},
		{"two bearers", bear, carrying("Authorization: Bearer "+raw, "Authorization: Bearer "+raw), forged},
		{"in capitals too", bear, carrying("Authorization: Bearer "+raw, "AUTHORIZATION: x"), forged},
		{"bearer and Basic", bear, carrying("Authorization: Basic YTpi", "Authorization: Bearer "+raw), forged},
		{"as a trailer", bear, trailer, forged},
		{"in Connection", bear, carrying("Authorization: Bearer "+raw, "Connection: close, authorization"), forged},
		{"two in one line", bear, carrying("Authorization: Bearer " + raw + ", " + raw), forged},
		{"header", access, carrying("Cf-Access-Jwt-Assertion: " + raw), holds},
		{"another header", access, bearer(raw), none},
		{"underscores too", access, carrying("Cf-Access-Jwt-Assertion: "+raw, "Cf_access_jwt_assertion: x"), forged},
		{"only underscores", access, carrying("Cf_access_jwt_assertion: " + raw), forged},
		{"an empty line", access, carrying("Cf-Access-Jwt-Assertion: "), forged},
		{"cookie", cookie, carrying("Cookie: a=b; CF_Authorization=" + raw + "; c=d"), holds},
		{"no cookie", cookie, carrying("Cookie: a=b"), none},
		{"two cookies", cookie, carrying("Cookie: CF_Authorization=" + raw + ";CF_Authorization=" + raw), forged},
		{"two lines", cookie, carrying("Cookie: CF_Authorization="+raw, "Cookie: CF_Authorization=x"), forged},
		{"folded too", cookie, carrying("Cookie: CF_Authorization=" + raw + "; CF.Authorization=x"), forged},
		{"in small letters too", cookie, carrying("Cookie: cf_authorization=x; CF_Authorization=" + raw), forged},
		{"only folded", cookie, carrying("Cookie: CF%5fAuthorization=" + raw), forged},
	} {
		a, err := c.j.Assert(t.Context(), c.r)
		got := holds
		switch {
		case errors.Is(err, ErrNoAssertion):
			got = none
		case errors.Is(err, ErrAssertion):
			got = forged
		case err != nil:
			got = err.Error()
		}
		if got != c.want || (got == holds) != (a.Subject().Name == "alice") {
			t.Errorf("%s: %s (%v)", c.name, got, err)
		}
	}
}

// TestJWTSteadyState: a token that was seen has its signature checked no more
// while the issuer's keys are the same, and costs nothing.
func TestJWTSteadyState(t *testing.T) {
	j, clock := newJWT(t)
	r := bearer(token(t, good()))
	if _, err := j.Assert(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	// No signature would hold by this key: who still passes was not checked.
	j.keys.current.Load().keys[0].Key = otherRSA.Public()
	if _, err := j.Assert(t.Context(), r); err != nil {
		t.Errorf("its signature was checked again: %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = j.Assert(t.Context(), r) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
	if _, err := j.Assert(t.Context(), bearer(token(t, with("sub", "bob")))); !errors.Is(err, ErrAssertion) {
		t.Errorf("this test sees no signature checked: %v", err)
	}
	clock.sleep(2 * time.Hour)
	if _, err := j.Assert(t.Context(), r); !errors.Is(err, ErrAssertion) {
		t.Errorf("remembered for good: %v", err)
	}
}

func TestJWTConfiguration(t *testing.T) {
	for want, change := range map[string]func(*JWT){
		"issuer":      func(j *JWT) { j.Issuer = "" },
		"audience":    func(j *JWT) { j.Audience = nil },
		"audience: ":  func(j *JWT) { j.Audience = []string{"wiki", ""} },
		"jwks":        func(j *JWT) { j.JWKS = "" },
		"https":       func(j *JWT) { j.JWKS = "http://id.example.com/keys" },
		"https ":      func(j *JWT) { j.JWKS = "ftp://localhost/keys" },
		"keep one":    func(j *JWT) { j.Header, j.Cookie = "X-Jwt", "jwt" },
		"header":      func(j *JWT) { j.Header = "X Jwt" },
		"cookie":      func(j *JWT) { j.Cookie = "a;b" },
		`"none"`:      func(j *JWT) { j.Algorithms = []jose.SignatureAlgorithm{"RS256", "none"} },
		`"HS256" is`:  func(j *JWT) { j.Algorithms = []jose.SignatureAlgorithm{"HS256"} },
		`"rs256" is `: func(j *JWT) { j.Algorithms = []jose.SignatureAlgorithm{"rs256"} },
	} {
		j := &JWT{Issuer: testIssuer, Audience: []string{testAudience}, JWKS: "keys.json"}
		change(j)
		if err := j.Prepare("staff"); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	j, _ := newJWT(t, func(j *JWT) { j.JWKS = filepath.Join(t.TempDir(), "none.json") })
	if err := j.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("a file that is not there: %v", err)
	}
	j, _ = newJWT(t, func(j *JWT) { j.JWKS = "https://127.0.0.1:1/keys" })
	if err := j.Open(t.Context()); err != nil {
		t.Errorf("an issuer that is down stops the start: %v", err)
	}
}
