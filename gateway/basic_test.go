package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
)

const script = "Sec-Fetch-Mode: cors"

// basic is the header line of a person, whose password is made of the name.
func basic(name string) string {
	return "Authorization: Basic " + pair(name, "pw-"+strings.ToLower(name))
}

func pair(name, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
}

// broker is a console that is told who somebody is with each request, does
// not care about the case of names, and does anything at once.
func broker(w http.ResponseWriter, r *http.Request) {
	name, password, _ := r.BasicAuth()
	name = strings.ToLower(name)
	if password != "pw-"+name {
		w.Header().Set("WWW-Authenticate", `Basic realm="the broker's own"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"wrong"}`))
		return
	}
	if r.URL.Path == "/whoami" {
		_ = json.NewEncoder(w).Encode(map[string]string{"name": name})
		return
	}
	_, _ = fmt.Fprintf(w, "%s %s %s for %q", protected, r.Method, r.URL.Path, name)
}

func newBasicRig(t testing.TB, change ...func(*firstfactor.Console)) *rig {
	t.Helper()
	whoami := firstfactor.Condition{Probe: "/whoami"}
	site := firstfactor.Console{
		LoginPage: "/public/",
		Logins: []firstfactor.Login{{Match: match.Match{Paths: []string{"*"}}, Username: firstfactor.Field{Basic: true},
			Success: whoami}},
		Subject: &firstfactor.Subject{Probe: "/whoami", JSON: "/name"},
		Public:  match.Matches{{Paths: []string{"/public/*"}}},
	}
	for _, c := range change {
		c(&site)
	}
	r := newRig(t, func(s *gateway.Site) { s.Console = &site })
	r.console.answers(broker)
	return r
}

// passBasic goes the whole way, and leaves a verified browser.
func (r *rig) passBasic(name string) *browser {
	r.t.Helper()
	b := r.browser()
	b.login = r.bind(name)
	if a := b.fetch("/api", basic(name)); a.StatusCode != http.StatusUnauthorized {
		r.t.Fatalf("a first request: %d %s", a.StatusCode, a.body)
	}
	b.answerCode()
	r.console.got()
	return b
}

func (b *browser) answerCode() {
	b.t.Helper()
	b.sleep(30 * time.Second)
	if a := b.answer(b.formID(), "code="+code(b.t, b.login, b.clock())); a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("code: %d %s", a.StatusCode, a.body)
	}
}

// whom is whom the console does a request for, "-" for nobody.
func (b *browser) whom(headers ...string) string {
	b.t.Helper()
	_, name, found := strings.Cut(b.fetch("/api/queues/%2F/q", headers...).body, protected+" GET /api/queues///q for ")
	if !found {
		return "-"
	}
	return strings.Trim(name, `"`)
}

// TestBasicOnlyTheProbe: before the second factor the console gets one GET
// with nothing of the request but its credentials.
func TestBasicOnlyTheProbe(t *testing.T) {
	r := newBasicRig(t)
	r.bind("alice")
	b := r.browser()
	a := b.send("DELETE", "/api/queues/%2F/all?really=yes", `{"all":true}`, basic("alice"), "Content-Type: application/json",
		"X-Vhost: /", "X-Http-Method-Override: PUT", "Referer: http://wiki.test/from", "Cookie: other=1")
	b.clean("a request with good credentials")
	seen := r.console.got()
	if len(seen) != 1 || seen[0].Method != "GET" || seen[0].URL.String() != "/whoami" || seen[0].ContentLength != 0 {
		t.Fatalf("the console got %+v", seen)
	}
	if len(seen[0].Header) != 1 || seen[0].Header.Get("Authorization") != strings.TrimPrefix(basic("alice"), "Authorization: ") {
		t.Errorf("the probe brought %v", seen[0].Header)
	}
	if a.StatusCode != 401 || !strings.Contains(a.body, `"challenge_url":"/.stepgate/challenge"`) || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the answer is %d %s", a.StatusCode, a.body)
	}
	if strings.Contains(a.raw, "Basic") {
		t.Errorf("the answer makes browsers ask for a password: %v", a.Header)
	}
	for range 3 { // the pending session with the same credentials
		b.send("POST", "/api", "x=1", basic("alice"))
		b.fetch("/api", basic("alice"))
		b.get("/api", basic("alice"))
	}
	b.clean("pending")
	if seen := r.console.got(); len(seen) != 0 {
		t.Errorf("pending requests reach the console: %v", seen[0].URL)
	}
}

