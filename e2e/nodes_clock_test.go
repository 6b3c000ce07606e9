//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/postgres"
	"github.com/stepgate/stepgate/store/redis"
	"github.com/stepgate/stepgate/templates"
)

// clockNode is a gateway in this process, with a clock of its own. A process of its own would have the machine's clock:
// the program asks the kernel without a library in between that could tell it another time.
type clockNode struct {
	url   string
	off   time.Duration // from the right time
	moved *atomic.Int64 // how long all nodes together have slept
}

func (c *clockNode) now() time.Time { return time.Now().Add(c.off + time.Duration(c.moved.Load())) }

type unmetered struct{}

func (unmetered) Decided(policy.Outcome)          {}
func (unmetered) LoginJudged(firstfactor.Outcome) {}

// startClockNode runs a gateway over the stores of others.
func startClockNode(t *testing.T, console *Streaming, r *Redis, p *Postgres, off time.Duration, moved *atomic.Int64) *clockNode {
	t.Helper()
	c := &clockNode{off: off, moved: moved}
	site := gateway.Site{Name: "console", Realm: "console", Console: clockConsole(), Idle: 10 * time.Minute, Life: 8 * time.Hour,
		Rules: policy.Rules{LoginProtection: policy.Required, Factors: []identity.Factor{identity.TOTP}, Enroll: policy.EnrollAtLogin}}
	pages, err := templates.New(templates.Options{Base: gateway.Base})
	for _, err := range []error{err, site.Console.Prepare()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	g := gateway.New(site, c.services(t, r, p), pages, unmetered{}, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(clockHandler(g, console.pages))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func clockConsole() *firstfactor.Console {
	return &firstfactor.Console{
		LoginPage: "/login",
		Logins: []firstfactor.Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/login"}}, Username: firstfactor.Field{Form: "user"},
			Success: firstfactor.Condition{SetCookies: []string{"console_session"}}, Failure: firstfactor.Condition{Status: []int{401}}}},
		Subject:        &firstfactor.Subject{Probe: "/whoami", JSON: "/user"},
		SessionCookies: []string{"console_session"},
		Logout:         match.Matches{{Paths: []string{"/logout"}}},
	}
}

func (c *clockNode) services(t *testing.T, r *Redis, p *Postgres) gateway.Services {
	t.Helper()
	live, err := redis.Open(redis.Options{Addrs: []string{r.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	people, err := postgres.Open(p.DSN(), PostgresPassword)
	if err == nil {
		err = people.Ready(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{7}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sessions.New(sessions.Options{Store: live, Feed: live, Ledger: accounts.Ledger{Store: people}, Ring: ring, Now: c.now,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		live.Close()
		people.Close()
	})
	return gateway.Services{Sessions: s, Accounts: people, Trail: people.Audit(), Now: c.now,
		Escrow: escrow.New(live.Escrows(), people, c.now),
		Flow: &challenge.Flow{Accounts: people, Challenges: live.Challenges(), Budgets: people.Budgets(), Trail: people.Audit(),
			Ring: ring, Issuer: "Test", Log: slog.New(slog.DiscardHandler), Now: c.now},
		Security: &selfservice.Service{Accounts: people, Sessions: s, Trail: people.Audit(), Past: people.Audit(), Ring: ring, Now: c.now}}
}

func clockHandler(g *gateway.Gateway, console http.Handler) http.Handler {
	sub := func(r *http.Request, path string) *http.Request {
		probe := r.Clone(r.Context())
		probe.Method, probe.Body, probe.ContentLength, probe.Header = http.MethodGet, http.NoBody, 0, http.Header{}
		probe.URL = &url.URL{Path: path}
		return probe
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := func(w http.ResponseWriter, r *http.Request) error {
			console.ServeHTTP(w, r)
			return nil
		}
		if err := g.ServeHTTP(w, r, gateway.Arrival{Address: "192.0.2.1", Secure: true, Subrequest: sub}, next); err != nil {
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}
	})
}

// TestNodesClocks: of two nodes whose clocks differ by a minute, one is half a minute slow and the other half a minute
// fast. Both take the codes of the right time, each once; sessions are neither lost nor found between them.
func TestNodesClocks(t *testing.T) {
	console, r, p := StartStreaming(t), StartRedis(t, RedisOptions{}), StartPostgres(t)
	moved := new(atomic.Int64)
	slow := startClockNode(t, console, r, p, -30*time.Second, moved)
	fast := startClockNode(t, console, r, p, 30*time.Second, moved)
	wait := func(d time.Duration) { moved.Add(int64(d)) }

	for name, way := range map[string][2]*clockNode{"slow then fast": {slow, fast}, "fast then slow": {fast, slow}} {
		t.Run(name, func(t *testing.T) {
			one, other := way[0], way[1]
			v := newVisitor(t, strings.ReplaceAll(name, " ", "-"))
			v.enrollAt(moved, one.url, other.url)
			v.mustSee(one.url)
			v.mustSee(other.url)
			wait(2 * time.Minute)
			spent := v.passAt(moved, other.url, one.url)
			v.mustNotPassAgain(spent, one.url, other.url)
			for range 6 { // used at one node only: alive at both
				wait(5 * time.Minute)
				v.mustSee(one.url)
				time.Sleep(writtenDown)
			}
			v.mustSee(other.url)
			wait(12 * time.Minute) // idle for longer than the ten minutes and the difference
			for _, node := range way {
				if v.sees(node.url) {
					t.Errorf("alive at %v although it was idle for too long", node.off)
				}
			}
			wait(2 * time.Minute)
			v.passAt(moved, one.url, other.url)
			stolen := v.copy()
			stolen.mustSee(other.url)
			v.signOut(one.url)
			eventually(t, "over at the other node", time.Second, func() bool { return !stolen.sees(other.url) })
		})
	}
	t.Run("a WebSocket", func(t *testing.T) { clockSocket(t, wait, moved, fast, slow) })
	t.Run("wrong codes", func(t *testing.T) { clockBudget(t, p, moved, slow, fast) })
}

// writtenDown is how long a use of a session may wait for others before the stores hear of it.
const writtenDown = 1300 * time.Millisecond

// steady waits until a step has just begun at all nodes: half a minute apart each, they begin together.
func steady(moved *atomic.Int64) {
	into := time.Duration(time.Now().UnixNano()+moved.Load()) % period
	moved.Add(int64(period - into))
}

func codeAt(t testing.TB, v *visitor, moved *atomic.Int64, step int) string {
	return Oathtool(t, v.key, time.Now().Add(time.Duration(moved.Load())+time.Duration(step)*period))
}

// enrollAt binds with the codes of the right time: those of this step and the one before.
func (v *visitor) enrollAt(moved *atomic.Int64, login, pass string) {
	v.t.Helper()
	steady(moved)
	v.signIn(login)
	id := v.challenge(pass)
	v.mustPass(v.send(pass, http.MethodPost, "/.stepgate/challenge",
		url.Values{"challenge": {id}, "code1": {codeAt(v.t, v, moved, -1)}, "code2": {codeAt(v.t, v, moved, 0)}}))
}

// passAt passes with the code of the right time, and returns it.
func (v *visitor) passAt(moved *atomic.Int64, login, pass string) (code string) {
	v.t.Helper()
	stranger := newVisitor(v.t, v.name)
	stranger.key = v.key
	steady(moved)
	stranger.signIn(login)
	id := stranger.challenge(pass)
	code = codeAt(v.t, v, moved, 0)
	stranger.mustPass(stranger.send(pass, http.MethodPost, "/.stepgate/challenge", url.Values{"challenge": {id}, "code": {code}}))
	v.cookies = stranger.cookies
	return code
}

// mustNotPassAgain tries a code that was used, at each node.
func (v *visitor) mustNotPassAgain(code string, nodes ...string) {
	v.t.Helper()
	for _, at := range nodes {
		again := newVisitor(v.t, v.name)
		again.signIn(at)
		a := again.send(at, http.MethodPost, "/.stepgate/challenge", url.Values{"challenge": {again.challenge(at)}, "code": {code}})
		if passed(a) || again.sees(at) {
			v.t.Errorf("a code passes twice: %s", a.Status)
		}
	}
}

// clockBudget guesses at both nodes in turn: ten guesses are compared in all.
func clockBudget(t *testing.T, p *Postgres, moved *atomic.Int64, nodes ...*clockNode) {
	v := newVisitor(t, "guessed")
	v.enrollAt(moved, nodes[0].url, nodes[1].url)
	for i := range 16 {
		at := nodes[i%2].url
		guesser := newVisitor(t, v.name)
		guesser.signIn(at)
		guesser.send(at, http.MethodPost, "/.stepgate/challenge", url.Values{"challenge": {guesser.challenge(at)}, "code": {fmt.Sprintf("%06d", i)}})
	}
	if compared := p.SQL("SELECT count(*) FROM audit WHERE event = 'challenge.failed' AND name = 'guessed'"); compared != "10" {
		t.Errorf("%s guesses were compared", compared)
	}
}

// clockSocket keeps a session alive on both nodes by what is sent on one's WebSocket, for longer than it may be idle,
// and then sends nothing: it is cut.
func clockSocket(t *testing.T, wait func(time.Duration), moved *atomic.Int64, at, other *clockNode) {
	v := newVisitor(t, "typist")
	v.enrollAt(moved, at.url, other.url)
	address, _ := url.Parse(at.url)
	port, _ := strconv.Atoi(address.Port())
	s := webSocket(t, &Gateway{values: values{Port: port}}, v)
	for sent := range 5 {
		wait(8 * time.Minute)
		io.WriteString(s.out, "typing")
		eventually(t, "what was sent", time.Second, func() bool { return s.got.Load() == int64((sent+1)*len("typing")) })
		time.Sleep(writtenDown)
	}
	time.Sleep(time.Second) // open streams are looked at more often
	if !s.open() {
		t.Error("cut although somebody types")
	}
	v.mustSee(other.url)
	wait(12 * time.Minute)
	if _, ok := s.endsWithin(cutWithin); !ok {
		t.Error("open although its session was idle for too long")
	}
}
