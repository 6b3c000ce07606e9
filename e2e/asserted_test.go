//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// sending has a visitor send headers with each request, as their names are spelled.
func (v *visitor) sending(headers http.Header) *visitor {
	v.client.Transport = sending{headers, v.client.Transport}
	return v
}

type sending struct {
	headers http.Header
	next    http.RoundTripper
}

func (s sending) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	maps.Copy(r.Header, s.headers)
	return s.next.RoundTrip(r)
}

const assertedOffice = `{
	{{.Global}}
}

http://localhost:{{.Port}} {
	stepgate office {
		first_factor header Remote-User {
			groups Remote-Groups
			trusted_proxies 127.0.0.2
		}
	}
	respond "console for {header.Remote-User} in {header.Remote-Groups}."
}
`

const assertedFront = `{
	{{.Global}}
}

http://localhost:{{.Port}} {
	basic_auth {
		alice %[2]s
		bob %[2]s
	}
	reverse_proxy 127.0.0.1:%[1]d {
		header_up Remote-User {http.auth.user.id}
		header_up Remote-Groups staff
		header_up -Authorization
		transport http {
			local_address 127.0.0.2
		}
	}
}
`

// asked is what the console answers, "" if nothing of it is shown.
func (v *visitor) asked(base string) string {
	v.t.Helper()
	a := v.send(base, http.MethodGet, "/", nil)
	if !strings.HasPrefix(a.Text, "console for ") {
		return ""
	}
	return a.Text
}

// TestAssertedByProxy: another Caddy, a process of its own, asks for the password and names people to the gateway
// behind it, from an address that the gateway trusts.
func TestAssertedByProxy(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("open"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	office := StartGateway(t, assertedOffice)
	front := StartGateway(t, fmt.Sprintf(assertedFront, office.values.Port, hash))
	password := func(name string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":open"))
	}
	if a := newVisitor(t, "nobody").send(front.URL, http.MethodGet, "/", nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %s", a.Status)
	}
	alice := newVisitor(t, "alice").sending(http.Header{"Authorization": {password("alice")}, "Remote-User": {"bob"}, "Remote-Groups": {"admins"}})
	if got := alice.asked(front.URL); got != "" {
		t.Fatalf("before the second factor: %s", got)
	}
	settle()
	id := alice.challenge(front.URL)
	alice.send(front.URL, http.MethodPost, "/.stepgate/challenge", alice.codes(id, 0, true))
	if got := alice.asked(front.URL); got != "console for alice in staff." {
		t.Errorf("after it: %q", got)
	}
	for what, v := range map[string]*visitor{
		"past the proxy":           alice.copy().sendingInstead(t, http.Header{"Remote-User": {"alice"}, "Remote-Groups": {"staff"}, "X-Forwarded-For": {"127.0.0.2"}}),
		"past it, with underscore": alice.copy().sendingInstead(t, http.Header{"Remote_User": {"alice"}}),
	} {
		if got := v.asked(office.URL); got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
	for _, name := range []string{"Remote_User", "REMOTE.USER", "remote_groups"} {
		v := alice.copy().sendingInstead(t, http.Header{"Authorization": {password("alice")}, name: {"bob"}})
		if got := v.asked(front.URL); got != "console for alice in staff." { // Caddy drops such names where they arrive
			t.Errorf("%s through the proxy: %q", name, got)
		}
	}
	bob := alice.copy().sendingInstead(t, http.Header{"Authorization": {password("bob")}})
	if got := bob.asked(front.URL); got != "" {
		t.Errorf("bob in alice's session: %s", got)
	}
	if got := alice.asked(front.URL); got != "" {
		t.Errorf("the session that met two people: %s", got)
	}
}

// sendingInstead is the same browser, which sends other headers.
func (v *visitor) sendingInstead(t testing.TB, headers http.Header) *visitor {
	v.client = newVisitor(t, v.name).client
	return v.sending(headers)
}

const assertedTokens = `{
	{{.Global}}
}

http://localhost:{{.Port}} {
	stepgate tokens {
		first_factor jwt {
			issuer https://id.example.com
			audience tokens
			jwks %s/keys
			groups groups
		}
	}
	respond "console for {header.Remote-User} in {header.Remote-Groups}."
}
`

// TestAssertedByOpenSSL: keys and tokens are made by openssl, and the keys are served to the gateway.
func TestAssertedByOpenSSL(t *testing.T) {
	issuer, stranger := newOpenSSL(t), newOpenSSL(t)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(issuer.keys()) }))
	defer keys.Close()
	g := StartGateway(t, fmt.Sprintf(assertedTokens, keys.URL))
	sees := func(token string) string {
		return newVisitor(t, "alice").sending(http.Header{"Authorization": {"Bearer " + token}}).asked(g.URL)
	}
	soon := time.Now().Add(time.Hour).Unix()
	claims := `{"iss":"https://id.example.com","aud":"%s","sub":"%s","exp":%d,"groups":["it","admins"]}`
	good := issuer.token("RS256", fmt.Sprintf(claims, "tokens", "alice", soon))
	if got := sees(good); got != "console for alice in admins,it." {
		t.Errorf("a good token: %q", got)
	}
	parts, bobs := strings.Split(good, "."), strings.Split(issuer.token("RS256", fmt.Sprintf(claims, "tokens", "bob", soon)), ".")
	for what, token := range map[string]string{
		"another audience": issuer.token("RS256", fmt.Sprintf(claims, "wiki", "alice", soon)),
		"ended":            issuer.token("RS256", fmt.Sprintf(claims, "tokens", "alice", time.Now().Unix())),
		"another's key":    stranger.token("RS256", fmt.Sprintf(claims, "tokens", "alice", soon)),
		"alg none":         issuer.token("none", fmt.Sprintf(claims, "tokens", "alice", soon)),
		"HS by name":       issuer.token("HS256", fmt.Sprintf(claims, "tokens", "alice", soon)),
		"changed":          parts[0] + "." + bobs[1] + "." + parts[2],
		"unsigned":         parts[0] + "." + parts[1] + ".",
	} {
		if got := sees(token); got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// openSSL is an issuer that is nothing but a key and the program.
type openSSL struct {
	t   *testing.T
	key string
}

func newOpenSSL(t *testing.T) *openSSL {
	t.Helper()
	o := &openSSL{t, filepath.Join(t.TempDir(), "key.pem")}
	o.run("", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", o.key)
	return o
}

func (o *openSSL) run(input string, args ...string) string {
	o.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		o.t.Errorf("openssl %s: %v", args[0], err)
	}
	return string(out)
}

// keys is the public key as a key set (RFC 7517).
func (o *openSSL) keys() []byte {
	modulus, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(o.run("", "rsa", "-in", o.key, "-noout", "-modulus")), "Modulus="))
	if err != nil {
		o.t.Error(err)
	}
	text, _ := json.Marshal(map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": "k", "use": "sig", "e": "AQAB",
		"n": base64.RawURLEncoding.EncodeToString(modulus)}}})
	return text
}

// token signs with SHA-256 and the RSA key, whatever the head says (RFC 7515, section 3.1).
func (o *openSSL) token(algorithm, claims string) string {
	o.t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	said := encode([]byte(`{"alg":"`+algorithm+`","kid":"k"}`)) + "." + encode([]byte(claims))
	return said + "." + encode([]byte(o.run(said, "dgst", "-sha256", "-sign", o.key, "-binary")))
}