// TestBasicWholeWay: after the pass the value is the session's, whatever
// method and path, and the name is the console's own.
func TestBasicWholeWay(t *testing.T) {
	r := newBasicRig(t)
	b := r.browser()
	b.login = r.bind("alice")
	a := b.fetch("/api", basic("ALICE"), "Referer: http://wiki.test/ui?x=1")
	if a.StatusCode != 401 {
		t.Fatalf("a first request: %d %s", a.StatusCode, a.body)
	}
	b.sleep(30 * time.Second)
	a = b.answer(b.formID(), "code="+code(t, b.login, r.clock()))
	if a.Header.Get("Location") != "/ui?x=1" {
		t.Errorf("after the pass the browser goes to %q", a.Header.Get("Location"))
	}
	if got := b.whom(basic("ALICE")); got != "alice" {
		t.Errorf("the console knows %q", got)
	}
	if a := b.send("PUT", "/api/x", "{}", basic("ALICE")); !strings.Contains(a.body, "PUT /api/x") {
		t.Errorf("a PUT: %d %s", a.StatusCode, a.body)
	}
	if got := r.events(); !slices.Equal(got, []audit.Event{audit.ChallengeAsked, audit.ChallengePassed}) {
		t.Errorf("the trail is %v", got)
	}
	for _, rec := range r.trail() {
		if rec.Subject != subject("alice") {
			t.Errorf("the trail names %v", rec.Subject)
		}
	}
	if got := b.whom(); got != "-" { // without credentials the console knows nobody
		t.Errorf("the console knows %q", got)
	}
}

// TestBasicIsBound: the value opens nothing without the session, the session
// nothing with another value, and neither after the end.
func TestBasicIsBound(t *testing.T) {
	r := newBasicRig(t)
	b := r.passBasic("alice")
	if got := r.browser().whom(basic("alice")); got != "-" {
		t.Errorf("a stranger with the password is %q", got)
	}
	other := b.copy()
	r.console.got()
	if got := other.whom("Authorization: Bearer "+pair("bob", "pw-bob"), "Proxy-Authorization: Basic "+pair("bob", "pw-bob")); got != "-" {
		t.Errorf("another scheme makes %q", got)
	}
	for _, q := range r.console.got() {
		if len(q.Header["Authorization"])+len(q.Header["Proxy-Authorization"]) > 0 {
			t.Errorf("the console got %v", q.Header)
		}
	}
	r.sleep(25 * time.Hour)
	for _, old := range []*browser{b, other} {
		if got := old.whom(basic("alice")); got != "-" {
			t.Errorf("after the session's end the browser is %q", got)
		}
	}
}

// TestBasicAnotherPerson: another value in a verified session is a login of
// whoever it names, who inherits nothing.
func TestBasicAnotherPerson(t *testing.T) {
	r := newBasicRig(t)
	b := r.passBasic("alice")
	r.bind("bob")
	kept := b.copy()
	a := b.send("DELETE", "/api", "", basic("bob"))
	b.clean("another person's credentials")
	if seen := r.console.got(); a.StatusCode != 401 || len(seen) != 1 || seen[0].URL.Path != "/whoami" {
		t.Errorf("another person's request: %d, the console got %d", a.StatusCode, len(seen))
	}
	r.sleep(6 * time.Minute) // until then alice would not be asked again in her browser
	for who, b := range map[string]*browser{"bob's": b, "alice's": kept} {
		for _, name := range []string{"alice", "bob"} {
			if got := b.whom(basic(name)); got != "-" {
				t.Errorf("%s browser with the password of %s is %q", who, name, got)
			}
		}
	}
}

