package gateway_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/issuertest"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// company is a rig before a console without a login, whose people sign in at
// an issuer.
type company struct {
	*rig
	issuer *issuertest.Issuer
	log    *lockedBuffer
	secret []string // codes and states
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func newCompany(t *testing.T, change ...func(*gateway.Site)) *company {
	t.Helper()
	c := &company{rig: newRig(t), log: new(lockedBuffer)}
	c.issuer = issuertest.New(t, c.clock)
	c.site.Console = new(firstfactor.Console)
	c.site.SignIns = []gateway.SignIn{c.provider("oidc", c.issuer)}
	c.site.Skips = map[string]policy.Skip{"oidc": {Mode: policy.SkipAlways}}
	for _, f := range change {
		f(&c.site)
	}
	c.gateway = gateway.New(c.site, c.svc, pages(t), noMeter{}, slog.New(slog.NewTextHandler(c.log, nil)))
	t.Cleanup(c.silent)
	return c
}

// provider is a source at an issuer.
func (c *company) provider(id string, at *issuertest.Issuer) gateway.OIDC {
	c.t.Helper()
	o, err := firstfactor.OIDC{ID: id, Issuer: at.URL, ClientID: issuertest.Client, ClientSecret: issuertest.Secret, Groups: "groups", Label: "Sign in " + id}.Prepared()
	check(c.t, err)
	return gateway.OIDC{Issuer: firstfactor.NewIssuer(o)}
}

// silent fails if the log repeats what could be used once.
func (c *company) silent() {
	for _, s := range c.secret {
		if s != "" && strings.Contains(c.log.String(), s) {
			c.t.Errorf("the log holds %q:\n%s", s, c.log.String())
		}
	}
}

const ownOIDC = "/.stepgate/signin/oidc"

// leaves goes to the issuer and returns what comes back with the browser.
func (c *company) leaves(b *browser, path string) url.Values {
	c.t.Helper()
	a := b.get(path)
	if a.StatusCode != http.StatusSeeOther {
		c.t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
	}
	back := c.issuer.SignIn(a.Header.Get("Location"))
	c.secret = append(c.secret, back.Get("code"), back.Get("state"))
	return back
}

func (c *company) returns(b *browser, back url.Values) *reply {
	c.t.Helper()
	return b.get(ownOIDC+"/callback?"+back.Encode(), "Sec-Fetch-Site: cross-site")
}

func (c *company) signsIn(b *browser) *reply {
	c.t.Helper()
	return c.returns(b, c.leaves(b, ownOIDC+"?return=/private%3Fa=b"))
}

func (c *company) who(name string) identity.Subject {
	return identity.Subject{Realm: identity.IssuedBy("staff", c.issuer.URL), Name: name}
}

// bound gives a person of the issuer an authenticator.
func (c *company) bound(name string) (key string) {
	c.t.Helper()
	key = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	cred := accounts.Credential{ID: "cred-" + name, Subject: c.who(name), Factor: identity.TOTP, Name: "App", BoundAt: c.clock(), Noticed: true}
	cred.Secret = c.ring.Seal("credential", []byte(key), cred.SecretBinding()...)
	check(c.t, c.rig.accounts.BindFirst(c.t.Context(), cred))
	return key
}

// refusedWith fails unless it is a page of this kind and nothing is open.
func (b *browser) refusedWith(what string, a *reply, status int, title string) {
	b.t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, title) {
		b.t.Errorf("%s: %d, and the page is not %q: %s", what, a.StatusCode, title, a.body)
	}
	if b.inside() {
		b.t.Errorf("%s: the console is open", what)
	}
	if seen := b.console.got(); len(seen) > 0 {
		b.t.Errorf("%s: %d requests reached the console", what, len(seen))
	}
	b.clean(what)
}

