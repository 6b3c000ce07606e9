package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// Base is the path that Stepgate owns on each protected host.
const Base = "/.stepgate"

// Gateway guards one site.
type Gateway struct {
	site        Site
	svc         Services
	pages       *templates.Set
	meter       Meter
	log         *slog.Logger
	recent      *recent
	flights     *flights
	cookie      string            // how the session's begins
	sources     map[string]string // whose people each proves
	identity    *match.Names      // headers that only we, or a source, may say
	credentials *match.Names      // headers by which the console could know a person
	heeded      *match.Names      // and all others that are looked for
}

// New makes the gateway of a site.
func New(site Site, svc Services, pages *templates.Set, meter Meter, log *slog.Logger) *Gateway {
	credentials, identity := match.NewNames(site.Console.CredentialHeaders()...), identityHeaders
	for _, source := range site.Asserted {
		identity = identity.With(match.NewNames(spoken(source)...))
	}
	return &Gateway{site: site, svc: svc, pages: pages, meter: meter, log: log, recent: newRecent(), flights: newFlights(), sources: site.sources(),
		cookie: sessions.CookieName(site.Name) + "=", identity: identity,
		credentials: credentials, heeded: credentials.With(identity).With(match.Overrides)}
}

// spoken are a source's headers that mean nothing but a person. Authorization
// may hold something else, and is a credential anyhow.
func spoken(source firstfactor.Asserter) []string {
	return slices.DeleteFunc(slices.Clone(source.Headers()), func(name string) bool { return name == "Authorization" })
}

// Next forwards to the console.
type Next func(http.ResponseWriter, *http.Request) error

// Arrival is what the server knows of a request and the request does not say.
type Arrival struct {
	Received *url.URL // before rewrites
	Address  string   // the client's
	Secure   bool     // over TLS, or on a loopback name
	// Subrequest makes a request for another path of the same console, which
	// the next handler will serve.
	Subrequest func(r *http.Request, path string) *http.Request
}

// visit is one request on its way. What it takes lies in it, for one
// allocation; it may outlive the request, as streams do.
type visit struct {
	*match.Request
	read      match.Request
	answer    answer
	private   [1]string // Cache-Control
	opened    [1]string // Cookie
	heads     heads
	w         http.ResponseWriter
	next      Next
	at        Arrival
	cookie    string
	sent      []string // the cookie lines as the browser sent them
	ambiguous bool
	session   *sessions.Session // nil at level none
	over      bool              // the session was ended on the way
	attempt   *firstfactor.Attempt
	mark      *sessions.Browser
	marking   *http.Cookie // gives the mark to the browser
	messages  *frames      // what the client sends over a WebSocket
	asserted  *asserted    // nil where no source proves people by their requests
}

// ServeHTTP guards one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request, at Arrival, next Next) error {
	v := &visit{w: w, next: next, at: at, heads: g.heed(r.Header)}
	v.Request = &v.read
	err := v.read.Read(r, at.Received, v.heads.override)
	if len(g.site.Asserted) > 0 {
		v.asserted = g.assert(r)
	}
	if err == nil {
		err = g.stripIdentity(r, v.heads.identity)
	}
	if err != nil && g.observing() {
		g.log.Warn("observing: would refuse", "site", g.site.Name, "error", err)
		g.site.Console.RemoveOurs(r.Header)
		return next(w, r)
	}
	if err != nil {
		v.Request = &match.Request{Request: r}
		return g.malformed(v, err)
	}
	onlyWebSockets(r)
	if v.Under(Base) {
		return g.own(v)
	}
	if g.observing() {
		return g.observe(v)
	}
	return g.guard(v)
}

func (g *Gateway) guard(v *visit) error {
	d, err := g.decide(v)
	if err != nil {
		return g.fault(v, err)
	}
	return g.act(v, d)
}