// TestBasicWrongPassword is answered as the console answers it, and ends no
// session; only a page load brings a browser's dialog.
func TestBasicWrongPassword(t *testing.T) {
	r := newBasicRig(t)
	b := r.passBasic("alice")
	wrong := "Authorization: Basic " + pair("alice", "guess")
	for what, c := range map[string]struct {
		headers []string
		asks    string
	}{
		"a script":  {[]string{script}, `Stepgate realm="wiki"`},
		"a program": {nil, `Basic realm="the broker's own"`},
		"a page":    {page, `Basic realm="the broker's own"`},
	} {
		for _, b := range []*browser{r.browser(), b} {
			a := b.send("GET", "/api", "", append(slices.Clone(c.headers), wrong)...)
			if a.StatusCode != 401 || a.body != `{"error":"wrong"}` || a.Header.Get("WWW-Authenticate") != c.asks {
				t.Errorf("%s: %d %v %s", what, a.StatusCode, a.Header, a.body)
			}
			if len(a.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s: a cookie is set", what)
			}
		}
	}
	for _, q := range r.console.got() {
		if q.URL.Path != "/whoami" {
			t.Errorf("the console got %s", q.URL)
		}
	}
	if got := b.whom(basic("alice")); got != "alice" {
		t.Errorf("after a wrong password the session is %q's", got)
	}
}

// TestBasicUnclear: what is neither yes nor no is withheld.
func TestBasicUnclear(t *testing.T) {
	for what, h := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a fault":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, protected, http.StatusInternalServerError) },
		"nobody":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"user":"alice"}`)) },
		"two names":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":"alice","name":"bob"}`)) },
		"no text":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":["alice"]}`)) },
		"no name":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":""}`)) },
		"a page":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + protected)) },
	} {
		r := newBasicRig(t)
		r.console.answers(h)
		b := r.browser()
		if a := b.fetch("/api", basic("alice")); a.StatusCode != http.StatusBadGateway || len(a.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
		b.clean(what)
	}
}

// TestBasicMalformed: what can be read in two ways, or not at all, is refused
// and reaches nobody, from strangers and from who is verified.
func TestBasicMalformed(t *testing.T) {
	r := newBasicRig(t)
	in := r.passBasic("alice")
	good := pair("alice", "pw-alice")
	for what, headers := range map[string][]string{
		"two headers":         {basic("alice"), basic("alice")},
		"two people":          {basic("alice"), basic("bob")},
		"two schemes":         {"Authorization: Bearer x", basic("bob")},
		"a list":              {basic("alice") + ", Bearer x"},
		"nothing":             {"Authorization: Basic"},
		"blanks":              {"Authorization: Basic    "},
		"a tab":               {"Authorization: Basic\t" + good},
		"no base64":           {"Authorization: Basic alice:pw-alice"},
		"cut":                 {"Authorization: Basic " + strings.TrimRight(good, "=")[:len(good)-3]},
		"with a blank":        {"Authorization: Basic " + good[:4] + " " + good[4:]},
		"for addresses":       {"Authorization: Basic " + base64.URLEncoding.EncodeToString([]byte("alice:\xc3\xbf\xc3\xbf\xc3\xbf>?"))},
		"stray bits":          {"Authorization: Basic YTpi" + "YR=="},
		"no colon":            {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice"))},
		"no name":             {"Authorization: Basic " + pair("", "pw-")},
		"Latin-1":             {"Authorization: Basic " + pair("al\xefce", "pw")},
		"a line break":        {"Authorization: Basic " + pair("alice\n", "pw-alice")},
		"a NUL":               {"Authorization: Basic " + pair("alice\x00", "pw-alice")},
		"C1 control":          {"Authorization: Basic " + pair("alice\u0085", "pw-alice")},
		"a password with BEL": {"Authorization: Basic " + pair("alice", "pw\a")},
		"too long":            {"Authorization: Basic " + pair("alice", strings.Repeat("x", 8<<10))},
	} {
		for _, b := range []*browser{r.browser(), in} {
			a := b.fetch("/api", headers...)
			if a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
			}
			b.clean(what)
		}
	}
	a := r.browser().fetch("http://alice:pw-alice@wiki.test/api")
	if a.StatusCode != http.StatusBadRequest {
		t.Errorf("credentials in the address: %d %s", a.StatusCode, a.body)
	}
	if seen := r.console.got(); len(seen) != 0 {
		t.Errorf("the console got %v %v", seen[0].URL, seen[0].Header)
	}
	if a := r.browser().fetch("/api", "Authorization: null"); a.StatusCode != 401 || !strings.Contains(a.body, "no_session") {
		t.Errorf("another scheme: %d %s", a.StatusCode, a.body)
	}
}

