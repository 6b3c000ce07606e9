package firstfactor_test

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/issuertest"
	"github.com/stepgate/stepgate/identity"
)

const callback = "https://wiki.test/.stepgate/signin/oidc/callback"

// provided is an issuer and us as its client.
func provided(t *testing.T, change ...func(*firstfactor.OIDC)) (*issuertest.Issuer, *firstfactor.Issuer) {
	t.Helper()
	fake := issuertest.New(t, time.Now)
	c := firstfactor.OIDC{Issuer: fake.URL, ClientID: issuertest.Client, ClientSecret: issuertest.Secret, Groups: "groups"}
	for _, f := range change {
		f(&c)
	}
	c, err := c.Prepared()
	if err != nil {
		t.Fatal(err)
	}
	return fake, firstfactor.NewIssuer(c)
}

// signIn goes there and back.
func signIn(t *testing.T, fake *issuertest.Issuer, i *firstfactor.Issuer) (firstfactor.Identity, error, error) {
	t.Helper()
	errand := firstfactor.NewErrand(callback)
	to, err := i.Begin(t.Context(), errand, firstfactor.Wish{})
	if err != nil {
		return firstfactor.Identity{}, nil, err
	}
	return i.Redeem(t.Context(), "staff", errand, fake.SignIn(to).Get("code"), time.Now())
}

func TestOIDCNamesThePerson(t *testing.T) {
	fake, i := provided(t)
	fake.Says = issuertest.Claims{"groups": []string{"it", "admins"}, "amr": []string{"pwd", "mfa"}, "acr": "gold"}
	who, evidence, err := signIn(t, fake, i)
	if err != nil || evidence != nil {
		t.Fatal(err, evidence)
	}
	e, ok := who.Evidence()
	if who.Subject() != (identity.Subject{Realm: identity.IssuedBy("staff", fake.URL), Name: "alice"}) || who.Source() != "oidc" ||
		!slices.Equal(who.Groups(), []string{"it", "admins"}) || !ok || e.ACR != "gold" || !slices.Equal(e.AMR, []string{"pwd", "mfa"}) ||
		e.Issuer != fake.URL || time.Since(e.AuthTime) > time.Minute || who.Issued().Session != "sid-1" {
		t.Errorf("%+v %+v", who, e)
	}
	fake.Says = issuertest.Claims{"groups": "it"}
	if who, _, err := signIn(t, fake, i); err != nil || !slices.Equal(who.Groups(), []string{"it"}) {
		t.Errorf("one group as a string: %v, %v", who.Groups(), err)
	}
}

func TestOIDCAsksForWhatIsWanted(t *testing.T) {
	_, i := provided(t, func(c *firstfactor.OIDC) { c.Scopes = []string{"groups"} })
	errand := firstfactor.NewErrand(callback)
	to, err := i.Begin(t.Context(), errand, firstfactor.Wish{MaxAge: 8 * time.Hour, ACR: []string{"gold", "silver"}, Anew: true})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(to)
	for name, want := range map[string]string{"response_type": "code", "client_id": issuertest.Client, "redirect_uri": callback,
		"scope": "openid groups", "state": errand.State, "nonce": errand.Nonce, "code_challenge_method": "S256",
		"max_age": "28800", "acr_values": "gold silver", "prompt": "login"} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if strings.Contains(to, errand.Verifier) {
		t.Error("the verifier goes through the browser")
	}
}

// swapped signs with the issuer's public key as if it were a shared secret
// (RFC 8725, section 2.1).
func swapped(fake *issuertest.Issuer, said issuertest.Claims) string {
	der, _ := x509.MarshalPKIXPublicKey(&fake.Key.Key.(*rsa.PrivateKey).PublicKey)
	token := issuertest.Unsigned(`{"alg":"HS256","kid":"first"}`, said, "")
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(strings.TrimSuffix(token, ".")))
	return token + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestOIDCRefusesForgedTokens: each is a token that some verifier somewhere
