package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// asserting is a rig before a console that has no login: people are proved by
// each of their requests.
func asserting(t *testing.T, skip policy.Skip, sources func(*rig) []firstfactor.Asserter) *rig {
	t.Helper()
	r := newRig(t)
	r.site.Console, r.site.Asserted = new(firstfactor.Console), sources(r)
	r.site.Public = wiki().Public
	if skip.Mode != "" {
		r.site.Skips = make(map[string]policy.Skip)
		for _, s := range r.site.Asserted {
			r.site.Skips[s.ID()] = skip
		}
	}
	r.gateway = gateway.New(r.site, r.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		_, _ = w.Write([]byte(protected + ` for "` + q.Header.Get("Remote-User") + `"`))
	})
	return r
}

func headerFrom(t *testing.T, proxies ...string) *firstfactor.Header {
	t.Helper()
	h := &firstfactor.Header{Name: "X-Sso-User", Groups: "X-Sso-Groups", TrustedProxies: proxies}
	check(t, h.Prepare("staff"))
	return h
}

func byHeader(t *testing.T, skip policy.Skip, proxies ...string) *rig {
	t.Helper()
	return asserting(t, skip, func(*rig) []firstfactor.Asserter { return []firstfactor.Asserter{headerFrom(t, proxies...)} })
}

const (
	idIssuer = "https://id.example.com"
	local    = "127.0.0.1"
)

var (
	always = policy.Skip{Mode: policy.SkipAlways}
	never  policy.Skip
	mfa    = policy.Skip{Mode: policy.SkipAMR, Values: []string{"mfa"}, MaxAge: time.Hour}
)

// idKey signs the tokens, strangeKey those of somebody else.
var idKey, strangeKey = func() (a, b *ecdsa.PrivateKey) {
	a, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return a, b
}()

func byToken(t *testing.T, skip policy.Skip, change ...func(*firstfactor.JWT)) *rig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: idKey.Public()}}})
	check(t, err)
	check(t, os.WriteFile(path, text, 0o600))
	return asserting(t, skip, func(r *rig) []firstfactor.Asserter {
		j := &firstfactor.JWT{Issuer: idIssuer, Audience: []string{"wiki"}, JWKS: path, Header: "X-Jwt", Groups: "groups",
			Now: r.clock, Log: slog.New(slog.DiscardHandler)}
		for _, c := range change {
			c(j)
		}
		check(t, j.Prepare("staff"))
		return []firstfactor.Asserter{j}
	})
}

// claims are those of a token that holds for an hour.
func (r *rig) claims(name string, more ...any) map[string]any {
	c := map[string]any{"iss": idIssuer, "aud": "wiki", "sub": name, "exp": r.clock().Add(time.Hour).Unix()}
	for i := 0; i < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, kid string, key any, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	check(t, err)
	text, raw := claims.([]byte)
	if !raw {
		text, err = json.Marshal(claims)
		check(t, err)
	}
	s, err := signer.Sign(text)
	check(t, err)
	token, err := s.CompactSerialize()
	check(t, err)
	return token
}

func (r *rig) token(name string, more ...any) string {
	r.t.Helper()
	return signed(r.t, jose.ES256, "k", idKey, r.claims(name, more...))
}

// bindTo gives any subject an authenticator.
func (r *rig) bindTo(who identity.Subject) string {
	r.t.Helper()
	key := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	c := accounts.Credential{ID: "cred-" + who.String(), Subject: who, Factor: identity.TOTP, Name: "Authenticator", BoundAt: r.clock(), Strength: identity.Device, Noticed: true}
	c.Secret = r.ring.Seal("credential", []byte(key), c.SecretBinding()...)
	check(r.t, r.accounts.BindFirst(r.t.Context(), c))
	return key
}

func issued(name string) identity.Subject {
	return identity.Subject{Realm: identity.IssuedBy("staff", idIssuer), Name: name}
}