// TestBasicPublicIsAnonymous: where anybody may come, credentials are taken
// off, and prove nothing.
func TestBasicPublicIsAnonymous(t *testing.T) {
	r := newBasicRig(t)
	r.bind("alice")
	in := r.passBasic("bob")
	for _, b := range []*browser{r.browser(), in} {
		b.fetch("/public/logo", basic("alice"))
		seen := r.console.got()
		if len(seen) != 1 || seen[0].URL.Path != "/public/logo" || len(seen[0].Header["Authorization"]) > 0 {
			t.Errorf("the console got %+v", seen)
		}
		if a := b.fetch("/public/logo", basic("alice"), "Authorization: x"); a.StatusCode != http.StatusBadRequest {
			t.Errorf("two headers: %d", a.StatusCode)
		}
	}
	if got := in.whom(basic("bob")); got != "bob" {
		t.Errorf("the session is %q's", got)
	}
}

// TestBasicCrossSite: another site cannot sign a browser in as its own person,
// by an address with credentials in it.
func TestBasicCrossSite(t *testing.T) {
	r := newBasicRig(t)
	in := r.passBasic("alice")
	r.bind("mallory")
	for _, b := range []*browser{r.browser(), in} {
		a := b.get("/api", basic("mallory"), "Sec-Fetch-Site: cross-site")
		if a.StatusCode != http.StatusForbidden || len(r.console.got()) != 0 {
			t.Errorf("from another site: %d", a.StatusCode)
		}
	}
	if got := in.whom(basic("alice")); got != "alice" {
		t.Errorf("the session is %q's", got)
	}
}

// TestBasicParallel: a page's requests, all at once and without our cookie
// yet, are one probe and one challenge.
func TestBasicParallel(t *testing.T) {
	r := newBasicRig(t)
	r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(200 * time.Millisecond)
		broker(w, q)
	})
	b := r.browser()
	answers := b.atOnce(20, func(b *browser) *reply { return b.fetch("/api/x", script, basic("alice")) })
	cookies := 0
	for _, a := range answers {
		if a.StatusCode != 401 || !strings.Contains(a.body, "challenge_url") {
			t.Errorf("an answer is %d %s", a.StatusCode, a.body)
		}
		cookies += len(a.Header["Set-Cookie"])
	}
	if seen := r.console.got(); len(seen) != 1 || cookies != 1 {
		t.Errorf("%d probes, %d cookies", len(seen), cookies)
	}
	if got := r.events(); !slices.Equal(got, []audit.Event{audit.ChallengeAsked}) {
		t.Errorf("the trail is %v", got)
	}
	// One that lags behind, and one of another browser, which needs its own.
	late := r.browser().fetch("/api/x", script, basic("alice"))
	other := r.browser().fetch("/api/x", script, basic("alice"), "User-Agent: another")
	if len(late.Header["Set-Cookie"]) != 0 || len(other.Header["Set-Cookie"]) != 1 {
		t.Errorf("late %v, other %v", late.Header, other.Header)
	}
	r.sleep(time.Minute)
	if again := r.browser().fetch("/api/x", script, basic("alice")); len(again.Header["Set-Cookie"]) != 1 {
		t.Errorf("a minute later there is no challenge of its own: %v", again.Header)
	}
}

// TestBasicParallelWrong: wrong guesses at once are one probe, and never good.
func TestBasicParallelWrong(t *testing.T) {
	r := newBasicRig(t)
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(200 * time.Millisecond)
		broker(w, q)
	})
	b := r.browser()
	for _, a := range b.atOnce(20, func(b *browser) *reply {
		return b.fetch("/api", "Authorization: Basic "+pair("alice", "guess"))
	}) {
		if a.StatusCode != 401 || a.body != `{"error":"wrong"}` {
			t.Errorf("an answer is %d %s", a.StatusCode, a.body)
		}
	}
	if seen := r.console.got(); len(seen) != 1 {
		t.Errorf("%d probes", len(seen))
	}
	b.fetch("/api", "Authorization: Basic "+pair("alice", "guess"))
	if seen := r.console.got(); len(seen) != 1 {
		t.Errorf("a guess afterwards is %d probes: it was remembered", len(seen))
	}
}