// took.
func TestOIDCRefusesForgedTokens(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	other := issuertest.NewKey(t, "first")
	unpublished := issuertest.NewKey(t, "unpublished")
	payload := func(said issuertest.Claims, more string) []byte {
		text, _ := json.Marshal(said)
		return []byte(strings.TrimSuffix(string(text), "}") + more + "}")
	}
	for what, token := range map[string]func(issuertest.Claims) string{
		"none":        func(c issuertest.Claims) string { return issuertest.Unsigned(`{"alg":"none"}`, c, "") },
		"None":        func(c issuertest.Claims) string { return issuertest.Unsigned(`{"alg":"None"}`, c, "") },
		"unsigned":    func(c issuertest.Claims) string { return issuertest.Unsigned(`{"alg":"RS256","kid":"first"}`, c, "") },
		"HS swap":     func(c issuertest.Claims) string { return swapped(fake, c) },
		"foreign key": func(c issuertest.Claims) string { return fake.SignBytes(other, payload(c, ""), nil) },
		"unknown kid": func(c issuertest.Claims) string { return fake.SignBytes(unpublished, payload(c, ""), nil) },
		"its own key": func(c issuertest.Claims) string {
			return fake.SignBytes(other, payload(c, ""), map[jose.HeaderKey]any{"jwk": other.Public()})
		},
		"cut":          func(c issuertest.Claims) string { s := fake.Sign(c); return s[:strings.LastIndex(s, ".")] },
		"json":         func(c issuertest.Claims) string { return `{"payload":"e30","signatures":[]}` },
		"empty":        func(c issuertest.Claims) string { return "" },
		"two subs":     func(c issuertest.Claims) string { return fake.SignBytes(fake.Key, payload(c, `,"sub":"admin"`), nil) },
		"sub and SUB":  func(c issuertest.Claims) string { return fake.SignBytes(fake.Key, payload(c, `,"SUB":"admin"`), nil) },
		"no object":    func(c issuertest.Claims) string { return fake.SignBytes(fake.Key, []byte(`["alice"]`), nil) },
		"changed body": func(c issuertest.Claims) string { return replaced(fake.Sign(c)) },
	} {
		fake.Token = token
		if who, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrAssertion) || !who.IsZero() {
			t.Errorf("%s: %v, %v", what, who.Subject(), err)
		}
	}
}

func replaced(token string) string {
	parts := strings.Split(token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "alice", "admin", 1)))
	return strings.Join(parts, ".")
}