func TestOIDCSignsIn(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	a := b.get("/private?a=b")
	if to := a.Header.Get("Location"); a.StatusCode != 303 || !strings.HasPrefix(to, "/.stepgate/signin?return=") {
		t.Fatalf("%d %s", a.StatusCode, to)
	}
	if a = b.get(a.Header.Get("Location")); !strings.HasPrefix(a.Header.Get("Location"), ownOIDC+"?return=") {
		t.Fatalf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	a = c.returns(b, c.leaves(b, a.Header.Get("Location")))
	if a.StatusCode != 303 || a.Header.Get("Location") != "/private?a=b" || !b.inside() {
		t.Fatalf("%d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	seen := c.console.got()
	if got := seen[len(seen)-1].Header.Get("Remote-User"); got != "alice" {
		t.Errorf("the console is told of %q", got)
	}
	if !slices.Contains(c.events(), audit.LoginSignedOn) {
		t.Errorf("the trail says %v", c.events())
	}
	for name := range b.jar {
		if strings.Contains(name, ".signin.") {
			t.Errorf("%s is left over", name)
		}
	}
}

// TestOIDCChallenges whom the evidence does not spare.
func TestOIDCChallenges(t *testing.T) {
	mfa := policy.Skip{Mode: policy.SkipAMR, Values: []string{"mfa"}, MaxAge: time.Hour}
	for what, test := range map[string]struct {
		skip   policy.Skip
		says   issuertest.Claims
		passes bool
	}{
		"never":             {policy.Skip{Mode: policy.SkipNever}, issuertest.Claims{"amr": []string{"mfa"}}, false},
		"amr":               {mfa, issuertest.Claims{"amr": []string{"pwd", "mfa"}}, true},
		"no amr":            {mfa, nil, false},
		"another amr":       {mfa, issuertest.Claims{"amr": []string{"pwd"}}, false},
		"amr as text":       {mfa, issuertest.Claims{"amr": "mfa"}, false},
		"stale":             {mfa, issuertest.Claims{"amr": []string{"mfa"}, "auth_time": 1}, false},
		"future":            {mfa, issuertest.Claims{"amr": []string{"mfa"}, "auth_time": 4102444800}, false},
		"no auth_time":      {mfa, issuertest.Claims{"amr": []string{"mfa"}, "auth_time": nil}, false},
		"auth_time as text": {mfa, issuertest.Claims{"amr": []string{"mfa"}, "auth_time": "now"}, false},
		"acr":               {policy.Skip{Mode: policy.SkipACR, Values: []string{"gold"}}, issuertest.Claims{"acr": "gold"}, true},
		"another acr":       {policy.Skip{Mode: policy.SkipACR, Values: []string{"gold"}}, issuertest.Claims{"acr": "silver"}, false},
	} {
		c := newCompany(t, func(s *gateway.Site) { s.Skips["oidc"] = test.skip })
		key := c.bound("alice")
		c.issuer.Says = test.says
		b := c.browser()
		a := c.signsIn(b)
		if passes := a.Header.Get("Location") == "/private?a=b"; a.StatusCode != 303 || passes != test.passes {
			t.Errorf("%s: %d %s %s", what, a.StatusCode, a.Header.Get("Location"), a.body)
			continue
		}
		if test.passes {
			continue
		}
		if b.inside() {
			t.Errorf("%s: open before the challenge", what)
		}
		a = b.answer(b.formID(), "code="+code(t, key, c.clock()))
		if a.Header.Get("Location") != "/private?a=b" || !b.inside() {
			t.Errorf("%s: after the challenge %d %s", what, a.StatusCode, a.body)
		}
	}
}

// TestOIDCFreshSignIn: who only ever came by single sign-on may bind a factor
// after a sign-in of now, which our page leads to.
func TestOIDCFreshSignIn(t *testing.T) {
	c := newCompany(t)
	if b := c.browser(); c.signsIn(b).StatusCode != 303 || !b.inside() {
		t.Fatal("not signed in")
	}
	c.site.Skips = map[string]policy.Skip{"oidc": {Mode: policy.SkipNever}}
	c.gateway = gateway.New(c.site, c.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	c.issuer.Says = issuertest.Claims{"auth_time": c.clock().Add(-time.Hour).Unix()}
	c.console.got()
	b := c.browser()
	a := c.signsIn(b)
	again := ownOIDC + "/again?return=%2Fprivate%3Fa%3Db"
	b.refusedWith("an old sign-in", a, 403, "Please sign in afresh")
	if !strings.Contains(a.body, again) {
		t.Fatalf("the page does not lead to %s: %s", again, a.body)
	}
	c.issuer.Says = nil
	if a := c.returns(b, c.leaves(b, again)); a.StatusCode != 303 || shownKey(b.get("/.stepgate/challenge").body) == "" {
		t.Errorf("after a fresh one: %d %s", a.StatusCode, a.body)
	}
}

// TestOIDCAsksForEvidence: an issuer that is not asked cannot show it.
func TestOIDCAsksForEvidence(t *testing.T) {
	c := newCompany(t, func(s *gateway.Site) {
		s.Skips["oidc"] = policy.Skip{Mode: policy.SkipACR, Values: []string{"gold", "platinum"}, MaxAge: time.Hour}
	})
	b := c.browser()
	u, _ := url.Parse(b.get(ownOIDC + "?return=/").Header.Get("Location"))
	if q := u.Query(); q.Get("max_age") != "3600" || q.Get("acr_values") != "gold platinum" || q.Get("prompt") != "" {
		t.Errorf("%v", q)
	}
	u, _ = url.Parse(b.get(ownOIDC + "/again?return=/").Header.Get("Location"))
	if u.Query().Get("prompt") != "login" {
		t.Errorf("%v", u.Query())
	}
}

// TestOIDCCallbacks that are not the end of what this browser began.
func TestOIDCCallbacks(t *testing.T) {
	const gone, failed, malformed = "Please sign in again", "verify your sign-in", "can’t be processed"
	for what, test := range map[string]struct {
		do     func(c *company, b *browser, back url.Values) *reply
		status int
		title  string
	}{
		"another browser": {func(c *company, b *browser, back url.Values) *reply {
			b.jar = map[string]string{}
			return c.returns(b, back)
		}, 400, gone},
		"a state that is made up": {func(c *company, b *browser, back url.Values) *reply {
			back.Set("state", "made-up")
			return c.returns(b, back)
		}, 400, gone},
		"no state": {func(c *company, b *browser, back url.Values) *reply { back.Del("state"); return c.returns(b, back) }, 400, gone},
		"too late": {func(c *company, b *browser, back url.Values) *reply {
			b.sleep(10*time.Minute + time.Second)
			return c.returns(b, back)
		}, 400, gone},
		"a changed cookie": {func(c *company, b *browser, back url.Values) *reply {
			for name, v := range b.jar {
				b.jar[name] = v[:40] + string(v[41]) + string(v[40]) + v[42:]
			}
			return c.returns(b, back)
		}, 400, gone},
		"a cookie under another name": {func(c *company, b *browser, back url.Values) *reply {
			other := c.leaves(b, ownOIDC+"?return=/x")
			var names []string
			for name := range b.jar {
				names = append(names, name)
			}
			b.jar[names[0]], b.jar[names[1]] = b.jar[names[1]], b.jar[names[0]]
			return c.returns(b, other)
		}, 400, gone},
		"two states": {func(c *company, b *browser, back url.Values) *reply {
			return b.get(ownOIDC + "/callback?" + back.Encode() + "&state=x")
		}, 400, malformed},
		"two codes": {func(c *company, b *browser, back url.Values) *reply {
			return b.get(ownOIDC + "/callback?code=x&" + back.Encode())
		}, 400, malformed},
		"a bad escape": {func(c *company, b *browser, back url.Values) *reply {
			return b.get(ownOIDC + "/callback?x=%25zz;&" + back.Encode())
		}, 400, malformed},
		"another issuer's word": {func(c *company, b *browser, back url.Values) *reply {
			back.Set("iss", "https://elsewhere.example.com")
			return c.returns(b, back)
		}, 403, failed},
		"a code of nobody":    {func(c *company, b *browser, back url.Values) *reply { back.Set("code", "x"); return c.returns(b, back) }, 403, failed},
		"no code":             {func(c *company, b *browser, back url.Values) *reply { back.Del("code"); return c.returns(b, back) }, 403, failed},
		"access_denied":       {answers("access_denied"), 403, "weren’t signed in"},
		"login_required":      {answers("login_required"), 403, "isn’t complete"},
		"server_error":        {answers("server_error"), 503, "can’t be reached"},
		"invalid_scope":       {answers("invalid_scope"), 403, failed},
		"an error with marks": {answers("<script>alert(1)</script>"), 403, failed},
		"a forged token": {func(c *company, b *browser, back url.Values) *reply {
			c.issuer.Token = func(said issuertest.Claims) string { return issuertest.Unsigned(`{"alg":"none"}`, said, "") }
			return c.returns(b, back)
		}, 403, failed},
		"somebody else's nonce": {func(c *company, b *browser, back url.Values) *reply {
			c.issuer.Says = issuertest.Claims{"nonce": "other"}
			return c.returns(b, back)
		}, 403, failed},
	} {
		c := newCompany(t)
		b := c.browser()
		back := c.leaves(b, ownOIDC+"?return=/private")
		b.refusedWith(what, test.do(c, b, back), test.status, test.title)
	}
}

func answers(code string) func(*company, *browser, url.Values) *reply {
	return func(c *company, b *browser, back url.Values) *reply {
		return c.returns(b, url.Values{"state": back["state"], "error": {code}, "error_description": {secret}})
	}
}

// TestOIDCCallbackOnce: whatever became of it the first time, also when the
// browser still shows its cookie.
func TestOIDCCallbackOnce(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	back := c.leaves(b, ownOIDC+"?return=/private")
	thief := b.copy()
	if a := c.returns(b, back); a.StatusCode != 303 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	c.console.got()
	thief.refusedWith("replayed", c.returns(thief, back), 400, "Please sign in again")
	if !b.inside() {
		t.Error("a replay ended the session")
	}
	if n := c.issuer.Asked("/token"); n != 1 {
		t.Errorf("codes were exchanged %d times", n)
	}
}

// TestOIDCSpendsFirst: if that cannot be done, nothing is.
func TestOIDCSpendsFirst(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	back := c.leaves(b, ownOIDC+"?return=/private")
	c.faults.set("accounts.SpendID", false)
	if a := c.returns(b, back); a.StatusCode != 503 || c.issuer.Asked("/token") != 0 {
		t.Errorf("%d, and %d codes were exchanged", a.StatusCode, c.issuer.Asked("/token"))
	}
}

// TestOIDCMixUp: an answer at one issuer's callback to what was begun at the
// other's gives the code to neither (RFC 9700, section 4.4).
func TestOIDCMixUp(t *testing.T) {
	c := newCompany(t)
	evil := issuertest.New(t, c.clock)
	c.site.SignIns = append(c.site.SignIns, c.provider("evil", evil))
	c.gateway = gateway.New(c.site, c.svc, pages(t), noMeter{}, slog.New(slog.NewTextHandler(c.log, nil)))
	b := c.browser()
	back := c.leaves(b, ownOIDC+"?return=/private")
	a := b.get("/.stepgate/signin/evil/callback?" + back.Encode())
	b.refusedWith("mixed up", a, 403, "verify your sign-in")
	if evil.Asked("/token")+c.issuer.Asked("/token") > 0 {
		t.Error("a code was given away")
	}
}

func TestOIDCTabs(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	first, second := c.leaves(b, ownOIDC+"?return=/one"), c.leaves(b, ownOIDC+"?return=/two")
	if a := c.returns(b, first); a.Header.Get("Location") != "/one" {
		t.Errorf("the first tab goes to %s", a.Header.Get("Location"))
	}
	if a := c.returns(b, second); a.Header.Get("Location") != "/two" {
		t.Errorf("the second tab goes to %s", a.Header.Get("Location"))
	}
	for range 30 {
		b.sleep(time.Second)
		c.leaves(b, ownOIDC+"?return=/x")
	}
	if n := len(b.jar); n > 10 {
		t.Errorf("%d cookies pile up", n)
	}
}

// TestOIDCLeadsNowhereElse: the way back is a path of this host.
func TestOIDCLeadsNowhereElse(t *testing.T) {
	c := newCompany(t)
	for _, to := range []string{"https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/.stepgate/signout", "evil", "/a\nb"} {
		b := c.browser()
		a := c.returns(b, c.leaves(b, ownOIDC+"?return="+url.QueryEscape(to)))
		if got := a.Header.Get("Location"); a.StatusCode != 303 || got != "/" {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}

// TestOIDCIssuerDown gives a page, and open sessions go on.
func TestOIDCIssuerDown(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	back := c.leaves(b, ownOIDC+"?return=/private")
	c.issuer.Instead = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, secret, http.StatusBadGateway)
		return true
	}
	a := c.returns(b, back)
	b.refusedWith("at the callback", a, 503, "can’t be reached")
	if a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, ownOIDC+"?return=%2Fprivate") {
		t.Errorf("%s", a.raw)
	}
	fresh := newCompany(t)
	fresh.issuer.Close()
	other := fresh.browser()
	other.refusedWith("at the start", other.get(ownOIDC+"?return=/private"), 503, "can’t be reached")
	c.issuer.Instead = nil
	if c.signsIn(b); !b.inside() {
		t.Fatal("it does not come back")
	}
	c.issuer.Close()
	if !b.inside() {
		t.Error("an open session ended with the issuer")
	}
}

func TestOIDCGroups(t *testing.T) {
	c := newCompany(t, func(s *gateway.Site) { s.Allow = []string{"it", "admins"} })
	for what, test := range map[string]struct {
		groups any
		in     bool
	}{
		"one of them": {[]string{"guests", "it"}, true}, "a string": {"admins", true}, "another": {[]string{"guests"}, false},
		"none": {[]string{}, false}, "not said": {nil, false}, "joined": {"it,admins", false},
	} {
		c.issuer.Says = issuertest.Claims{"groups": test.groups}
		b := c.browser()
		a := c.signsIn(b)
		if b.inside() != test.in || !test.in && (a.StatusCode != 403 || !strings.Contains(a.body, "No access to this site")) {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
}

// TestOIDCTwoIssuersTwoPeople: equal subs are two subjects.
func TestOIDCTwoIssuersTwoPeople(t *testing.T) {
	c := newCompany(t, func(s *gateway.Site) { s.Skips["oidc"] = policy.Skip{Mode: policy.SkipNever} })
	c.bound("alice")
	other := issuertest.New(t, c.clock)
	c.site.SignIns = append(c.site.SignIns, c.provider("other", other))
	c.site.Skips["other"] = policy.Skip{Mode: policy.SkipNever}
	c.gateway = gateway.New(c.site, c.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	b := c.browser()
	if a := b.get("/.stepgate/signin?return=/private"); a.StatusCode != 200 || strings.Index(a.body, "Sign in oidc") > strings.Index(a.body, "Sign in other") {
		t.Errorf("the choice: %d %s", a.StatusCode, a.body)
	}
	a := b.get("/.stepgate/signin/other?return=/private")
	back := other.SignIn(a.Header.Get("Location"))
	b.get("/.stepgate/signin/other/callback?" + back.Encode())
	if a := b.get("/.stepgate/challenge"); shownKey(a.body) == "" {
		t.Errorf("alice of the other issuer is not asked to enroll: %s", a.body)
	}
}

func (b *browser) signOut(headers ...string) *reply {
	b.t.Helper()
	return b.post("/.stepgate/signout", "x=y", headers...)
}

func TestSignOut(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	c.signsIn(b)
	stolen := b.copy()
	if a := b.get("/.stepgate/signout"); a.StatusCode != 200 || !strings.Contains(a.body, "alice") || !b.inside() {
		t.Errorf("the question: %d %s", a.StatusCode, a.body)
	}
	if a := b.signOut("Sec-Fetch-Site: cross-site", "Origin: https://evil.test"); a.StatusCode != 403 || !b.inside() {
		t.Errorf("another site signs out: %d", a.StatusCode)
	}
	a := b.signOut("Sec-Fetch-Site: same-origin")
	to, _ := url.Parse(strings.TrimPrefix(a.Header.Get("Refresh"), "0; url="))
	q := to.Query()
	if a.StatusCode != 200 || to.Path != "/end" || q.Get("client_id") != issuertest.Client || strings.Count(q.Get("id_token_hint"), ".") != 2 ||
		!strings.HasSuffix(q.Get("post_logout_redirect_uri"), "://wiki.test/.stepgate/signout") {
		t.Errorf("%d %s %s", a.StatusCode, a.Header.Get("Refresh"), a.body)
	}
	if b.inside() || stolen.inside() {
		t.Error("the session goes on")
	}
	if a := b.get("/.stepgate/signout"); a.StatusCode != 200 || !strings.Contains(a.body, "You’re signed out") {
		t.Errorf("the way back: %d %s", a.StatusCode, a.body)
	}
	if a := b.send("DELETE", "/.stepgate/signout", ""); a.StatusCode != 405 {
		t.Errorf("DELETE: %d", a.StatusCode)
	}
}

func TestSignOutWithoutIssuer(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	a := b.signOut()
	if a.StatusCode != 200 || !strings.Contains(a.body, "You’re signed out") || a.Header.Get("Refresh") != "" || b.user() != "-" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	c := newCompany(t)
	b = c.browser()
	c.signsIn(b)
	c.issuer.Lock()
	c.issuer.Meta = issuertest.Claims{"end_session_endpoint": nil}
	c.issuer.Unlock()
	c.gateway = gateway.New(gateway.Site{Name: c.site.Name, Realm: c.site.Realm, Console: c.site.Console, Rules: c.site.Rules,
		Idle: c.site.Idle, Life: c.site.Life, SignIns: []gateway.SignIn{c.provider("oidc", c.issuer)}, Skips: c.site.Skips}, c.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	if a := b.signOut(); a.StatusCode != 200 || a.Header.Get("Refresh") != "" || b.inside() {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// tells posts a logout token as an issuer's server does.
func (c *company) tells(token string) *reply {
	c.t.Helper()
	c.secret = append(c.secret, token)
	return c.browser().send("POST", ownOIDC+"/backchannel", url.Values{"logout_token": {token}}.Encode(),
		"Content-Type: application/x-www-form-urlencoded", "User-Agent: issuer", "Origin: null")
}

func TestOIDCBackchannelEndsOneSession(t *testing.T) {
	c := newCompany(t)
	here, there := c.browser(), c.browser()
	c.signsIn(here)
	c.issuer.Says = issuertest.Claims{"sid": "sid-2"}
	c.signsIn(there)
	token := c.issuer.Sign(c.issuer.Logout(nil))
	if a := c.tells(token); a.StatusCode != 200 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.StatusCode, a.raw)
	}
	if here.inside() || !there.inside() {
		t.Errorf("ended: %t, of the other sid: %t", !here.inside(), !there.inside())
	}
	if a := c.tells(token); a.StatusCode != 400 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("replayed: %d", a.StatusCode)
	}
	if !slices.Contains(c.events(), audit.SessionEnded) {
		t.Error("the trail does not say it")
	}
}

func TestOIDCBackchannelEndsAll(t *testing.T) {
	for what, changes := range map[string]issuertest.Claims{"no sid": {"sid": nil}, "a sid that is not known": {"sid": "another"}} {
		c := newCompany(t)
		here, there, bob := c.browser(), c.browser(), c.browser()
		c.signsIn(here)
		c.issuer.Says = issuertest.Claims{"sid": "sid-2"}
		c.signsIn(there)
		c.issuer.Says = issuertest.Claims{"sid": "sid-3", "sub": "bob"}
		c.signsIn(bob)
		if a := c.tells(c.issuer.Sign(c.issuer.Logout(changes))); a.StatusCode != 200 || here.inside() || there.inside() || !bob.inside() {
			t.Errorf("%s: %d %t %t %t", what, a.StatusCode, here.inside(), there.inside(), bob.inside())
		}
	}
}

// TestOIDCBackchannelFindsNames: where people are named by another claim, the
// issuer's sub still ends their sessions.
func TestOIDCBackchannelFindsNames(t *testing.T) {
	c := newCompany(t, func(s *gateway.Site) {
		o := s.SignIns[0].(gateway.OIDC).Issuer.OIDC
		o.Name = "preferred_username"
		s.SignIns = []gateway.SignIn{gateway.OIDC{Issuer: firstfactor.NewIssuer(o)}}
	})
	c.issuer.Says = issuertest.Claims{"preferred_username": "lin.wei", "sid": nil}
	b := c.browser()
	if c.signsIn(b); !b.inside() {
		t.Fatal("not signed in")
	}
	if a := c.tells(c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"sid": nil}))); a.StatusCode != 200 || b.inside() {
		t.Errorf("%d, inside %t", a.StatusCode, b.inside())
	}
}

// TestOIDCBackchannelWhileChallenged: also a sign-in that waits for its second
// factor, and one that has just passed it under a new id.
func TestOIDCBackchannelWhileChallenged(t *testing.T) {
	for _, passed := range []bool{false, true} {
		c := newCompany(t, func(s *gateway.Site) { s.Skips["oidc"] = policy.Skip{Mode: policy.SkipNever} })
		key := c.bound("alice")
		b := c.browser()
		c.signsIn(b)
		id := b.formID()
		if passed {
			b.answer(id, "code="+code(t, key, c.clock()))
		}
		if a := c.tells(c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"sub": nil}))); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		if !passed {
			b.answer(id, "code="+code(t, key, c.clock()))
		}
		if b.inside() {
			t.Errorf("passed %t: the console is open", passed)
		}
		// The same session of the issuer begins nothing any more.
		other := c.browser()
		if a := c.signsIn(other); a.StatusCode != 503 || other.inside() {
			t.Errorf("passed %t: it begins another: %d", passed, a.StatusCode)
		}
	}
}