// atOnce sends the same from one browser, many times in parallel.
func (b *browser) atOnce(n int, send func(*browser) *reply) []*reply {
	b.t.Helper()
	answers := make([]*reply, n)
	var sending sync.WaitGroup
	for i := range answers {
		c := b.copy()
		sending.Go(func() { answers[i] = send(c) })
	}
	sending.Wait()
	return answers
}

// TestBasicProbeEndsWithItsClient: who goes away leaves the console no work.
func TestBasicProbeEndsWithItsClient(t *testing.T) {
	r := newBasicRig(t)
	asked, ended := make(chan struct{}), make(chan struct{})
	r.console.answers(func(_ http.ResponseWriter, q *http.Request) {
		close(asked)
		<-q.Context().Done()
		close(ended)
	})
	ctx := t.Context()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/api", nil)
	check(t, err)
	q.SetBasicAuth("alice", "pw-alice")
	client := &http.Client{Timeout: 500 * time.Millisecond}
	if _, err := client.Do(q); err == nil {
		t.Fatal("there is an answer")
	}
	<-asked
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the probe goes on")
	}
}

// TestBasicAgainAtOnce: who passed minutes ago and signs in anew in the same
// browser is not asked again, and the request goes on as it came.
func TestBasicAgainAtOnce(t *testing.T) {
	r := newBasicRig(t)
	b := r.passBasic("alice")
	b.jar = map[string]string{"__Host-stepgate-browser": b.jar["__Host-stepgate-browser"]}
	a := b.send("PUT", "/api/x", "{}", basic("alice"))
	if a.StatusCode != 200 || !strings.Contains(a.body, "PUT /api/x") || a.Header.Get("Cache-Control") != "private" {
		t.Fatalf("again: %d %v %s", a.StatusCode, a.Header, a.body)
	}
	if got := b.whom(basic("alice")); got != "alice" {
		t.Errorf("then the console knows %q", got)
	}
	b.jar = map[string]string{"__Host-stepgate-browser": b.jar["__Host-stepgate-browser"]}
	r.sleep(2 * time.Second)
	r.console.got()
	for _, a := range b.atOnce(10, func(b *browser) *reply { return b.fetch("/api/y", basic("alice")) }) {
		if a.StatusCode != 200 || !strings.Contains(a.body, "GET /api/y") {
			t.Errorf("at once: %d %s", a.StatusCode, a.body)
		}
	}
	r.sleep(6 * time.Minute)
	if a := b.fetch("/api/z", basic("alice")); a.StatusCode != 401 {
		t.Errorf("minutes later: %d %s", a.StatusCode, a.body)
	}
}

// TestBasicHoldCookies: the probe's own path may be answered at once, for a
// script that waits for it, and nothing else is open by that.
func TestBasicHoldCookies(t *testing.T) {
	r := newBasicRig(t, func(c *firstfactor.Console) {
		first := firstfactor.Login{Match: match.Match{Methods: []string{"GET"}, Paths: []string{"/whoami"}},
			Username: firstfactor.Field{Basic: true}, Success: c.Logins[0].Success, Hold: firstfactor.HoldCookies}
		c.Logins = append([]firstfactor.Login{first}, c.Logins...)
		c.Problem = map[string]string{"error": "not_authorized", "reason": "{detail}"}
	})
	r.bind("alice")
	b := r.browser()
	a := b.fetch("/whoami", script, basic("alice"))
	if a.StatusCode != 200 || strings.TrimSpace(a.body) != `{"name":"alice"}` || b.jar["__Host-stepgate-wiki"] == "" {
		t.Fatalf("the probe's path: %d %s", a.StatusCode, a.body)
	}
	a = b.fetch("/api", script, basic("alice"))
	if a.StatusCode != 401 || !strings.Contains(a.body, `"error":"not_authorized"`) || !strings.Contains(a.body, "reload this page") {
		t.Errorf("the next call: %d %s", a.StatusCode, a.body)
	}
	if a := b.fetch("/api", basic("alice")); !strings.Contains(a.body, `"reason":"challenge_pending"`) {
		t.Errorf("a program is told %s", a.body)
	}
	if a := b.get("/public/"); a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("a reload: %d %v", a.StatusCode, a.Header)
	}
	b.clean("hold cookies")
}

