package gateway_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
)

const issuer = "https://id.test/realms/staff"

// federatedWiki is the wiki with a button for single sign-on beside its form.
func federatedWiki(s *gateway.Site) {
	s.Console.Public = append(s.Console.Public, match.Match{Paths: []string{"/sso"}})
	s.Console.Logins = append(s.Console.Logins, firstfactor.Login{Match: match.Match{Methods: []string{"GET"}, Paths: []string{"/callback"}},
		Federated: &firstfactor.Federated{Issuers: []string{"https://third.test", issuer}},
		Success:   firstfactor.Condition{SetCookies: []string{"auth"}}},
		firstfactor.Login{Match: match.Match{Paths: []string{"/callback/other"}},
			Federated: &firstfactor.Federated{Issuers: []string{"https://other.test"}},
			Success:   firstfactor.Condition{SetCookies: []string{"auth"}}})
	s.Skips = map[string]policy.Skip{firstfactor.SourceFederated: {Mode: policy.SkipAlways}}
}

// ssoWiki keeps the state in a cookie and believes every code that begins with
// good-, whoever made it: what an issuer proves to a real console is not what
// is tested here.
func (r *rig) ssoWiki(to string) {
	states := 0
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		state, err := q.Cookie("oidc_state")
		name, good := strings.CutPrefix(q.FormValue("code"), "good-")
		switch {
		case q.URL.Path == "/sso":
			states++
			s := fmt.Sprintf("state-%d", states)
			http.SetCookie(w, &http.Cookie{Name: "oidc_state", Value: s})
			w.Header().Set("Location", strings.ReplaceAll(to, "STATE", s))
			w.WriteHeader(http.StatusFound)
		case q.URL.Path == "/callback" && good && err == nil && state.Value == q.FormValue("state"):
			w.Header().Add("Set-Cookie", r.console.wiki.cookie(name)+"; Path=/")
			http.Redirect(w, q, "/home", http.StatusFound)
		case q.URL.Path == "/callback" && q.FormValue("u") == "":
			http.Error(w, "the provider says "+q.FormValue("error"), http.StatusBadRequest)
		default:
			r.console.wiki.ServeHTTP(w, q)
		}
	})
}

const authorize = issuer + "/auth?response_type=code&client_id=wiki&scope=openid&nonce=n&code_challenge=c&state=STATE"

func newFederated(t *testing.T, change ...func(*gateway.Site)) *rig {
	t.Helper()
	r := newRig(t, append([]func(*gateway.Site){federatedWiki}, change...)...)
	r.ssoWiki(authorize)
	return r
}

// begin presses the button and returns the state that went to the issuer.
func (b *browser) begin() string {
	b.t.Helper()
	a := b.get("/sso")
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusFound || to.Query().Get("state") == "" {
		b.t.Fatalf("the button answers %d %v %s", a.StatusCode, a.Header, a.body)
	}
	return to.Query().Get("state")
}

const crossSite = "Sec-Fetch-Site: cross-site"

// comeBack is the issuer's redirect, which another site sent.
func (b *browser) comeBack(state, code string, headers ...string) *reply {
	b.t.Helper()
	return b.get("/callback?state="+state+"&code="+code, append(headers, crossSite)...)
}

func (b *browser) starts() (names []string) {
	for name := range b.jar {
		if strings.Contains(name, "start.") {
			names = append(names, name)
		}
	}
	return names
}

func TestFederatedIsNotAskedAgain(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	if a := b.comeBack(b.begin(), "good-alice"); a.StatusCode != http.StatusFound || a.Header.Get("Location") != "/home" {
		t.Fatalf("the callback: %d %s", a.StatusCode, a.body)
	}
	r.anonymous("a federated login")
	b.clean("a federated login")
	if b.user() != "alice" {
		t.Error("who came through the issuer is not let in")
	}
	i := slices.IndexFunc(r.trail(), func(rec audit.Record) bool { return rec.Event == audit.LoginSignedOn })
	if i < 0 || !strings.Contains(fmt.Sprint(r.trail()[i]), issuer) {
		t.Errorf("the skip is not in the trail with its evidence: %v", r.trail())
	}
}

