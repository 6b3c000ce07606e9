package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
	"github.com/stepgate/stepgate/templates"
)

// The marks that the tests look for in every byte that a client receives: of
// a credential of the console, and of content that needs a second factor.
const (
	secret    = "s3cr3t"
	protected = "PROTECTED"
)

// rig is a gateway with its real stores and pages before a console.
type rig struct {
	t        testing.TB
	now      atomic.Int64
	console  *console
	site     gateway.Site
	gateway  *gateway.Gateway
	server   *httptest.Server
	faults   *faults
	accounts *sqlite.Accounts
	sessions *sessions.Sessions
	store    sessions.Store
	svc      gateway.Services
	ring     *seal.Ring
	received atomic.Pointer[url.URL] // what the request was before a rewrite
	rewrite  func(*url.URL)          // what stands before us makes of a request
	plain    atomic.Bool             // requests come over plain HTTP
}

// wiki is a console that names the person in its cookie.
func wiki() firstfactor.Console {
	return firstfactor.Console{
		LoginPage: "/login?return={return}",
		Logins: []firstfactor.Login{{Match: match.Match{Paths: []string{"*"}}, Username: firstfactor.Field{Form: "u"},
			Success: firstfactor.Condition{SetCookies: []string{"auth"}}, Failure: firstfactor.Condition{Status: []int{403}}}},
		Subject:        &firstfactor.Subject{Cookie: "auth", Pattern: `^([^.]+)\.`},
		SessionCookies: []string{"auth"},
		SessionHeaders: []string{"X-Api-Token"},
		Public:         match.Matches{{Paths: []string{"/public/*"}}, {Methods: []string{"POST"}, Paths: []string{"/hook"}}},
		Logout:         match.Matches{{Paths: []string{"/logout"}}},
	}
}

func newRig(t testing.TB, change ...func(*gateway.Site)) *rig {
	t.Helper()
	r := &rig{t: t, console: &console{}, faults: &faults{calls: map[string]int{}}, ring: newRing(t)}
	r.now.Store(time.Date(2026, 12, 1, 9, 0, 5, 0, time.UTC).UnixNano())
	site := wiki()
	r.site = gateway.Site{Name: "wiki", Realm: "staff", Console: &site, Idle: time.Hour, Life: 24 * time.Hour,
		Rules: policy.Rules{LoginProtection: policy.Required, Factors: []identity.Factor{identity.TOTP}}}
	for _, c := range change {
		c(&r.site)
	}
	check(t, r.site.Console.Prepare())
	r.gateway = gateway.New(r.site, r.services(t.TempDir()), pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.server.Start()
	t.Cleanup(r.server.Close)
	return r
}

func newRing(t testing.TB) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{7}})
	check(t, err)
	return ring
}

var pages = func() func(testing.TB) *templates.Set {
	once := sync.OnceValues(func() (*templates.Set, error) { return templates.New(templates.Options{Base: gateway.Base}) })
	return func(t testing.TB) *templates.Set {
		t.Helper()
		set, err := once()
		check(t, err)
		return set
	}
}()

func (r *rig) services(dir string) gateway.Services {
	live, err := sqlite.OpenSessions(filepath.Join(dir, "sessions.db"))
	check(r.t, err)
	people, err := sqlite.OpenAccounts(filepath.Join(dir, "accounts.db"))
	check(r.t, err)
	r.accounts, r.store = people, faultySessions{live, r.faults}
	store, trail := faultyAccounts{people, r.faults}, faultyTrail{people.Audit(), r.faults}
	r.sessions = r.live(store)
	r.t.Cleanup(func() {
		r.sessions.Close()
		_, _ = live.Close(), people.Close()
	})
	r.svc = gateway.Services{Sessions: r.sessions, Accounts: store, Trail: trail, Now: r.clock,
		Escrow: escrow.New(faultyEscrows{live.Escrows(), r.faults}, store, r.clock),
		Flow: &challenge.Flow{Accounts: store, Challenges: faultyChallenges{live.Challenges(), r.faults},
			Budgets: faultyBudgets{people.Budgets(), r.faults}, Trail: trail, Ring: r.ring, Issuer: "Test", Now: r.clock}}
	return r.svc
}