// passes has a browser that sends these headers with each request meet its
// challenge, and answer it.
func (b *browser) passes(key string, headers ...string) {
	b.t.Helper()
	b.sleep(30 * time.Second)
	if a := b.get("/private", headers...); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/.stepgate/challenge" {
		b.t.Fatalf("no challenge: %d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	m := challengeID.FindStringSubmatch(b.get("/.stepgate/challenge", headers...).body)
	if m == nil {
		b.t.Fatal("no challenge is shown")
	}
	a := b.answer(m[1], "code="+code(b.t, key, b.clock()), headers...)
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/private" {
		b.t.Fatalf("the code: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// sees is whom the console shows its content to; "-" when nothing is shown.
func (b *browser) sees(headers ...string) string {
	b.t.Helper()
	a := b.fetch("/private", headers...)
	if !strings.Contains(a.body, protected) {
		return "-"
	}
	_, name, _ := strings.Cut(a.body, "for ")
	return strings.Trim(name, `"`)
}

// TestHeaderChallenged: a proxy's word is one factor. The second one makes a
// session that counts beside the same word only.
func TestHeaderChallenged(t *testing.T) {
	r := byHeader(t, never, local)
	key := r.bind("alice")
	b := r.browser()
	if a := b.fetch("/private", "X-Sso-User: alice"); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, "challenge_url") {
		t.Errorf("a script: %d %s", a.StatusCode, a.body)
	}
	r.nothingReached(t, "before the second factor")
	alice := []string{"X-Sso-User: alice", "X-Sso-Groups: it, admins"}
	b.passes(key, alice...)
	if got := b.sees(alice...); got != "alice" {
		t.Fatalf("after the pass %q is shown", got)
	}
	for _, q := range r.console.got() {
		if q.Header.Get("Remote-Groups") != "admins,it" || strings.Contains(q.Header.Get("Remote-Amr"), "pwd") || q.Header.Get("Remote-Amr") == "" || q.Header.Get("X-Sso-User") != "alice" {
			t.Errorf("the console was told %v", q.Header)
		}
	}
	if got := b.sees(); got != "-" {
		t.Errorf("without the header %q is shown", got)
	}
	if got := b.sees(alice...); got != "alice" {
		t.Errorf("with it again %q", got)
	}
	r.console.got()
	if got := b.copy().sees("X-Sso-User: bob"); got != "-" {
		t.Errorf("with bob's %q", got)
	}
	r.nothingReached(t, "another person in a session")
	if got := b.sees(alice...); got != "-" {
		t.Errorf("a session that met two people goes on as %q", got)
	}
	if !slices.Contains(r.events(), audit.SessionEnded) {
		t.Errorf("the trail has %v", r.events())
	}
}

// TestRule3SpoofedHeaders: whatever a client says besides the proxy, or past
// it, nobody is let in and the console does not hear it.
func TestRule3SpoofedHeaders(t *testing.T) {
	past := byHeader(t, always, "10.1.2.3")
	behind := byHeader(t, always, local)
	spoofed := [][]string{
		{"X-Sso-User: alice", "X-Forwarded-For: 10.1.2.3"}, {"x_sso_user: alice"}, {"X.SSO.User: alice"}, {"X_SSO-USER: alice"},
	}
	for _, h := range spoofed {
		for _, uri := range []string{"/private", "/private?X-Sso-User=alice"} {
			if a := past.browser().get(uri, h...); strings.Contains(a.body, protected) {
				t.Errorf("%q: %d", h, a.StatusCode)
			}
		}
	}
	past.nothingReached(t, "from no trusted proxy")
	for _, h := range append(spoofed[1:],
		[]string{"X-Sso-User: alice", "X-Sso-User: bob"}, []string{"X-Sso-User: alice", "x_sso_user: bob"}, []string{"X-Sso-User: alice", "X-Sso.User: bob"},
		[]string{"X-Sso-User: alice", "x-sso-user: bob"}, []string{"X-Sso-User:"}, []string{"X-Sso-User: "},
		[]string{"X-Sso-User: alice", "X-Sso-Groups: it", "X_Sso_Groups: admins"}, []string{"X-Sso-User: alice", "Connection: close, X-Sso-User"},
		[]string{"X-Sso-User: alice", "Connection: close, x-sso-groups"}, []string{"X-Sso-User: alice", "Connection: close", "Connection: X_Sso_User"},
	) {
		a := behind.browser().get("/private", h...)
		if a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", h, a.StatusCode)
		}
	}
	for _, name := range []string{"X-Sso-User", "x_sso_user", "X-Sso-Groups", "Remote-User"} {
		a := behind.browser().send("POST", "/private", "0\r\n"+name+": alice\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: "+name, "Connection: close")
		if a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
			t.Errorf("trailer %s: %d", name, a.StatusCode)
		}
	}
	behind.nothingReached(t, "smuggled")
	for _, h := range []string{"Remote-User: admin", "Remote_User: admin", "X-Forwarded-User: admin", "Remote-Groups: admins", "Remote-Amr: mfa", "remote.amr: mfa", "Remote-Auth-Time: 1"} {
		if got := behind.browser().sees("X-Sso-User: alice", h); got != "alice" {
			t.Errorf("%s: %q", h, got)
		}
		for _, q := range behind.console.got() {
			for name, values := range q.Header {
				if all := strings.Join(values, " "); strings.Contains(all, "admin") || strings.Contains(all, "mfa") || name == "Remote-Auth-Time" && all == "1" {
					t.Errorf("%s: the console got %s: %s", h, name, all)
				}
			}
		}
	}
}