func TestOIDCRefusesWrongClaims(t *testing.T) {
	fake, i := provided(t)
	now := time.Now()
	for what, says := range map[string]issuertest.Claims{
		"issuer":           {"iss": "https://elsewhere.example.com"},
		"issuer with /":    {"iss": fake.URL + "/"},
		"no issuer":        {"iss": nil},
		"audience":         {"aud": "other"},
		"no audience":      {"aud": nil},
		"other party":      {"azp": "other"},
		"several, no azp":  {"aud": []string{issuertest.Client, "other"}},
		"several, other":   {"aud": []string{issuertest.Client, "other"}, "azp": "other"},
		"no nonce":         {"nonce": nil},
		"other nonce":      {"nonce": "another"},
		"nonce of a kind":  {"nonce": []string{"a"}},
		"expired":          {"exp": now.Add(-2 * time.Minute).Unix()},
		"no end":           {"exp": nil},
		"end of a kind":    {"exp": "tomorrow"},
		"from the future":  {"iat": now.Add(5 * time.Minute).Unix()},
		"no beginning":     {"iat": nil},
		"not yet":          {"nbf": now.Add(3 * time.Minute).Unix()},
		"other token":      {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
		"hash of a kind":   {"at_hash": 7},
		"hash of nothing":  {"at_hash": ""},
		"nobody":           {"sub": nil},
		"an empty name":    {"sub": ""},
		"a number":         {"sub": 7},
		"control bytes":    {"sub": "a\nb"},
		"groups, a number": {"groups": 7},
		"groups, an item":  {"groups": []any{"it", 7}},
		"groups, null":     {"groups": json.RawMessage("null")},
		"groups, an empty": {"groups": []string{""}},
		"groups, too many": {"groups": []string{strings.Repeat("x", 20<<10)}},
		"sid of a kind":    {"sid": 7},
	} {
		fake.Says = says
		if who, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrAssertion) {
			t.Errorf("%s: %v, %v", what, who.Subject(), err)
		}
	}
	for what, says := range map[string]issuertest.Claims{
		"a slow clock":     {"exp": now.Add(-30 * time.Second).Unix()},
		"a fast clock":     {"iat": now.Add(30 * time.Second).Unix()},
		"several with azp": {"aud": []string{issuertest.Client, "other"}, "azp": issuertest.Client},
		"no at_hash":       {"at_hash": nil},
		"no sid":           {"sid": nil},
	} {
		fake.Says = says
		if _, _, err := signIn(t, fake, i); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOIDCEvidenceOfAWrongType counts for nothing, and the person is told who
// they are all the same.
func TestOIDCEvidenceOfAWrongType(t *testing.T) {
	fake, i := provided(t)
	for what, says := range map[string]issuertest.Claims{
		"auth_time as text":  {"auth_time": "1700000000"},
		"negative auth_time": {"auth_time": -1},
		"amr as text":        {"amr": "mfa", "auth_time": nil},
		"amr of numbers":     {"amr": []any{1}, "auth_time": nil},
		"mixed amr":          {"amr": []any{"mfa", true}, "auth_time": nil},
		"endless amr":        {"amr": slices.Repeat([]string{"mfa"}, 99), "auth_time": nil},
		"amr, an object":     {"amr": issuertest.Claims{"mfa": true}, "auth_time": nil},
		"acr as a list":      {"acr": []string{"gold"}, "auth_time": nil},
		"endless acr":        {"acr": strings.Repeat("x", 999), "auth_time": nil},
	} {
		fake.Says = says
		who, evidence, err := signIn(t, fake, i)
		e, _ := who.Evidence()
		if err != nil || evidence == nil || who.Subject().Name != "alice" || len(e.AMR) > 0 || e.ACR != "" || !e.AuthTime.IsZero() {
			t.Errorf("%s: %+v, %v, %v", what, e, evidence, err)
		}
	}
}

func TestOIDCNamesByAnotherClaim(t *testing.T) {
	fake, i := provided(t, func(c *firstfactor.OIDC) { c.Name = "email" })
	for what, c := range map[string]struct {
		says, info issuertest.Claims
		name       string
	}{
		"verified":         {issuertest.Claims{"email": "a@x", "email_verified": true}, nil, "a@x"},
		"not verified":     {issuertest.Claims{"email": "a@x", "email_verified": false}, nil, ""},
		"not said":         {issuertest.Claims{"email": "a@x"}, nil, ""},
		"at userinfo":      {nil, issuertest.Claims{"email": "a@x", "email_verified": true}, "a@x"},
		"two places":       {issuertest.Claims{"email": "a@x"}, issuertest.Claims{"email_verified": true}, ""},
		"of somebody else": {nil, issuertest.Claims{"sub": "bob", "email": "b@x", "email_verified": true}, ""},
		"of nobody":        {nil, issuertest.Claims{"sub": nil, "email": "b@x", "email_verified": true}, ""},
		"nowhere":          {nil, nil, ""},
	} {
		fake.Says, fake.Info = c.says, c.info
		who, _, err := signIn(t, fake, i)
		if who.Subject().Name != c.name || (err == nil) != (c.name != "") {
			t.Errorf("%s: %q, %v", what, who.Subject().Name, err)
		}
	}
}

// TestOIDCGroupsFromUserinfo: many providers keep them out of the ID token.
func TestOIDCGroupsFromUserinfo(t *testing.T) {
	fake, i := provided(t)
	fake.Info = issuertest.Claims{"groups": []string{"it"}, "amr": []string{"mfa"}}
	who, _, err := signIn(t, fake, i)
	if e, _ := who.Evidence(); err != nil || !slices.Equal(who.Groups(), []string{"it"}) || len(e.AMR) > 0 {
		t.Errorf("%v, %v, %v", who.Groups(), e, err)
	}
}

// TestOIDCKeysRotate: a new key is found at once, and one that was taken back
// does not count.
func TestOIDCKeysRotate(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	if _, _, err := signIn(t, fake, i); err != nil {
		t.Fatal(err)
	}
	old := fake.Key
	fake.Key = issuertest.NewKey(t, "second")
	fake.Keys = []any{fake.Key.Public(), map[string]string{"kty": "unheard of"}, map[string]string{"kty": "oct", "k": "AAAA", "kid": "x"}}
	if _, _, err := signIn(t, fake, i); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	fake.Key = old
	if _, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrAssertion) {
		t.Errorf("with the old key: %v", err)
	}
	if n := fake.Asked("/jwks"); n > 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// TestOIDCDoesNotFlood an issuer with questions about keys that it does not
// have: logout tokens come from anybody.
func TestOIDCDoesNotFlood(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	forged := fake.SignBytes(issuertest.NewKey(t, "x"), []byte(`{}`), nil)
	done, end := make(chan error), time.Now().Add(3*time.Second)
	for range 50 {
		go func() {
			err := firstfactor.ErrAssertion
			for errors.Is(err, firstfactor.ErrAssertion) && time.Now().Before(end) {
				_, err = i.Ended(t.Context(), forged, time.Now())
			}
			done <- err
		}()
	}
	for range 50 {
		if err := <-done; !errors.Is(err, firstfactor.ErrAssertion) {
			t.Error(err)
		}
	}
	if n := fake.Asked("/jwks"); n > 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
	if n := fake.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the description was fetched %d times", n)
	}
}

// TestOIDCIssuerOutOfOrder in every way: it takes little time, and is told
// from a person who may not come.
func TestOIDCIssuerOutOfOrder(t *testing.T) {
	var elsewhere int
	trap := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ })
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token"} {
		for what, instead := range map[string]http.HandlerFunc{
			"500":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("x", 5000), 500) },
			"cut":  func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
			"slow": func(_ http.ResponseWriter, r *http.Request) { slow(r) },
			"HTML": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
			"redirect": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			},
		} {
			t.Run(path+" "+what, func(t *testing.T) {
				t.Parallel()
				fake, i := provided(t)
				fake.Instead = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/elsewhere" {
						trap(w, r)
					}
					if r.URL.Path == path {
						instead(w, r)
					}
					return r.URL.Path == path
				}
				began := time.Now()
				_, _, err := signIn(t, fake, i)
				told := errors.Is(err, firstfactor.ErrIssuer) || path == "/token" && what == "redirect" && errors.Is(err, firstfactor.ErrAssertion)
				if !told || time.Since(began) > 9*time.Second || len(err.Error()) > 600 {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		}
	}
	t.Cleanup(func() {
		if elsewhere > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// slow never answers; the client's going is noticed once the body is read.
func slow(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// TestOIDCAnswersAreBounded, although they would be right.
func TestOIDCAnswersAreBounded(t *testing.T) {
	for size, fits := range map[int]bool{1 << 18: true, 2 << 20: false} {
		long := strings.Repeat("x", size)
		for what, change := range map[string]func(*issuertest.Issuer){
			"description": func(fake *issuertest.Issuer) { fake.Meta = issuertest.Claims{"x": long} },
			"keys":        func(fake *issuertest.Issuer) { fake.Keys = append(fake.Keys, map[string]string{"kty": long}) },
			"userinfo":    func(fake *issuertest.Issuer) { fake.Info = issuertest.Claims{"x": long} },
		} {
			fake, i := provided(t)
			change(fake)
			if _, _, err := signIn(t, fake, i); (err == nil) != fits || err != nil && !errors.Is(err, firstfactor.ErrIssuer) {
				t.Errorf("%s of %d bytes: %v", what, size, err)
			}
		}
	}
}

func TestOIDCLyingDescription(t *testing.T) {
	for what, meta := range map[string]issuertest.Claims{
		"another issuer":   {"issuer": "https://elsewhere.example.com"},
		"no issuer":        {"issuer": nil},
		"keys in clear":    {"jwks_uri": "http://elsewhere.example.com/jwks"},
		"token in clear":   {"token_endpoint": "http://elsewhere.example.com/token"},
		"no token":         {"token_endpoint": nil},
		"page in clear":    {"authorization_endpoint": "http://elsewhere.example.com/auth"},
		"a script":         {"authorization_endpoint": "javascript:alert(1)"},
		"userinfo":         {"userinfo_endpoint": "http://elsewhere.example.com/me"},
		"sign-out":         {"end_session_endpoint": "ftp://elsewhere.example.com/"},
		"of another shape": {"jwks_uri": 7},
	} {
		fake, i := provided(t)
		fake.Meta = meta
		if _, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrIssuer) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOIDCComesBack when its issuer does, unaided.
func TestOIDCComesBack(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	down := true
	fake.Instead = func(w http.ResponseWriter, _ *http.Request) bool {
		if down {
			http.Error(w, "down", http.StatusBadGateway)
		}
		return down
	}
	if _, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrIssuer) {
		t.Fatal(err)
	}
	if _, _, err := signIn(t, fake, i); !errors.Is(err, firstfactor.ErrIssuer) || fake.Asked("/.well-known/openid-configuration") != 1 {
		t.Errorf("it was asked again at once: %v", err)
	}
	fake.Lock()
	down = false
	fake.Unlock()
	time.Sleep(2100 * time.Millisecond)
	if _, _, err := signIn(t, fake, i); err != nil {
		t.Error(err)
	}
}

// TestOIDCSendsNobodyAway to an issuer that answered once and does no more.
func TestOIDCSendsNobodyAway(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	if _, err := i.Begin(t.Context(), firstfactor.NewErrand(callback), firstfactor.Wish{}); err != nil {
		t.Fatal(err)
	}
	fake.Close()
	time.Sleep(5100 * time.Millisecond)
	if to, err := i.Begin(t.Context(), firstfactor.NewErrand(callback), firstfactor.Wish{}); !errors.Is(err, firstfactor.ErrIssuer) {
		t.Errorf("%q, %v", to, err)
	}
}

func TestOIDCCodesOfOthers(t *testing.T) {
	fake, i := provided(t)
	mine, theirs := firstfactor.NewErrand(callback), firstfactor.NewErrand(callback)
	to, err := i.Begin(t.Context(), theirs, firstfactor.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	code := fake.SignIn(to).Get("code")
	_, _, err = i.Redeem(t.Context(), "staff", mine, code, time.Now())
	if !errors.Is(err, firstfactor.ErrAssertion) || strings.Contains(err.Error(), code) {
		t.Errorf("a stolen code: %v", err)
	}
	theirs.Nonce = "another"
	to, _ = i.Begin(t.Context(), theirs, firstfactor.Wish{})
	if _, _, err = i.Redeem(t.Context(), "staff", firstfactor.Errand{Nonce: "n", Verifier: theirs.Verifier, Callback: callback}, fake.SignIn(to).Get("code"), time.Now()); !errors.Is(err, firstfactor.ErrAssertion) {
		t.Errorf("a code of another sign-in: %v", err)
	}
}

// TestOIDCAnswersOfOthers: RFC 9207.
func TestOIDCAnswersOfOthers(t *testing.T) {
	fake, i := provided(t)
	for _, c := range []struct {
		says bool
		said []string
		ok   bool
	}{
		{false, nil, true}, {false, []string{fake.URL}, true}, {false, []string{"https://evil"}, false}, {false, []string{""}, false},
		{false, []string{fake.URL, "https://evil"}, false}, {true, nil, false}, {true, []string{fake.URL}, true},
	} {
		fake, fresh := fake, i
		if c.says {
			fake, fresh = provided(t)
			fake.Meta = issuertest.Claims{"authorization_response_iss_parameter_supported": true}
			if c.said != nil {
				c.said = []string{fake.URL}
			}
		}
		if err := fresh.Answered(t.Context(), c.said); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestOIDCLogoutTokens(t *testing.T) {
	t.Parallel()
	fake, i := provided(t)
	now := time.Now()
	out, err := i.Ended(t.Context(), fake.Sign(fake.Logout(nil)), now)
	if err != nil || out.Subject != "alice" || out.Session != "sid-1" || out.ID == "" || out.Expires.IsZero() {
		t.Fatalf("%+v, %v", out, err)
	}
	const event = "http://schemas.openid.net/event/backchannel-logout"
	for what, changes := range map[string]issuertest.Claims{
		"a nonce":         {"nonce": "n"},
		"a null nonce":    {"nonce": json.RawMessage("null")},
		"no events":       {"events": nil},
		"another event":   {"events": issuertest.Claims{"http://example.com/other": issuertest.Claims{}}},
		"event of a kind": {"events": issuertest.Claims{event: true}},
		"events as list":  {"events": []string{event}},
		"events as text":  {"events": event},
		"no jti":          {"jti": nil},
		"nobody":          {"sub": nil, "sid": nil},
		"sub of a kind":   {"sub": 7},
		"no iat":          {"iat": nil},
		"no exp":          {"exp": nil},
		"expired":         {"exp": now.Add(-time.Hour).Unix()},
		"future":          {"iat": now.Add(time.Hour).Unix()},
		"issuer":          {"iss": "https://elsewhere.example.com"},
		"audience":        {"aud": "other"},
	} {
		if out, err := i.Ended(t.Context(), fake.Sign(fake.Logout(changes)), now); !errors.Is(err, firstfactor.ErrAssertion) {
			t.Errorf("%s: %+v, %v", what, out, err)
		}
	}
	payload, _ := json.Marshal(fake.Logout(nil))
	for kind, ok := range map[string]bool{"logout+jwt": true, "JWT": true, "application/logout+jwt": true, "at+jwt": false, "secevent+jwt": false} {
		token := fake.SignBytes(fake.Key, payload, map[jose.HeaderKey]any{jose.HeaderType: kind})
		if _, err := i.Ended(t.Context(), token, now); (err == nil) != ok {
			t.Errorf("typ %s: %v", kind, err)
		}
	}
	for what, token := range map[string]string{"none": issuertest.Unsigned(`{"alg":"none"}`, fake.Logout(nil), ""), "HS": swapped(fake, fake.Logout(nil)), "empty": "", "large": strings.Repeat("x", 99<<10)} {
		if _, err := i.Ended(t.Context(), token, now); !errors.Is(err, firstfactor.ErrAssertion) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOIDCLeaves(t *testing.T) {
	fake, i := provided(t)
	fake.Meta = issuertest.Claims{"end_session_endpoint": fake.URL + "/end?tenant=1"}
	to, err := i.Leave(t.Context(), "TOKEN", "https://wiki.test/.stepgate/signout")
	u, _ := url.Parse(to)
	q := u.Query()
	if err != nil || u.Path != "/end" || q.Get("tenant") != "1" || q.Get("id_token_hint") != "TOKEN" || q.Get("client_id") != issuertest.Client ||
		q.Get("post_logout_redirect_uri") != "https://wiki.test/.stepgate/signout" {
		t.Errorf("%s, %v", to, err)
	}
	fake, i = provided(t)
	fake.Meta = issuertest.Claims{"end_session_endpoint": nil}
	if to, err := i.Leave(t.Context(), "", ""); to != "" || err != nil {
		t.Errorf("%s, %v", to, err)
	}
}

func TestOIDCConfigurations(t *testing.T) {
	good := firstfactor.OIDC{Issuer: "https://id.example.com/realms/x", ClientID: "c", ClientSecret: "s"}
	if c, err := good.Prepared(); err != nil || c.ID != "oidc" || c.Name != "sub" || c.Label != "id.example.com" || !slices.Equal(c.Scopes, []string{"openid"}) {
		t.Errorf("%+v, %v", c, err)
	}
	for says, change := range map[string]func(*firstfactor.OIDC){
		"is not an issuer":  func(c *firstfactor.OIDC) { c.Issuer = "http://id.example.com" },
		"id.example.com?":   func(c *firstfactor.OIDC) { c.Issuer = "https://id.example.com?x=1" },
		"user@":             func(c *firstfactor.OIDC) { c.Issuer = "https://user@id.example.com" },
		"client_id":         func(c *firstfactor.OIDC) { c.ClientID = "" },
		"client_secret":     func(c *firstfactor.OIDC) { c.ClientSecret = "" },
		"use up to 32 of a": func(c *firstfactor.OIDC) { c.ID = "a/b" },
	} {
		c := good
		change(&c)
		if _, err := c.Prepared(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