// live is the service over the rig's store.
func (r *rig) live(people accounts.Store) *sessions.Sessions {
	r.t.Helper()
	live, err := sessions.New(sessions.Options{Store: r.store, Ledger: accounts.Ledger{Store: people}, Ring: r.ring, Now: r.clock})
	check(r.t, err)
	return live
}

// forgetNear is what a restart does to the near cache.
func (r *rig) forgetNear() {
	r.t.Helper()
	r.svc.Sessions.Close()
	live := r.live(r.svc.Accounts)
	r.svc.Sessions = live
	r.gateway = gateway.New(r.site, r.svc, pages(r.t), noMeter{}, slog.New(slog.DiscardHandler))
	r.t.Cleanup(live.Close)
}

func (r *rig) clock() time.Time      { return time.Unix(0, r.now.Load()).UTC() }
func (r *rig) sleep(d time.Duration) { r.now.Add(int64(d)) }
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type noMeter struct{}

func (noMeter) Decided(policy.Outcome)          {}
func (noMeter) LoginJudged(firstfactor.Outcome) {}

func (r *rig) serve(w http.ResponseWriter, q *http.Request) {
	at := gateway.Arrival{Address: "192.0.2.1", Secure: !r.plain.Load(), Received: r.received.Load(), Subrequest: subrequest}
	if r.rewrite != nil {
		received := *q.URL
		at.Received = &received
		r.rewrite(q.URL)
		q.RequestURI = q.URL.RequestURI()
	}
	if err := r.gateway.ServeHTTP(w, q, at, r.console.next); err != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
	}
}

func subrequest(r *http.Request, path string) *http.Request {
	sub := r.Clone(r.Context())
	sub.Method, sub.Body, sub.ContentLength, sub.Header = http.MethodGet, http.NoBody, 0, http.Header{}
	sub.URL = &url.URL{Path: path}
	return sub
}

// console is the upstream: it notes what reaches it.
type console struct {
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
	handle http.HandlerFunc // nil: the wiki
	fail   error            // what the proxy says instead of an answer
	wiki   phpWiki
}

func (c *console) next(w http.ResponseWriter, r *http.Request) error {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := r.Clone(context.Background())
	c.mu.Lock()
	c.seen, c.bodies = append(c.seen, seen), append(c.bodies, string(body))
	handle, fail := c.handle, c.fail
	c.mu.Unlock()
	if fail != nil {
		return fail
	}
	if handle == nil {
		handle = c.wiki.ServeHTTP
	}
	handle(w, r)
	return nil
}

func (c *console) answers(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handle = h
}

// got is what reached the console since the last call.
func (c *console) got() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen, c.bodies = nil, nil
	return seen
}

// phpWiki logs in on any address with u and p, knows its cookie under every
// name that PHP folds, and shows its content to anybody.
type phpWiki struct{ logins atomic.Int64 }

func (p *phpWiki) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	name := r.FormValue("u")
	switch {
	case r.URL.Path == "/logout":
		w.Header().Add("Set-Cookie", "auth=deleted; Path=/; Max-Age=0")
		http.Redirect(w, r, "/login", http.StatusFound)
	case name != "" && r.FormValue("p") == "pw-"+name:
		w.Header().Add("Set-Cookie", p.cookie(name)+"; Path=/; HttpOnly")
		w.Header().Add("Set-Cookie", "theme=dark; Path=/")
		http.Redirect(w, r, "/home?id=start", http.StatusFound)
	case name != "":
		w.Header().Add("Set-Cookie", "auth=deleted; Path=/; Max-Age=0")
		http.Error(w, "wrong user name or password", http.StatusForbidden)
	default:
		w.Header().Set("Cache-Control", "public, max-age=600, s-maxage=60")
		_, _ = fmt.Fprintf(w, "%s %s for %q", protected, r.URL.Path, phpUser(r))
	}
}

func (p *phpWiki) cookie(name string) string {
	return fmt.Sprintf("auth=%s.%s-%s-%d", name, secret, name, p.logins.Add(1))
}