// TestRule3ForgedEvidence: what a client says of its own single sign-on is no
// evidence, wherever it says it.
func TestRule3ForgedEvidence(t *testing.T) {
	r := byToken(t, mfa)
	now := r.clock().Unix()
	for name, c := range map[string]struct {
		token   string
		headers []string
	}{
		"nothing":            {r.token("a1", "auth_time", now), nil},
		"headers":            {r.token("a2", "auth_time", now), []string{"Amr: mfa", "Remote-Amr: mfa", "Acr: mfa", "X-Amr: mfa", "Federated: 1"}},
		"cookies":            {r.token("a3", "auth_time", now), []string{"Cookie: amr=mfa; acr=mfa; federated=1; level=verified"}},
		"amr a text":         {r.token("a4", "auth_time", now, "amr", "mfa"), nil},
		"amr in capitals":    {r.token("a5", "auth_time", now, "amr", []string{"MFA"}), nil},
		"acr":                {r.token("a6", "auth_time", now, "acr", "mfa"), nil},
		"another claim":      {r.token("a7", "auth_time", now, "AMR", []string{"mfa"}), nil},
		"no auth_time":       {r.token("a8", "amr", []string{"mfa"}), nil},
		"auth_time a text":   {r.token("a9", "amr", []string{"mfa"}, "auth_time", "9999999999"), nil},
		"long ago":           {r.token("b1", "amr", []string{"mfa"}, "auth_time", now-3601), nil},
		"in the future":      {r.token("b2", "amr", []string{"mfa"}, "auth_time", now+61), nil},
		"auth_time with iat": {r.token("b3", "amr", []string{"mfa"}, "iat", now), nil},
	} {
		for _, uri := range []string{"/private", "/private?amr=mfa&acr=mfa&federated=1&auth_time=9999999999"} {
			a := r.browser().fetch(uri, append(c.headers, "X-Jwt: "+c.token)...)
			if a.StatusCode != http.StatusUnauthorized || strings.Contains(a.body, protected) {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
	}
	r.nothingReached(t, "forged evidence")
	if got := r.browser().sees("X-Jwt: " + r.token("alice", "amr", []string{"pwd", "mfa"}, "auth_time", now-3599)); got != "alice" {
		t.Errorf("and with evidence %q", got)
	}
}

// TestJWTSkips: who comes with a token that suffices is served at once and
// without a cookie, once in the trail, and without the store the next time.
func TestJWTSkips(t *testing.T) {
	r := byToken(t, always)
	token := r.token("alice", "groups", []string{"it"}, "amr", []string{"hwk"})
	b := r.browser()
	for range 3 {
		a := b.fetch("/private", "X-Jwt: "+token)
		if !strings.Contains(a.body, `for "alice"`) || len(a.Header["Set-Cookie"]) > 0 {
			t.Fatalf("%d %v %s", a.StatusCode, a.Header, a.body)
		}
	}
	for _, q := range r.console.got() {
		if q.Header.Get("Remote-Groups") != "it" || q.Header.Get("X-Jwt") != token {
			t.Errorf("the console was told %v", q.Header)
		}
	}
	trail, _ := json.Marshal(r.trail())
	if events := r.events(); len(events) != 1 || !strings.Contains(string(trail), "amr=hwk") || !strings.Contains(string(trail), idIssuer) || strings.Contains(string(trail), token) {
		t.Errorf("the trail has %v: %s", events, trail)
	}
	if got := r.browser().sees("X-Jwt: " + r.token("bob")); got != "bob" {
		t.Errorf("another person sees %q", got)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := r.browser().sees("X-Jwt: " + token); got != "alice" {
				t.Errorf("at once: %q", got)
			}
		})
	}
	all.Wait()
}

