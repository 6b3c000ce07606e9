// Package issuertest is an OpenID provider for tests that can be told to lie:
// an honest one cannot make the tokens that have to be refused.
package issuertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client and Secret are those of the one client that the issuer knows.
const (
	Client = "stepgate"
	Secret = "open sesame"
)

// Claims are what a token says.
type Claims = map[string]any

// Issuer signs everybody in at once. Its fields may be changed between
// requests.
type Issuer struct {
	*httptest.Server
	Now   func() time.Time
	Key   jose.JSONWebKey // signs; private
	Keys  []any           // what is published, the key's public half by default
	Meta  Claims          // changes the description
	Says  Claims          // changes each ID token's claims; nil removes one
	Info  Claims          // changes what userinfo says
	Token func(Claims) string
	// Instead answers a request in the issuer's place, if it returns true.
	Instead func(http.ResponseWriter, *http.Request) bool

	t     testing.TB
	mu    sync.Mutex
	asked map[string]url.Values // by code
	count map[string]int        // requests by path
}

var keys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// New starts an issuer that stops with the test.
func New(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	secret, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{t: t, Now: now, asked: map[string]url.Values{}, count: map[string]int{},
		Key: jose.JSONWebKey{Key: secret, KeyID: "first", Algorithm: string(jose.RS256), Use: "sig"}}
	i.Keys = []any{i.Key.Public()}
	i.Server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

// NewKey is another key, of another kind.
func NewKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: secret, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"}
}

// Asked is how many requests came for a path.
func (i *Issuer) Asked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count[path]
}

// Lock keeps requests from being answered while fields are changed.
func (i *Issuer) Lock()   { i.mu.Lock() }
func (i *Issuer) Unlock() { i.mu.Unlock() }

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	instead := i.Instead
	i.count[r.URL.Path]++
	i.mu.Unlock()
	if instead != nil && instead(w, r) {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		i.answer(w, http.StatusOK, i.description())
	case "/jwks":
		i.answer(w, http.StatusOK, map[string]any{"keys": i.Keys})
	case "/token":
		i.redeem(w, r)
	case "/userinfo":
		i.answer(w, http.StatusOK, with(Claims{"sub": with(Claims{"sub": "alice"}, i.Says)["sub"]}, i.Info))
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *Issuer) description() Claims {
	return with(Claims{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token",
		"jwks_uri": i.URL + "/jwks", "userinfo_endpoint": i.URL + "/userinfo", "end_session_endpoint": i.URL + "/end",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"},
	}, i.Meta)
}

// with is what is said, changed.
func with(said, changes Claims) Claims {
	said = maps.Clone(said)
	for name, v := range changes {
		if said[name] = v; v == nil {
			delete(said, name)
		}
	}
	return said
}

// SignIn is a person who signs in where an application sent them: it returns
// what the callback is asked with.
func (i *Issuer) SignIn(address string) url.Values {
	i.t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Host != i.Listener.Addr().String() {
		i.t.Fatalf("%q does not lead to the issuer: %v", address, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code := rand.Text()
	i.asked[code] = u.Query()
	return url.Values{"code": {code}, "state": {u.Query().Get("state")}}
}

func (i *Issuer) redeem(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	q, known := i.asked[r.FormValue("code")]
	delete(i.asked, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case id != Client || secret != Secret:
		i.answer(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	case !known || r.FormValue("redirect_uri") != q.Get("redirect_uri") || q.Get("code_challenge_method") != "S256" ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge"):
		i.answer(w, http.StatusBadRequest, Claims{"error": "invalid_grant", "error_description": r.FormValue("code")})
		return
	}
	access := rand.Text()
	hash := sha256.Sum256([]byte(access))
	said := with(Claims{"iss": i.URL, "aud": Client, "sub": "alice", "sid": "sid-1", "nonce": q.Get("nonce"),
		"iat": i.Now().Unix(), "exp": i.Now().Add(5 * time.Minute).Unix(), "auth_time": i.Now().Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(hash[:16])}, i.Says)
	token := i.Token
	if token == nil {
		token = i.Sign
	}
	i.answer(w, http.StatusOK, Claims{"access_token": access, "token_type": "Bearer", "id_token": token(said)})
}

// Logout makes a logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.4), changed.
func (i *Issuer) Logout(changes Claims) Claims {
	return with(Claims{"iss": i.URL, "aud": Client, "sub": "alice", "sid": "sid-1", "jti": rand.Text(),
		"iat": i.Now().Unix(), "exp": i.Now().Add(2 * time.Minute).Unix(),
		"events": Claims{"http://schemas.openid.net/event/backchannel-logout": Claims{}}}, changes)
}

// Sign makes a token as the issuer would.
func (i *Issuer) Sign(said Claims) string {
	payload, err := json.Marshal(said)
	if err != nil {
		i.t.Fatal(err)
	}
	return i.SignBytes(i.Key, payload, nil)
}

// SignBytes signs whatever it is given.
func (i *Issuer) SignBytes(key jose.JSONWebKey, payload []byte, head map[jose.HeaderKey]any) string {
	options := &jose.SignerOptions{ExtraHeaders: head}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		i.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// Unsigned is a token with a head of the forger's choice and no signature but
// the given one.
func Unsigned(head string, said Claims, signature string) string {
	payload, _ := json.Marshal(said)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(head)) + "." + encode(payload) + "." + signature
}