// phpUser is whom the wiki takes a request for.
func phpUser(r *http.Request) string {
	for _, line := range r.Header["Cookie"] {
		for _, pair := range strings.FieldsFunc(line, func(c rune) bool { return c == ';' || c == ',' }) {
			name, value, _ := strings.Cut(pair, "=")
			if user, rest, ok := strings.Cut(value, "."); strings.EqualFold(match.FoldName(name), "auth") && ok && strings.HasPrefix(rest, secret) {
				return user
			}
		}
	}
	if user, ok := strings.CutPrefix(r.Header.Get("X-Api-Token"), secret+"-"); ok {
		return user
	}
	return ""
}

// browser is a client that keeps cookies and every byte that it receives.
type browser struct {
	*rig
	jar   map[string]string
	wire  bytes.Buffer
	login string // the code's secret
}

func (r *rig) browser() *browser { return &browser{rig: r, jar: map[string]string{}} }

// copy is another browser with the same cookies: they were stolen.
func (b *browser) copy() *browser {
	c := b.browser()
	for name, value := range b.jar {
		c.jar[name] = value
	}
	return c
}

// reply is an answer as it was received.
type reply struct {
	*http.Response
	body string
	raw  string
}

// page makes a request look like a person's page load.
var page = []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}

func (b *browser) get(uri string, headers ...string) *reply {
	b.t.Helper()
	return b.send("GET", uri, "", append(slices.Clone(page), headers...)...)
}

func (b *browser) fetch(uri string, headers ...string) *reply {
	b.t.Helper()
	return b.send("GET", uri, "", headers...)
}

func (b *browser) post(uri, form string, headers ...string) *reply {
	b.t.Helper()
	return b.send("POST", uri, form, slices.Concat(page, []string{"Content-Type: application/x-www-form-urlencoded"}, headers)...)
}

// send writes a request byte for byte, and keeps the cookies of the answer.
func (b *browser) send(method, uri, body string, headers ...string) *reply {
	b.t.Helper()
	a, err := b.try(method, uri, body, headers...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, uri, err)
	}
	return a
}

func (b *browser) try(method, uri, body string, headers ...string) (*reply, error) {
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, b.request(method, uri, body, headers)); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(conn)
	b.wire.Write(raw)
	if err != nil {
		return nil, err
	}
	return b.read(method, string(raw))
}

func (b *browser) request(method, uri, body string, headers []string) string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: wiki.test\r\n", method, uri)
	for _, h := range headers {
		out.WriteString(h + "\r\n")
	}
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Connection:") }) {
		out.WriteString("Connection: close\r\n")
	}
	if cookies := b.cookies(); cookies != "" {
		out.WriteString("Cookie: " + cookies + "\r\n")
	}
	if body != "" && !slices.Contains(headers, "Transfer-Encoding: chunked") {
		_, _ = fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
	}
	return out.String() + "\r\n" + body
}

func (b *browser) cookies() string {
	var pairs []string
	for name, value := range b.jar {
		pairs = append(pairs, name+"="+value)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "; ")
}

func (b *browser) read(method, raw string) (*reply, error) {
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, fmt.Errorf("%w in %q", err, raw[:min(len(raw), 200)])
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			body, err := io.ReadAll(res.Body)
			b.keep(res)
			return &reply{res, string(body), raw}, err
		}
	}
}

func (b *browser) keep(res *http.Response) {
	for _, line := range res.Header["Set-Cookie"] {
		ck, err := http.ParseSetCookie(line)
		switch {
		case err != nil:
		case ck.MaxAge < 0 || !ck.Expires.IsZero() && ck.Expires.Before(b.clock()):
			delete(b.jar, ck.Name)
		default:
			b.jar[ck.Name] = ck.Value
		}
	}
}

// password sends name and password; the answer is what the gateway makes of
// the console's.
func (b *browser) password(name string) *reply {
	b.t.Helper()
	return b.post("/login", "u="+name+"&p=pw-"+name)
}

var (
	challengeID = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
	keyGroups   = regexp.MustCompile(`(?s)<dd class="key">(.*?)</dd>`)
	tags        = regexp.MustCompile(`<[^>]*>|\s`)
)