// TestJWTForgedReachesNothing, of whatever kind it is.
func TestJWTForgedReachesNothing(t *testing.T) {
	r := byToken(t, always)
	good := r.token("alice")
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	text, err := json.Marshal(r.claims("alice"))
	check(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: idKey.Public()})
	check(t, err)
	forgeries := map[string][]string{
		"none":          {"X-Jwt: " + b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."},
		"HS":            {"X-Jwt: " + signed(t, jose.HS256, "k", public, r.claims("alice"))},
		"strange key":   {"X-Jwt: " + signed(t, jose.ES256, "k", strangeKey, r.claims("alice"))},
		"strange kid":   {"X-Jwt: " + signed(t, jose.ES256, "x", strangeKey, r.claims("alice"))},
		"another aud":   {"X-Jwt: " + r.token("alice", "aud", "blog")},
		"another iss":   {"X-Jwt: " + r.token("alice", "iss", "https://evil.example.com")},
		"ended":         {"X-Jwt: " + r.token("alice", "exp", r.clock().Unix())},
		"no end":        {"X-Jwt: " + r.token("alice", "exp", nil)},
		"claim twice":   {"X-Jwt: " + signed(t, jose.ES256, "k", idKey, append(text[:len(text)-1], `,"sub":"admin"}`...))},
		"two tokens":    {"X-Jwt: " + good, "X-Jwt: " + good},
		"two spellings": {"X-Jwt: " + good, "x_jwt: " + r.token("bob")},
		"one spelling":  {"X_Jwt: " + good},
		"garbage":       {"X-Jwt: alice"},
		"a trailer too": {"X-Jwt: " + good, "Transfer-Encoding: chunked", "Trailer: X-Jwt"},
		"in Connection": {"X-Jwt: " + good, "Connection: close, X-Jwt"},
	}
	for name, headers := range forgeries {
		for _, uri := range []string{"/private", "/public/x"} {
			a := r.browser().send("GET", uri, map[bool]string{true: "0\r\n\r\n"}[len(headers) == 3], headers...)
			if a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s: %d", name, uri, a.StatusCode)
			}
		}
	}
	r.nothingReached(t, "forged tokens")
	if a := r.browser().fetch("/private", "X-Jwt: "+parts[0]); !strings.Contains(a.body, string(policy.ReasonAssertion)) || strings.Contains(a.body, "challenge_url") {
		t.Errorf("not told why: %s", a.body)
	}
	for _, headers := range [][]string{nil, {"Authorization: Bearer " + good}, {"Cookie: X-Jwt=" + good}} {
		if got := r.browser().sees(headers...); got != "-" {
			t.Errorf("%q: %q", headers, got)
		}
	}
	r.nothingReached(t, "tokens elsewhere")
}

// TestJWTEnds: neither a session nor what is open under it outlasts the token.
func TestJWTEnds(t *testing.T) {
	r := byToken(t, always)
	token := r.token("alice", "exp", r.clock().Add(10*time.Minute).Unix())
	b := r.browser()
	b.sees("X-Jwt: " + token)
	r.sleep(10*time.Minute - time.Second)
	if got := b.sees("X-Jwt: " + token); got != "alice" {
		t.Errorf("before the end %q", got)
	}
	r.sleep(time.Second)
	r.console.got()
	if a := b.fetch("/private", "X-Jwt: "+token); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the end: %d", a.StatusCode)
	}
	r.nothingReached(t, "an ended token")
	if got := b.sees("X-Jwt: " + r.token("alice")); got != "alice" {
		t.Errorf("with the next token %q", got)
	}
}

