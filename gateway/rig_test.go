package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/selfservice"
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
	post     postbox
	plain    atomic.Bool // requests come over plain HTTP
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
		Rules: policy.Rules{LoginProtection: policy.Required, Factors: []identity.Factor{identity.TOTP}, Enroll: policy.EnrollAtLogin}}
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
			Budgets: faultyBudgets{people.Budgets(), r.faults}, Trail: trail, Ring: r.ring, Issuer: "Test", Log: slog.New(slog.DiscardHandler), Now: r.clock,
			Book: &contacts.Book{Ring: r.ring, Courier: &r.post, Writer: pages(r.t), Budgets: people.Budgets(), Log: slog.New(slog.DiscardHandler), Now: r.clock}}}
	r.svc.Security = &selfservice.Service{Accounts: store, Sessions: r.sessions, Trail: trail, Past: people.Audit(),
		Ring: r.ring, Book: r.svc.Flow.Book, Now: r.clock}
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

func (r *rig) clock() time.Time { return time.Unix(0, r.now.Load()).UTC() }

func (r *rig) sleep(d time.Duration) { r.now.Add(int64(d)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type noMeter struct{}

func (noMeter) Decided(policy.Outcome) {}

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