// formID is the challenge that the pending page shows.
func (b *browser) formID() string {
	b.t.Helper()
	a := b.get("/.stepgate/challenge")
	m := challengeID.FindStringSubmatch(a.body)
	if m == nil {
		b.t.Fatalf("no challenge in %d %s", a.StatusCode, a.body)
	}
	return m[1]
}

func (b *browser) answer(id, fields string, headers ...string) *reply {
	b.t.Helper()
	return b.post("/.stepgate/challenge", "challenge="+url.QueryEscape(id)+"&"+fields, headers...)
}

// shownKey is the key that an enrollment page shows, "" if none.
func shownKey(body string) string {
	m := keyGroups.FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return tags.ReplaceAllString(m[1], "")
}

func code(t testing.TB, key string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(key, at)
	check(t, err)
	return c
}

// wrong is a code that is none of the key's, now or soon.
func (b *browser) wrong(key string) string {
	for i := 0; ; i++ {
		c := fmt.Sprintf("%06d", i)
		near := false
		for s := -25; s <= 2; s++ {
			near = near || c == code(b.t, key, b.clock().Add(time.Duration(s)*30*time.Second))
		}
		if !near {
			return c
		}
	}
}

// bind gives a person an authenticator, and returns its key.
func (r *rig) bind(name string) string {
	r.t.Helper()
	key := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	who := subject(name)
	c := accounts.Credential{ID: "cred-" + name, Subject: who, Factor: identity.TOTP, Name: "Authenticator", BoundAt: r.clock()}
	c.Secret = r.ring.Seal("credential", []byte(key), c.SecretBinding()...)
	check(r.t, r.accounts.BindFirst(r.t.Context(), c))
	return key
}

func subject(name string) identity.Subject { return identity.Subject{Realm: "staff", Name: name} }

// signIn goes the whole way with one code of key, one step after the last.
func (b *browser) signIn(name, key string) *reply {
	b.t.Helper()
	b.sleep(30 * time.Second)
	if a := b.password(name); a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("login: %d %s", a.StatusCode, a.body)
	}
	a := b.answer(b.formID(), "code="+code(b.t, key, b.clock()))
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("code: %d %s", a.StatusCode, a.body)
	}
	return a
}

// verified is a browser in which a person has passed.
func (r *rig) verified(name string) *browser {
	r.t.Helper()
	b := r.browser()
	b.login = r.bind(name)
	b.signIn(name, b.login)
	return b
}

// user is whom the wiki shows its content to; "-" when nothing is shown.
func (b *browser) user() string {
	b.t.Helper()
	a := b.get("/private")
	if !strings.Contains(a.body, protected) {
		return "-"
	}
	_, name, _ := strings.Cut(a.body, "for ")
	return strings.Trim(name, `"`)
}

// clean fails if the client received a credential or protected content.
func (b *browser) clean(what string) {
	b.t.Helper()
	for _, mark := range []string{secret, protected} {
		if i := bytes.Index(b.wire.Bytes(), []byte(mark)); i >= 0 {
			from := max(0, i-300)
			b.t.Errorf("%s: the client received %q in %q", what, mark, b.wire.Bytes()[from:min(b.wire.Len(), i+60)])
		}
	}
}

// anonymous fails if a credential reached the console.
func (r *rig) anonymous(what string) {
	r.t.Helper()
	for _, q := range r.console.got() {
		for name, values := range q.Header {
			if strings.Contains(strings.Join(values, " "), secret) || strings.Contains(strings.Join(values, " "), "tepgate-") {
				r.t.Errorf("%s: the console got %s: %q", what, name, values)
			}
		}
		if strings.Contains(q.RequestURI, secret) {
			r.t.Errorf("%s: the console got %s", what, q.RequestURI)
		}
	}
}

// trail is everything in the audit trail, newest first.
func (r *rig) trail() []audit.Record {
	r.t.Helper()
	records, err := r.accounts.Audit().Find(r.t.Context(), identity.Subject{}, "", 10_000)
	check(r.t, err)
	return records
}

func (r *rig) events() (events []audit.Event) {
	for _, rec := range r.trail() {
		events = append(events, rec.Event)
	}
	slices.Reverse(events)
	return events
}