// TestJWTCapsAPassedSession: after the challenge too.
func TestJWTCapsAPassedSession(t *testing.T) {
	r := byToken(t, never)
	key := r.bindTo(issued("alice"))
	b := r.browser()
	b.passes(key, "X-Jwt: "+r.token("alice", "exp", r.clock().Add(10*time.Minute).Unix()))
	next := "X-Jwt: " + r.token("alice", "exp", r.clock().Add(10*time.Hour).Unix())
	r.sleep(5 * time.Minute)
	if got := b.sees(next); got != "alice" {
		t.Errorf("with a later token of the same person %q", got)
	}
	r.sleep(5 * time.Minute)
	r.console.got()
	if got := b.sees(next); got != "-" {
		t.Errorf("the session outlasts the token that it began with: %q", got)
	}
	r.nothingReached(t, "a capped session")
}

// TestJWTCutsStreams that are open when the token ends.
func TestJWTCutsStreams(t *testing.T) {
	for path, headers := range map[string][]string{"/events": {"Accept: text/event-stream"}, "/file": nil, "/ws": upgrade} {
		t.Run(path, func(t *testing.T) {
			r := byToken(t, always)
			ended := make(chan string, 1)
			r.endless(ended)
			token := r.token("alice", "exp", r.clock().Add(2*time.Second).Unix())
			conn, _ := r.browser().stream(path, append(headers, "X-Jwt: "+token)...)
			defer func() { _ = conn.Close() }()
			select {
			case <-ended:
				t.Fatal("it did not last")
			case <-time.After(time.Second):
			}
			r.sleep(3 * time.Second)
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("it outlasts the token")
			}
		})
	}
}

// TestJWTChangedPerson: another person's token in the same browser ends the
// session, and starts from zero.
func TestJWTChangedPerson(t *testing.T) {
	r := byToken(t, never)
	key := r.bindTo(issued("alice"))
	b := r.browser()
	alice, bob := "X-Jwt: "+r.token("alice"), "X-Jwt: "+r.token("bob")
	b.passes(key, alice)
	if got := b.sees(alice); got != "alice" {
		t.Fatalf("%q", got)
	}
	if got := b.sees(); got != "-" {
		t.Errorf("the token is gone, and %q is shown", got)
	}
	r.console.got()
	old := b.copy()
	if a := b.get("/private", bob); a.StatusCode != http.StatusSeeOther {
		t.Errorf("bob: %d", a.StatusCode)
	}
	if got := b.sees(bob); got != "-" {
		t.Errorf("bob sees what %q may", got)
	}
	if got := old.sees(alice); got != "-" {
		t.Errorf("the old cookie shows %q", got)
	}
	r.nothingReached(t, "a changed person")
}

// TestJWTOfAnotherIssuerIsAnotherPerson, whose second factor is another one.
func TestJWTOfAnotherIssuerIsAnotherPerson(t *testing.T) {
	r := byToken(t, never)
	r.bind("alice") // of the realm itself
	b := r.browser()
	if a := b.get("/private", "X-Jwt: "+r.token("alice")); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	if a := b.get("/.stepgate/challenge", "X-Jwt: "+r.token("alice")); shownKey(a.body) == "" {
		t.Errorf("the issuer's alice was taken for the realm's: %s", a.body)
	}
}

// TestJWTKeysAway: who cannot be told is not let in, and not taken for a
// forger.
func TestJWTKeysAway(t *testing.T) {
	r := byToken(t, always, func(j *firstfactor.JWT) { j.JWKS = "http://127.0.0.1:1/keys" })
	a := r.browser().get("/private", "X-Jwt: "+r.token("alice"))
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	r.nothingReached(t, "a token that cannot be checked")
}