func (g *Gateway) decide(v *visit) (policy.Decision, error) {
	facts, err := g.facts(v)
	if err != nil {
		return policy.Decision{}, err
	}
	d := policy.Decide(facts)
	g.meter.Decided(d.Outcome)
	return d, nil
}

func (g *Gateway) act(v *visit, d policy.Decision) error {
	if !v.at.Secure && (v.navigates() || d.Outcome != policy.Anonymous) && d.Outcome != policy.Bypass {
		return g.plainHTTP(v)
	}
	if err := g.ownFields(v, d.Outcome); err != nil {
		return g.fault(v, err)
	}
	switch d.Outcome {
	case policy.Pass:
		return g.pass(v)
	case policy.Anonymous:
		return g.anonymous(v)
	case policy.Bypass:
		return g.bypass(v, d)
	case policy.Watch:
		return g.login(v)
	case policy.Challenge:
		return g.toChallenge(v, d)
	case policy.SignIn:
		if v.asserted.names() {
			return g.signOn(v)
		}
		return g.toSignIn(v, d)
	default:
		return g.deny(v, d)
	}
}

// facts gathers what the decision rests on.
func (g *Gateway) facts(v *visit) (f policy.Facts, err error) {
	f = policy.Facts{Stage: policy.AtRequest, Rules: g.site.Rules}
	for i := range g.site.Bypass {
		if g.site.Bypass[i].Match.Every(v.Request) {
			f.Bypass = g.site.Bypass[i].Name
			return f, nil
		}
	}
	if err := g.identify(v.Context(), v); err != nil {
		return f, err
	}
	f.Forged = v.asserted != nil && v.asserted.forged != nil
	f.Ambiguous = v.ambiguous
	if v.session != nil {
		f.Level = v.session.Level
	}
	if f.Refused = g.refuses(v.Request); f.Refused {
		return f, nil
	}
	if !v.verified() { // with a second factor both decide nothing
		f.Public, f.Navigation = g.public(v.Request), v.navigates()
	}
	v.attempt, err = g.attemptOf(v)
	f.Login = v.attempt != nil
	return f, err
}

func (g *Gateway) refuses(q *match.Request) bool {
	return g.site.Refuse.Any(q) || g.site.Console.Refuse.Any(q)
}

// public holds for what public names, and for what protect leaves out. A
// tunnel (RFC 8441) is neither: nobody could look into it.
func (g *Gateway) public(q *match.Request) bool {
	if q.Method == http.MethodConnect {
		return false
	}
	if g.site.Public.All(q) || g.site.Console.Public.All(q) {
		return true
	}
	return len(g.site.Protect) > 0 && !g.site.Protect.Any(q) && q.Safe()
}

// identify finds the session of a request, which what it asserts must agree
// with.
func (g *Gateway) identify(ctx context.Context, v *visit) error {
	if err := g.recognize(ctx, v); err != nil || v.asserted == nil {
		return err
	}
	return g.compare(v)
}

// recognize finds the session of the request's cookie.
func (g *Gateway) recognize(ctx context.Context, v *visit) error {
	v.sent = v.Header["Cookie"]
	v.cookie, v.ambiguous = onlyCookie(v.sent, g.cookie)
	if v.cookie == "" || v.ambiguous {
		return nil
	}
	live, err := g.svc.Sessions.Find(ctx, g.site.Name, v.cookie)
	if errors.Is(err, sessions.ErrNotFound) || err == nil && !g.counts(live) {
		return nil
	}
	v.session = live
	return err
}

// browser is the browser of a visit, also after its cookies were made the
// console's.
func (g *Gateway) browser(v *visit) sessions.Browser {
	return g.svc.Sessions.BrowserOf(&http.Request{Header: http.Header{"Cookie": v.sent}})
}

// storeTimeout bounds what a request waits for a store: a fault is a denial
// within two seconds.
const storeTimeout = 2 * time.Second

// detached is a context for what must be finished although the client went.
func detached(r *http.Request, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
}