// TestOIDCBackchannelManySessions: none is overlooked.
func TestOIDCBackchannelManySessions(t *testing.T) {
	c := newCompany(t)
	var all []*browser
	for range 12 {
		b := c.browser()
		c.signsIn(b)
		all = append(all, b)
	}
	c.tells(c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"sub": nil})))
	for i, b := range all {
		if b.inside() {
			t.Errorf("session %d goes on", i)
		}
	}
}

func TestOIDCBackchannelRefuses(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	c.signsIn(b)
	if !b.inside() {
		t.Fatal("not signed in")
	}
	c.console.got()
	good := func() string { return c.issuer.Sign(c.issuer.Logout(nil)) }
	for what, token := range map[string]string{
		"nothing": "", "rubbish": "x.y.z", "unsigned": issuertest.Unsigned(`{"alg":"none"}`, c.issuer.Logout(nil), ""),
		"an ID token":    c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"events": nil, "nonce": "n"})),
		"another client": c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"aud": "other"})),
	} {
		if a := c.tells(token); a.StatusCode != 400 || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
	form := url.Values{"logout_token": {good()}}.Encode()
	for what, send := range map[string]func() *reply{
		"in the query": func() *reply {
			return c.browser().send("POST", ownOIDC+"/backchannel?"+form, "", "Content-Type: application/x-www-form-urlencoded")
		},
		"twice": func() *reply {
			return c.browser().send("POST", ownOIDC+"/backchannel", form+"&"+form, "Content-Type: application/x-www-form-urlencoded")
		},
		"as JSON": func() *reply {
			return c.browser().send("POST", ownOIDC+"/backchannel", form, "Content-Type: application/json")
		},
		"endless": func() *reply {
			return c.browser().send("POST", ownOIDC+"/backchannel", form+"&x="+strings.Repeat("x", 100<<10), "Content-Type: application/x-www-form-urlencoded")
		},
	} {
		if a := send(); a.StatusCode != 400 {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
	if a := c.browser().get(ownOIDC + "/backchannel"); a.StatusCode != 405 {
		t.Errorf("GET: %d", a.StatusCode)
	}
	if len(c.console.got()) > 0 || !b.inside() {
		t.Error("something reached the console, or the session ended")
	}
	c.faults.set("sessions.End", false)
	if a := c.tells(good()); a.StatusCode != 503 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("with a store that fails: %d", a.StatusCode)
	}
}

// TestOIDCNewSessionsStartFromZero: whoever was in the browser before is gone.
func TestOIDCNewSessionsStartFromZero(t *testing.T) {
	c := newCompany(t)
	b := c.browser()
	c.signsIn(b)
	before := b.copy()
	c.issuer.Says = issuertest.Claims{"sub": "bob", "sid": "sid-9"}
	c.signsIn(b)
	c.console.got()
	b.inside()
	seen := c.console.got()
	if got := seen[0].Header.Get("Remote-User"); got != "bob" || before.inside() {
		t.Errorf("the console is told of %q, and the old session lives: %t", got, before.inside())
	}
}