// TestFederatedLessThanTheEvidence: whatever is missing of it, an answer that
// another site sends reaches nothing, and one that the console takes all the
// same is a login like any other.
func TestFederatedLessThanTheEvidence(t *testing.T) {
	for what, spoil := range map[string]func(*browser) (*browser, string){
		"a state that nobody began": func(b *browser) (*browser, string) {
			b.jar["oidc_state"] = "forged"
			return b, "forged"
		},
		"another state than the one begun": func(b *browser) (*browser, string) {
			b.begin()
			b.jar["oidc_state"] = "forged"
			return b, "forged"
		},
		"another browser": func(b *browser) (*browser, string) {
			state, other := b.begin(), b.browser()
			other.jar["oidc_state"] = state
			return other, state
		},
		"ten minutes": func(b *browser) (*browser, string) {
			state := b.begin()
			b.sleep(10 * time.Minute)
			return b, state
		},
		"a replay": func(b *browser) (*browser, string) {
			state := b.begin()
			before := b.copy()
			b.comeBack(state, "bad")
			return before, state
		},
		"a local login in between": func(b *browser) (*browser, string) {
			state := b.begin()
			before := b.copy()
			b.password("alice")
			return before, state
		},
		"a failed local login in between": func(b *browser) (*browser, string) {
			state := b.begin()
			b.post("/login", "u=alice&p=wrong")
			return b, state
		},
		"a start that a script made": func(b *browser) (*browser, string) {
			b.fetch("/sso")
			return b, b.jar["oidc_state"]
		},
		"another issuer": func(b *browser) (*browser, string) {
			b.ssoWiki("https://id.test.evil.test/realms/staff/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"another user part": func(b *browser) (*browser, string) {
			b.ssoWiki("https://id.test@evil.test/realms/staff/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"another realm of the issuer": func(b *browser) (*browser, string) {
			b.ssoWiki("https://id.test/realms/staffx/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"a way out of the realm": func(b *browser) (*browser, string) {
			b.ssoWiki("https://id.test/realms/staff/../evil/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"an issuer of another callback": func(b *browser) (*browser, string) {
			b.ssoWiki("https://other.test/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"plain HTTP": func(b *browser) (*browser, string) {
			b.ssoWiki("http://id.test/realms/staff/auth?response_type=code&state=STATE")
			return b, b.begin()
		},
		"a logout at the issuer": func(b *browser) (*browser, string) {
			b.ssoWiki(issuer + "/logout?id_token_hint=x&state=STATE")
			return b, b.begin()
		},
		"a cookie of another site": func(b *browser) (*browser, string) {
			start, _, _ := b.site.Console.StartOf(new(match.Request), http.StatusFound, http.Header{"Location": {strings.ReplaceAll(authorize, "STATE", "s")}}, b.clock())
			ck, _ := start.Keep(b.ring, "blog")
			b.jar[ck.Name], b.jar["oidc_state"] = ck.Value, "s"
			return b, "s"
		},
		"a cookie of nobody's": func(b *browser) (*browser, string) {
			b.jar["__Host-stepgate-start.0000000000000000"], b.jar["oidc_state"] = `{"state":"s","issuer":"`+issuer+`"}`, "s"
			return b, "s"
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newFederated(t)
			r.bind("alice")
			b, state := spoil(r.browser())
			r.console.got()
			if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusForbidden || len(r.console.got()) != 0 {
				t.Errorf("sent by another site: %d", a.StatusCode)
			}
			a := b.get("/callback?state="+state+"&code=good-alice", "Sec-Fetch-Site: none")
			if a.StatusCode == http.StatusFound || b.user() == "alice" {
				t.Errorf("it counts for the evidence: %d %s", a.StatusCode, a.body)
			}
			if a.StatusCode == http.StatusSeeOther && !strings.Contains(b.get("/.stepgate/challenge").body, `name="code"`) {
				t.Error("the login is not challenged")
			}
			b.clean(what)
			if slices.Contains(r.events(), audit.LoginSignedOn) {
				t.Error("the trail says that it was single sign-on")
			}
		})
	}
}

// TestFederatedChallengesWithoutEvidence: the console took the code, and
// nobody saw where it came from.
func TestFederatedChallengesWithoutEvidence(t *testing.T) {
	r := newFederated(t)
	key := r.bind("alice")
	b := r.browser()
	b.jar["oidc_state"] = "s"
	if a := b.get("/callback?state=s&code=good-alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	if b.user() != "-" {
		t.Fatal("nobody was asked")
	}
	if b.answer(b.formID(), "code="+code(t, key, b.clock())); b.user() != "alice" {
		t.Error("the challenge does not let her in")
	}
}

func TestFederatedTabs(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	first := b.begin()
	one := b.jar["oidc_state"]
	second := b.begin()
	if a := b.comeBack(second, "good-alice"); a.StatusCode != http.StatusFound {
		t.Fatalf("the second tab: %d", a.StatusCode)
	}
	b.jar["oidc_state"] = one // a console that keeps both
	if a := b.comeBack(first, "good-alice"); a.StatusCode != http.StatusFound || b.user() != "alice" {
		t.Errorf("the first tab: %d", a.StatusCode)
	}
	if a := b.comeBack(first, "good-alice"); a.StatusCode != http.StatusForbidden {
		t.Errorf("once more: %d", a.StatusCode)
	}
	for range 20 {
		b.begin()
	}
	if n := len(b.starts()); n == 0 || n > 8 {
		t.Errorf("the browser keeps %d starts", n)
	}
	if a := b.comeBack(b.begin(), "good-alice"); a.StatusCode != http.StatusFound {
		t.Errorf("the newest of many: %d", a.StatusCode)
	}
}

func TestFederatedError(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	state := b.begin()
	a := b.get("/callback?error=access_denied&state="+state, crossSite)
	if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "the provider says access_denied") {
		t.Errorf("the console's own words do not arrive: %d %s", a.StatusCode, a.body)
	}
	if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusForbidden || b.user() != "-" {
		t.Errorf("the state counts after an error: %d", a.StatusCode)
	}
	if a := b.comeBack(b.begin(), "good-alice"); a.StatusCode != http.StatusFound || b.user() != "alice" {
		t.Errorf("trying again: %d", a.StatusCode)
	}
}

// TestFederatedOtherWaysBack: answers that cannot be watched are not begun,
// and the operator reads why.
func TestFederatedOtherWaysBack(t *testing.T) {
	for what, query := range map[string]string{
		"form_post": "response_type=code&response_mode=form_post&state=STATE",
		"fragment":  "response_type=code&response_mode=fragment&state=STATE",
		"implicit":  "response_type=id_token&state=STATE",
		"hybrid":    "response_type=code+id_token&state=STATE",
		"two types": "response_type=code&response_type=token&state=STATE",
		"no state":  "response_type=code",
		"two":       "response_type=code&state=STATE&state=other",
		"pushed":    "client_id=wiki&request_uri=urn:x",
		"signed":    "client_id=wiki&request=ey.ey.ey",
	} {
		t.Run(what, func(t *testing.T) {
			r := newFederated(t)
			r.ssoWiki(issuer + "/auth?" + query)
			b := r.browser()
			a := b.get("/sso")
			if a.StatusCode != http.StatusBadGateway || a.Header.Get("Location") != "" || len(b.starts()) != 0 {
				t.Errorf("the person is sent away all the same: %d %v", a.StatusCode, a.Header)
			}
			if last := r.trail()[0]; last.Event != audit.LoginUnclear || !strings.Contains(fmt.Sprint(last), issuer) {
				t.Errorf("the trail says %v", last)
			}
		})
	}
}

func TestFederatedCallbackByForm(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	state := b.begin()
	r.console.got()
	if a := b.post("/callback", "state="+state+"&code=good-alice", crossSite); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a form: %d %s", a.StatusCode, a.body)
	}
	if a := b.post("/callback?state="+state+"&code=good-alice", "", crossSite); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a form with its fields in the address: %d", a.StatusCode)
	}
	for what, uri := range map[string]string{
		"two states": "/callback?state=" + state + "&state=x&code=good-alice",
		"two codes":  "/callback?state=" + state + "&code=good-bob&code=good-alice",
		"an array":   "/callback?state=" + state + "&code[]=good-alice&code=good-bob",
		"a path":     "/callback/../callback?state=" + state + "&code=good-alice",
		"override":   "/callback?_method=POST&state=" + state + "&code=good-alice",
	} {
		if a := b.get(uri, crossSite); a.StatusCode/100 == 3 || a.StatusCode == http.StatusOK {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
	if got := r.console.got(); len(got) != 0 {
		t.Errorf("the console got %d of them", len(got))
	}
	if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusFound {
		t.Errorf("the state was spent by what never was a callback: %d", a.StatusCode)
	}
}

// TestFederatedOnlyByPageLoads: other sites can let a browser fetch pictures
// and frames, and would spend what its person began.
func TestFederatedOnlyByPageLoads(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	state := b.begin()
	r.console.got()
	for _, headers := range [][]string{
		{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"},
		{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"},
	} {
		if a := b.fetch("/callback?state="+state+"&code=good-alice", append(headers, crossSite)...); a.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", headers, a.StatusCode)
		}
	}
	if len(r.console.got()) != 0 {
		t.Error("the console got one")
	}
	if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusFound {
		t.Errorf("they spent it: %d", a.StatusCode)
	}
}

// TestFederatedHidesNoLocalLogin: who knows a password must not pass it off
// as an issuer's answer.
func TestFederatedHidesNoLocalLogin(t *testing.T) {
	r := newFederated(t, func(s *gateway.Site) { slices.Reverse(s.Console.Logins) })
	r.bind("alice")
	b := r.browser()
	state := b.begin()
	r.console.got()
	if a := b.comeBack(state, "x&u=alice&p=pw-alice"); a.StatusCode != http.StatusForbidden || len(r.console.got()) != 0 {
		t.Errorf("in the address: %d", a.StatusCode)
	}
	b.jar["u"], b.jar["p"] = "alice", "pw-alice"
	b.comeBack(b.begin(), "good-alice", "X-Api-Token: "+secret+"-alice", "Authorization: Basic YTpi")
	for _, q := range r.console.got() {
		if q.URL.Path != "/callback" {
			continue
		}
		if _, err := q.Cookie("u"); err == nil || q.Header.Get("X-Api-Token")+q.Header.Get("Authorization") != "" {
			t.Errorf("the console got %v", q.Header)
		}
	}
}

// TestFederatedLeavesNothingToALocalLogin in the same browser.
func TestFederatedLeavesNothingToALocalLogin(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	b.comeBack(b.begin(), "good-alice")
	if b.user() != "alice" {
		t.Fatal("she is not in")
	}
	// Nobody ever bound a factor: a password alone must not either.
	if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" || b.user() != "-" {
		t.Errorf("who only ever came through the issuer signs in by password: %d", a.StatusCode)
	}
	if page := b.get("/.stepgate/challenge").body; !strings.Contains(page, "ticket") || strings.Contains(page, "code1") {
		t.Errorf("she may bind without a ticket: %s", page)
	}
	r.bind("bob")
	b = r.browser()
	b.comeBack(b.begin(), "good-bob")
	if b.user() != "bob" {
		t.Fatal("he is not in")
	}
	if a := b.password("bob"); a.Header.Get("Location") != "/.stepgate/challenge" || b.user() != "-" {
		t.Errorf("a local login after a federated one is not challenged: %d %v", a.StatusCode, a.Header)
	}
}

func TestFederatedSkipNever(t *testing.T) {
	r := newFederated(t, func(s *gateway.Site) {
		s.Skips[firstfactor.SourceFederated] = policy.Skip{Mode: policy.SkipNever}
	})
	key := r.bind("alice")
	b := r.browser()
	if a := b.comeBack(b.begin(), "good-alice"); a.Header.Get("Location") != "/.stepgate/challenge" || b.user() != "-" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	b.answer(b.formID(), "code="+code(t, key, b.clock()))
	if b.user() != "alice" {
		t.Error("the challenge does not let her in")
	}
}

// TestFederatedInsideASession: the console's session is over before ours, and
// it sends the person to the issuer.
func TestFederatedInsideASession(t *testing.T) {
	r := newFederated(t)
	b := r.verified("alice")
	if a := b.comeBack(b.begin(), "good-bob"); a.StatusCode != http.StatusFound || b.user() != "bob" {
		t.Errorf("%d", a.StatusCode)
	}
	b = r.browser()
	b.login = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	b.signIn("alice", b.login)
	r.ssoWiki(issuer + "/consent?request_uri=urn:x")
	if a := b.get("/sso"); a.StatusCode != http.StatusFound {
		t.Errorf("within a session the console may ask the issuer for anything: %d", a.StatusCode)
	}
}

func TestFederatedStoreFault(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	state := b.begin()
	r.console.got()
	r.faults.set("accounts.SpendID", false)
	if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusServiceUnavailable || len(r.console.got()) != 0 {
		t.Errorf("%d", a.StatusCode)
	}
}

// TestFederatedSessionBeforeThePerson: a console that opens its session before
// the person came cannot be told from one that signs somebody in.
func TestFederatedSessionBeforeThePerson(t *testing.T) {
	r := newFederated(t)
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=nobody."+secret)
		w.Header().Set("Location", strings.ReplaceAll(authorize, "STATE", "state-of-nobody"))
		w.WriteHeader(http.StatusFound)
	})
	b := r.browser()
	if a := b.get("/sso"); a.StatusCode != http.StatusBadGateway || !strings.Contains(fmt.Sprint(r.trail()[0]), "session_cookie") {
		t.Errorf("%d, %v", a.StatusCode, r.trail()[0])
	}
	b.clean("a session before the person")
}

// TestFederatedHasNoBody: an issuer's redirect has none, and a console may
// find a local login in it, of whatever kind and method.
func TestFederatedHasNoBody(t *testing.T) {
	r := newFederated(t)
	b := r.browser()
	state := b.begin()
	r.console.got()
	for _, kind := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", ""} {
		a := b.send("GET", "/callback?state="+state+"&code=good-alice", `{"u":"alice","p":"pw-alice"}`,
			"Content-Type: "+kind, crossSite, "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
		if a.StatusCode != http.StatusBadRequest || len(r.console.got()) != 0 {
			t.Errorf("%q: %d", kind, a.StatusCode)
		}
	}
	if a := b.comeBack(state, "good-alice"); a.StatusCode != http.StatusFound {
		t.Errorf("they spent it: %d", a.StatusCode)
	}
}

// TestFederatedStartsStaySmall: consoles put whole addresses into their
// states, and all that a browser keeps goes with each request.
func TestFederatedStartsStaySmall(t *testing.T) {
	r := newFederated(t)
	long := strings.Repeat("x", 5000)
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/callback" {
			w.Header().Add("Set-Cookie", r.console.wiki.cookie("alice")+"; Path=/")
			http.Redirect(w, q, "/home", http.StatusFound)
			return
		}
		w.Header().Set("Location", strings.ReplaceAll(authorize, "STATE", long))
		w.WriteHeader(http.StatusFound)
	})
	b := r.browser()
	b.begin()
	for _, name := range b.starts() {
		if size := len(name + b.jar[name]); size > 512 {
			t.Errorf("a start takes %d bytes", size)
		}
	}
	if a := b.comeBack(long[1:], "good-alice"); a.StatusCode != http.StatusForbidden {
		t.Errorf("another state: %d", a.StatusCode)
	}
	if a := b.comeBack(long, "good-alice"); a.StatusCode != http.StatusFound {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestFederatedVoidsNoMoreThanItKeeps: who collects starts must not have one
// login write them all into the store.
func TestFederatedVoidsNoMoreThanItKeeps(t *testing.T) {
	r := newFederated(t)
	many := r.browser()
	for range 50 {
		b := r.browser()
		b.begin()
		maps.Copy(many.jar, b.jar)
	}
	r.faults.set("", false)
	many.post("/login", "u=alice&p=wrong")
	if n := r.faults.count("accounts.SpendID"); n == 0 || n > 10 {
		t.Errorf("a login spends %d starts", n)
	}
}

// TestFederatedStateIsTheConsolesOwn: a console that leads anywhere leads to
// its issuer too, with a state that whoever made the link knows.
func TestFederatedStateIsTheConsolesOwn(t *testing.T) {
	r := newFederated(t)
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/callback" { // and it does not look at the state
			w.Header().Add("Set-Cookie", r.console.wiki.cookie("alice")+"; Path=/")
			http.Redirect(w, q, "/home", http.StatusFound)
			return
		}
		w.Header().Set("Location", q.FormValue("next"))
		w.WriteHeader(http.StatusFound)
	})
	b := r.browser()
	for _, state := range []string{"planted", "a b/%", "s"} {
		to := issuer + "/auth?response_type=code&state=" + url.QueryEscape(state)
		a := b.get("/sso?next="+url.QueryEscape(to), crossSite)
		if a.StatusCode != http.StatusBadGateway || len(b.starts()) != 0 {
			t.Errorf("%q: %d %v", state, a.StatusCode, a.Header)
		}
		r.console.got()
		if a := b.comeBack(url.QueryEscape(state), "x"); a.StatusCode != http.StatusForbidden || len(r.console.got()) != 0 {
			t.Errorf("%q: the callback: %d", state, a.StatusCode)
		}
	}
}
