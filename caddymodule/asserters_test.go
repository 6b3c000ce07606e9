package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/bcrypt"
)

// assertedText are three sites whose people are proved by each request, and
// an authenticating proxy in front of one of them, with an address of its own.
const assertedText = `{
	admin off
	persist_config off
	auto_https off
	grace_period 2s
	storage file_system %[1]s/storage
	log default {
		output discard
	}
}

(people) {
	basic_auth {
		alice %[2]s
		bob %[2]s
	}
}

http://%[3]s {
	bind 127.0.0.1
	import people
	reverse_proxy %[4]s {
		header_up Remote-User {http.auth.user.id}
		header_up -Authorization
		transport http {
			local_address 127.0.0.2
		}
	}
}

http://%[4]s {
	bind 127.0.0.1
	stepgate office {
		first_factor header Remote-User {
			trusted_proxies 127.0.0.2
		}
	}
	reverse_proxy %[7]s
}

http://%[5]s {
	bind 127.0.0.1
	stepgate own {
		first_factor caddy
	}
	import people
	reverse_proxy %[7]s
}

http://%[6]s {
	bind 127.0.0.1
	stepgate api {
		first_factor jwt {
			issuer https://id.example.com
			audience api
			jwks %[8]s/keys
		}
	}
	reverse_proxy %[7]s
}
`

// assertedSites are they, each as a gate.
type assertedSites struct {
	front, behind, own, api *gate
	reached                 *visits
	key                     *ecdsa.PrivateKey
}

// newAssertedSites starts them before a console that says whom it was told.
func newAssertedSites(t *testing.T) *assertedSites {
	t.Helper()
	s := &assertedSites{reached: &visits{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "console for %q in %q by %q", r.Header.Get("Remote-User"), r.Header.Get("Remote-Groups"), r.Header.Get("Remote-Amr"))
	})}}
	console := httptest.NewServer(s.reached)
	t.Cleanup(console.Close)
	s.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: s.key.Public()}}})
	}))
	t.Cleanup(keys.Close)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	free := freeAddresses(t, 4)
	for i, g := range []**gate{&s.front, &s.behind, &s.own, &s.api} {
		*g = &gate{t: t, address: free[i], home: home, reached: s.reached}
	}
	config, err := adapt(fmt.Sprintf(assertedText, home, hash, s.front.address, s.behind.address, s.own.address, s.api.address,
		strings.TrimPrefix(console.URL, "http://"), keys.URL), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// freeAddresses are several, which are not the same.
func freeAddresses(t *testing.T, n int) (free []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		free = append(free, l.Addr().String())
	}
	return free
}

// sending is a browser that sends these with each request: name, value…
func (g *gate) sending(headers ...string) *browser {
	b := g.browser()
	b.sends = make(http.Header)
	for i := 0; i < len(headers); i += 2 {
		b.sends[headers[i]] = append(b.sends[headers[i]], headers[i+1])
	}
	return b
}

func basic(name string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":secret"))
}

// bindAsserted meets the first challenge of somebody whom each request proves.
func (b *browser) bindAsserted() {
	b.g.t.Helper()
	awaitQuietStep()
	if a := b.get("/whoami"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/.stepgate/challenge" {
		b.g.t.Fatalf("no challenge: %s\n%s", a.Status, a.body)
	}
	page := b.get("/.stepgate/challenge")
	key := keyField.FindStringSubmatch(page.body)
	if key == nil {
		b.g.t.Fatalf("no key on the page:\n%s", page.body)
	}
	b.secret = key[1]
	b.answer(page, "code1", b.code(-1), "code2", b.code(0))
}

func (s *assertedSites) mustNotReach(t *testing.T, what string, b *browser) {
	t.Helper()
	before := s.reached.count.Load()
	if a := b.get("/whoami"); a.StatusCode < 300 || s.reached.count.Load() != before {
		t.Errorf("%s: %s\n%s", what, a.Status, a.body)
	}
}

// TestHeaderBehindAProxy: an authenticating proxy names people, who then pass
// the second factor; who goes past it, or speaks through it, is nobody.
func TestHeaderBehindAProxy(t *testing.T) {
	s := newAssertedSites(t)
	alice := s.front.sending("Authorization", basic("alice"), "Remote-User", "bob", "Remote-Groups", "admins", "Remote-Amr", "hwk")
	s.mustNotReach(t, "before the second factor", alice)
	alice.bindAsserted()
	if a := alice.get("/whoami"); a.body != `console for "alice" in "" by "otp,mfa"` {
		t.Errorf("%s %s", a.Status, a.body)
	}
	s.mustNotReach(t, "without the proxy's password", s.front.browser())
	for _, name := range []string{"Remote-User", "remote_user", "REMOTE.USER"} {
		past := s.behind.sending(name, "alice", "X-Forwarded-For", "127.0.0.2")
		past.cookies = alice.copy().cookies
		s.mustNotReach(t, "past the proxy as "+name, past)
	}
	for _, name := range []string{"Remote_User", "remote.user", "REMOTE_USER"} {
		through := s.front.sending("Authorization", basic("alice"), name, "bob")
		through.cookies = alice.copy().cookies
		if a := through.get("/whoami"); a.body != `console for "alice" in "" by "otp,mfa"` { // Caddy drops such names where they arrive
			t.Errorf("through the proxy as %s: %s %s", name, a.Status, a.body)
		}
	}
	bob := s.front.sending("Authorization", basic("bob"))
	bob.cookies = alice.copy().cookies
	s.mustNotReach(t, "bob in alice's session", bob)
	s.mustNotReach(t, "the session that met two people", alice)
}

// TestCaddyUserBehindBasicAuth: Caddy's own auth handler runs before, wherever
// the directives stand.
func TestCaddyUserBehindBasicAuth(t *testing.T) {
	s := newAssertedSites(t)
	s.mustNotReach(t, "without a password", s.own.browser())
	s.mustNotReach(t, "with a header", s.own.sending("Remote-User", "alice"))
	alice := s.own.sending("Authorization", basic("alice"))
	alice.bindAsserted()
	if a := alice.get("/whoami"); a.body != `console for "alice" in "" by "otp,mfa"` {
		t.Errorf("%s %s", a.Status, a.body)
	}
	bob := s.own.sending("Authorization", basic("bob"))
	bob.cookies = alice.copy().cookies
	s.mustNotReach(t, "bob in alice's session", bob)
	s.mustNotReach(t, "the session that met two people", alice)
}

// TestJWTWithKeysByAddress: tokens pass by themselves, by keys that are served.
func TestJWTWithKeysByAddress(t *testing.T) {
	s := newAssertedSites(t)
	alice := s.api.sending("Authorization", "Bearer "+s.token(t, s.key, "api", time.Hour))
	for range 2 {
		if a := alice.get("/whoami"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, `console for "alice" in "" by "`) {
			t.Errorf("%s %s", a.Status, a.body)
		}
	}
	strange, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for what, value := range map[string]string{
		"another audience": "Bearer " + s.token(t, s.key, "wiki", time.Hour), "ended": "Bearer " + s.token(t, s.key, "api", -time.Second),
		"another key": "Bearer " + s.token(t, strange, "api", time.Hour), "Basic": basic("alice"), "nothing": "",
	} {
		s.mustNotReach(t, what, s.api.sending("Authorization", value))
	}
}

func (s *assertedSites) token(t *testing.T, key *ecdsa.PrivateKey, audience string, lasts time.Duration) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := json.Marshal(map[string]any{"iss": "https://id.example.com", "aud": audience, "sub": "alice", "exp": time.Now().Add(lasts).Unix()})
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