// TestBasicDialog: a console without a login page has the browser ask, in the
// console's realm, and the person comes back to the page that was wanted.
func TestBasicDialog(t *testing.T) {
	r := newBasicRig(t, func(c *firstfactor.Console) { c.LoginPage = "" })
	b := r.browser()
	b.login = r.bind("alice")
	a := b.get("/api/list?page=2")
	if a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != `Basic realm="the broker's own"` || !strings.Contains(a.body, "<html") {
		t.Fatalf("a page load: %d %v", a.StatusCode, a.Header)
	}
	if a := b.fetch("/api/list", script); a.StatusCode != 401 || strings.Contains(a.raw, "Basic") {
		t.Errorf("a script: %d %v", a.StatusCode, a.Header)
	}
	for _, q := range r.console.got() {
		if q.URL.Path != "/whoami" {
			t.Errorf("the console got %s", q.URL)
		}
	}
	a = b.get("/api/list?page=2", basic("alice"))
	if a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("with credentials: %d %v", a.StatusCode, a.Header)
	}
	b.sleep(30 * time.Second)
	a = b.answer(b.formID(), "code="+code(t, b.login, r.clock()), basic("alice"))
	if a.Header.Get("Location") != "/api/list?page=2" {
		t.Errorf("after the pass: %d %v", a.StatusCode, a.Header)
	}
	if a := b.get("/api/list?page=2", basic("alice")); !strings.Contains(a.body, protected) {
		t.Errorf("the page that was wanted: %d %s", a.StatusCode, a.body)
	}
}

// TestBasicInTheQuery: a field in which the console takes the same value is
// only for the session that it belongs to.
func TestBasicInTheQuery(t *testing.T) {
	r := newBasicRig(t, func(c *firstfactor.Console) { c.SessionFields = []string{"auth"} })
	in := r.passBasic("alice")
	mine, other := url.QueryEscape(pair("alice", "pw-alice")), url.QueryEscape(pair("bob", "pw-bob"))
	for uri, want := range map[string]int{"/api?auth=" + mine: 401, "/api?auth=" + other: 403, "/api?auth=" + mine + "&auth=" + other: 403, "/public/?auth=" + other: 403} {
		r.console.got()
		a := in.fetch(uri) // 401 is the console's, which is asked without the header
		if seen := r.console.got(); a.StatusCode != want || (want != 401) == (len(seen) > 0) {
			t.Errorf("%s: %d, the console got %d", uri, a.StatusCode, len(seen))
		}
	}
	stranger := r.browser()
	for _, uri := range []string{"/api?auth=" + mine, "/public/?auth=" + mine} {
		stranger.get(uri)
		if seen := r.console.got(); len(seen) > 0 {
			t.Errorf("%s of a stranger reaches the console", uri)
		}
	}
}

// TestBasicPagesAreAskedForAgain: a page that a browser would take from its
// cache would not lead to the challenge.
func TestBasicPagesAreAskedForAgain(t *testing.T) {
	r := newBasicRig(t)
	in := r.passBasic("alice")
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = w.Write([]byte("a page"))
	}
	r.console.answers(answer)
	if a := r.browser().get("/public/"); a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("a stranger's page: %v", a.Header)
	}
	if a := in.get("/public/"); a.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("a page: %v", a.Header)
	}
	if a := r.browser().fetch("/public/logo"); a.Header.Get("Cache-Control") != "" {
		t.Errorf("an asset: %v", a.Header)
	}
}

// TestBasicObserved: a site that is only watched gets each request as it came,
// and its credentials are judged beside it, not with each call.
func TestBasicObserved(t *testing.T) {
	r := newBasicRig(t)
	r.site.Observe = r.clock().Add(24 * time.Hour)
	r.forgetNear()
	b := r.browser()
	for range 5 {
		if a := b.send("PUT", "/api/x", "{}", basic("alice")); a.StatusCode != 200 || !strings.Contains(a.body, "PUT /api/x") {
			t.Errorf("observed: %d %s", a.StatusCode, a.body)
		}
	}
	var paths []string
	for _, q := range r.console.got() {
		paths = append(paths, q.URL.Path)
	}
	if !slices.Equal(paths, []string{"/whoami", "/api/x", "/api/x", "/api/x", "/api/x", "/api/x"}) {
		t.Errorf("the console got %v", paths)
	}
}