// TestJWTIsNoAnonymousCredential: before the second factor, a public page is
// asked for without what would tell the console who it is.
func TestJWTIsNoAnonymousCredential(t *testing.T) {
	inHeader := byToken(t, never)
	inCookie := byToken(t, never, func(j *firstfactor.JWT) { j.Header, j.Cookie = "", "id_token" })
	asBearer := byToken(t, never, func(j *firstfactor.JWT) { j.Header = "" })
	for _, c := range []struct {
		r      *rig
		before string
	}{{inHeader, "X-Jwt: "}, {inCookie, "Cookie: id_token="}, {asBearer, "Authorization: Bearer "}} {
		token := c.r.token("alice")
		a := c.r.browser().fetch("/public/x", c.before+token)
		seen := c.r.console.got()
		if a.StatusCode != http.StatusOK || len(seen) != 1 {
			t.Fatalf("%s: %d", c.before, a.StatusCode)
		}
		for name, values := range seen[0].Header {
			if strings.Contains(strings.Join(values, " "), token) || strings.HasPrefix(name, "Remote-") {
				t.Errorf("%s: the console got %s", c.before, name)
			}
		}
	}
}

// TestTwoSourcesMustAgree on who it is.
func TestTwoSourcesMustAgree(t *testing.T) {
	var user string
	r := asserting(t, always, func(*rig) []firstfactor.Asserter {
		c := &firstfactor.CaddyUser{Value: func(*http.Request, string) string { return user }}
		check(t, c.Prepare("staff"))
		return []firstfactor.Asserter{headerFrom(t, local), c}
	})
	for _, c := range []struct{ caddy, header, want string }{
		{"alice", "alice", "alice"}, {"alice", "", "alice"}, {"", "alice", "alice"}, {"alice", "bob", "-"}, {"bob", "alice", "-"}, {"", "", "-"}, {"Alice", "alice", "-"},
	} {
		user = c.caddy
		var headers []string
		if c.header != "" {
			headers = []string{"X-Sso-User: " + c.header}
		}
		if got := r.browser().sees(headers...); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestCaddyUserChallenged: whom an auth handler let in is asked, unless the
// operator says otherwise, and is compared on each request.
func TestCaddyUserChallenged(t *testing.T) {
	user := "alice"
	r := asserting(t, never, func(*rig) []firstfactor.Asserter {
		c := &firstfactor.CaddyUser{Value: func(*http.Request, string) string { return user }}
		check(t, c.Prepare("staff"))
		return []firstfactor.Asserter{c}
	})
	key := r.bind("alice")
	b := r.browser()
	b.passes(key)
	if got := b.sees(); got != "alice" {
		t.Errorf("%q", got)
	}
	for _, other := range []string{"", "al\x00ice", "Alice", "bob"} {
		user = other
		r.console.got()
		if got := b.sees(); got != "-" {
			t.Errorf("%q sees what %q may", other, got)
		}
		r.nothingReached(t, "another user")
	}
	user = "alice"
	if got := b.sees(); got != "-" {
		t.Errorf("a session that met two people goes on as %q", got)
	}
}

// TestHeaderGroupsAreComparedToo: who was taken out of a group loses what it
// opened, in the same session.
func TestHeaderGroupsAreComparedToo(t *testing.T) {
	r := byHeader(t, always, local)
	r.site.Allow = []string{"it"}
	r.gateway = gateway.New(r.site, r.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	b := r.browser()
	if got := b.sees("X-Sso-User: alice", "X-Sso-Groups: it"); got != "alice" {
		t.Errorf("%q", got)
	}
	if got := b.sees("X-Sso-User: alice", "X-Sso-Groups: sales"); got != "-" {
		t.Errorf("in no group any more, and %q is shown", got)
	}
	challenged := byHeader(t, never, local)
	challenged.site.Allow = []string{"it"}
	challenged.gateway = gateway.New(challenged.site, challenged.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	key := challenged.bind("alice")
	c := challenged.browser()
	c.passes(key, "X-Sso-User: alice", "X-Sso-Groups: it")
	if got := c.sees("X-Sso-User: alice", "X-Sso-Groups: sales"); got != "-" {
		t.Errorf("in no group any more, and %q is shown", got)
	}
}
