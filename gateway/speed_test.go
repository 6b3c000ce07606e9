package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
)

// verifiedAllocations is what Stepgate may allocate for a verified page load
// with a sealed console cookie. It is a bound on what `go run ./bench` weighs.
//
// One is the visit. The test's own two are the header's line and the method
// value of console.
const verifiedAllocations = 3

func TestVerifiedRequestAllocatesLittle(t *testing.T) {
	v := newVerified(t)
	if n := testing.AllocsPerRun(1000, func() { v.visit(t) }); n > verifiedAllocations {
		t.Errorf("%v allocations, %d are allowed", n, verifiedAllocations)
	}
	if v.store.asked != 0 {
		t.Errorf("the store was asked %d times", v.store.asked)
	}
}

func BenchmarkVerifiedRequest(b *testing.B) {
	v := newVerified(b)
	b.ReportAllocs()
	for b.Loop() {
		v.visit(b)
	}
}

// verified is a gateway with a verified session, and a page load of it.
type verified struct {
	gateway *Gateway
	store   *countedStore
	request *http.Request
	cookies string
	session string // the value of ours
	got     string // the cookies that the console got
	w       discarded
}

const consoleSession = "console_session=9f86d081884c7d65"

func newVerified(t testing.TB) *verified {
	t.Helper()
	file, err := sqlite.OpenSessions(filepath.Join(t.TempDir(), "sessions.db"))
	fatal(t, err)
	t.Cleanup(func() { _ = file.Close() })
	key, err := seal.NewKey("k")
	fatal(t, err)
	ring, err := seal.NewRing("k", key)
	fatal(t, err)
	v := &verified{store: &countedStore{Store: file}, w: discarded{http.Header{}}}
	people, err := sqlite.OpenAccounts(filepath.Join(t.TempDir(), "accounts.db"))
	fatal(t, err)
	t.Cleanup(func() { _ = people.Close() })
	live, err := sessions.New(sessions.Options{Store: v.store, Ledger: accounts.Ledger{Store: people}, Ring: ring, Now: time.Now})
	fatal(t, err)
	t.Cleanup(live.Close)
	v.gateway = New(speedSite(t), Services{Sessions: live, Now: time.Now,
		Escrow: escrow.New(countedEscrows{file.Escrows(), &v.store.asked}, people, time.Now)}, nil, noMeter{}, slog.New(slog.DiscardHandler))
	v.signIn(t, live)
	v.request, err = http.NewRequest(http.MethodGet, "http://localhost/projects/42", nil)
	fatal(t, err)
	v.request.Header = http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/html"}, "Accept-Language": {"en"},
		"Accept-Encoding": {"gzip"}, "Sec-Ch-Ua": {"Chromium"}, "Sec-Ch-Ua-Mobile": {"?0"}, "Sec-Ch-Ua-Platform": {"Linux"},
		"Upgrade-Insecure-Requests": {"1"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-User": {"?1"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "X-Requested-By": {"a page"}}
	v.visit(t)
	return v
}

// signIn gives the browser the cookies of a verified one.
func (v *verified) signIn(t testing.TB, live *sessions.Sessions) {
	t.Helper()
	now := time.Now()
	who, err := identity.NewSubject("console", "alice")
	fatal(t, err)
	first, _, err := live.Begin(sessions.Record{Site: "console", Source: "console", Subject: who,
		Challenge: "c", BeganAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour})
	fatal(t, err)
	fatal(t, live.Start(t.Context(), first))
	raised, ck, err := live.Raise(t.Context(), first, sessions.Raised{Idle: time.Hour, Life: time.Hour})
	fatal(t, err)
	h := http.Header{"Set-Cookie": {consoleSession}}
	v.gateway.site.Console.SealCookies(h, firstfactor.Keeper{Site: "console", Boxes: raised.Cookies}, now)
	v.session = ck.Value
	v.cookies = "theme=dark; " + ck.Name + "=" + ck.Value + "; " + h.Get("Set-Cookie")
}

// visit loads a page, and fails if it did not reach the console as it should.
func (v *verified) visit(t testing.TB) {
	clear(v.w.h)
	v.request.Header["Cookie"] = []string{v.cookies}
	if err := v.gateway.ServeHTTP(v.w, v.request, Arrival{Secure: true}, v.console); err != nil {
		t.Fatal(err)
	}
	if v.got != "theme=dark; "+consoleSession || len(v.w.h["Cache-Control"]) != 1 {
		t.Fatalf("the console got %q, the browser %v", v.got, v.w.h)
	}
}

// console is the next handler.
func (v *verified) console(w http.ResponseWriter, r *http.Request) error {
	v.got = r.Header["Cookie"][0]
	w.Header()["Content-Length"] = bodyLength
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

var (
	body       = make([]byte, 1024)
	bodyLength = []string{"1024"}
)

// speedSite has a rule of every kind.
func speedSite(t testing.TB) Site {
	t.Helper()
	console := &firstfactor.Console{
		LoginPage: "/login",
		Logins: []firstfactor.Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/login"}},
			Username: firstfactor.Field{Form: "user"}, Success: firstfactor.Condition{SetCookies: []string{"console_session"}}}},
		Subject:        &firstfactor.Subject{Probe: "/whoami", JSON: "/user"},
		SessionCookies: []string{"console_session"}, SessionHeaders: []string{"Authorization"},
		Logout: match.Matches{{Methods: []string{"POST"}, Paths: []string{"/logout"}}},
		Public: match.Matches{{Paths: []string{"/style.css", "/icon.svg"}}},
	}
	fatal(t, console.Prepare())
	return Site{Name: "console", Realm: "console", Console: console, Idle: time.Hour, Life: time.Hour,
		Rules: policy.Rules{LoginProtection: policy.Required, Factors: []identity.Factor{identity.TOTP}, Enroll: policy.EnrollAtLogin}}
}

// countedStore counts what must not happen for each request.
type countedStore struct {
	sessions.Store
	asked int
}

func (s *countedStore) Find(ctx context.Context, id sessions.ID, now time.Time) (sessions.Record, error) {
	s.asked++
	return s.Store.Find(ctx, id, now)
}

type countedEscrows struct {
	escrow.Store
	asked *int
}

func (s countedEscrows) Take(ctx context.Context, id string, now time.Time) ([]byte, error) {
	*s.asked++
	return s.Store.Take(ctx, id, now)
}

// discarded is a writer that costs nothing itself.
type discarded struct{ h http.Header }

func (d discarded) Header() http.Header         { return d.h }
func (d discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d discarded) WriteHeader(int)             {}

type noMeter struct{}

func (noMeter) Decided(policy.Outcome)          {}
func (noMeter) LoginJudged(firstfactor.Outcome) {}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
