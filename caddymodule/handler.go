package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
)

func init() { caddy.RegisterModule(new(Handler)) }

// Handler protects one console: the requests that reach it pass only with a
// second factor, or as its rules say.
type Handler struct {
	// Name is the site's name, by which sessions are keyed. Required; letters,
	// digits, - and _.
	Name string `json:"name"`
	// Realm is the directory of people. Default: the site's name.
	Realm string `json:"realm,omitempty"`
	// Protect are the requests that need a second factor; any reading of a
	// request counts. Default: all.
	Protect match.Matches `json:"protect,omitempty"`
	// Public are requests that anybody may send, without any session of the
	// console; they must match under every reading. GET and HEAD unless a rule
	// names methods.
	Public match.Matches `json:"public,omitempty"`
	// Logout are the console's logouts, besides its deleting of the cookie.
	Logout match.Matches `json:"logout,omitempty"`
	// Refuse are requests that nobody may send, verified or not; any reading of
	// a request counts, and only a bypass lets one through.
	Refuse match.Matches `json:"refuse,omitempty"`
	// Bypass are requests that pass as they come, audited by name.
	Bypass []Bypass `json:"bypass,omitempty"`
	// Observe is a day (2006-01-02, UTC) until which the site is only watched:
	// decisions are logged and nothing is refused.
	Observe string `json:"observe,omitempty"`
	// Origin is the site's own address, as https://wiki.example.com: for what
	// leads people here from elsewhere.
	Origin string `json:"origin,omitempty"`
	// AllowGroups are the groups whose people may come. Default: everybody
	// whom a source proves.
	AllowGroups []string `json:"allow_groups,omitempty"`
	// FirstFactor says how people prove who they are: at least one way. The
	// order is that of the buttons.
	FirstFactor []Source `json:"first_factor"`
	// Policy of this site; what it leaves out comes from the app's.
	Policy Policy `json:"policy,omitzero"`

	app     *App
	site    gateway.Site
	log     *slog.Logger
	waiting *gateway.Gateway // answers until the stores are there
	gateway atomic.Pointer[gateway.Gateway]
}

// Bypass is a rule with a name for the audit trail.
type Bypass struct {
	// Name is what the audit trail calls it.
	Name string `json:"name"`
	match.Match
}

// CaddyModule implements caddy.Module.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.stepgate", New: func() caddy.Module { return new(Handler) }}
}

// Provision checks the site and compiles its rules.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	app, err := ctx.App("stepgate")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	if err := h.fillSources(); err != nil {
		return fmt.Errorf("stepgate %s: %w", h.Name, err)
	}
	if h.site, err = h.build(); err != nil {
		return fmt.Errorf("stepgate %s: %w", h.Name, err)
	}
	if err := h.openSources(ctx); err != nil {
		return fmt.Errorf("stepgate %s: %w", h.Name, err)
	}
	if err := h.app.claim(h); err != nil {
		return err
	}
	h.app.own.add(h)
	if err := compileAll(ctx, &h.site); err != nil {
		return fmt.Errorf("stepgate %s: %w", h.Name, err)
	}
	h.waiting = gateway.New(h.site, gateway.Services{Now: time.Now}, h.app.pages, h.app.meters.site(h.Name), h.log)
	for _, note := range h.site.Console.Notes {
		h.log.Info("preset", "site", h.Name, "preset", h.site.Console.Preset, "note", note)
	}
	for _, warning := range h.machines(h.site.Console) {
		h.log.Warn("machines", "site", h.Name, "preset", h.site.Console.Preset, "warning", warning)
	}
	return nil
}

// build checks the configuration and turns it into a site. It touches no
// store and needs no Caddy, so that the Caddyfile's parser can call it where
// it still knows file and line.
func (h *Handler) build() (gateway.Site, error) {
	none := gateway.Site{}
	realm := h.realm()
	until, err := h.observeUntil()
	if err := errors.Join(checkName(h.Name), checkName(realm), h.Policy.check(), h.checkRules(), checkOrigin(h.Origin), err); err != nil {
		return none, err
	}
	site := gateway.Site{Name: h.Name, Realm: realm, Origin: h.Origin, Console: new(firstfactor.Console), Observe: until, Allow: h.AllowGroups,
		Protect: h.Protect, Public: h.Public, Logout: h.Logout, Refuse: h.Refuse, Skips: make(map[string]policy.Skip)}
	if err := h.joinSources(&site); err != nil {
		return none, err
	}
	for _, b := range h.Bypass {
		site.Bypass = append(site.Bypass, gateway.Bypass{Name: b.Name, Match: b.Match})
	}
	return site, nil
}

// realm is the directory of the site's people.
func (h *Handler) realm() string { return cmp.Or(h.Realm, h.Name) }

func (h *Handler) checkRules() error {
	var errs []error
	check := func(word string, m match.Match) {
		if err := m.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", word, err))
		}
	}
	for word, rules := range map[string]match.Matches{"protect": h.Protect, "public": h.Public, "logout": h.Logout, "refuse": h.Refuse} {
		for _, m := range rules {
			check(word, m)
		}
	}
	for _, b := range h.Bypass {
		if b.Name == "" {
			errs = append(errs, errors.New("bypass: give it a name, which the audit trail shows"))
		}
		check("bypass", b.Match)
	}
	return errors.Join(errs...)
}

func (h *Handler) observeUntil() (time.Time, error) {
	if h.Observe == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(time.DateOnly, h.Observe)
	if err != nil {
		return until, fmt.Errorf("observe: %q is not a day like 2026-12-01", h.Observe)
	}
	return until, nil
}

func checkName(name string) error {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	bad := strings.ContainsFunc(name, func(r rune) bool { return !valid(r) })
	if name == "" || bad || len(name) > 64 || name == "browser" || name == "language" {
		return fmt.Errorf("the name %q: use up to 64 letters, digits, - and _, and neither browser nor language", name)
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	g := h.ready(r.Context())
	if g == nil {
		return h.waiting.Unavailable(w, r, arrival(r))
	}
	deepen(false)
	return g.ServeHTTP(w, r, arrival(r), function(next))
}

// function is the next handler's. Routes are functions already, of which a
// method value would be another one, on the heap.
func function(next caddyhttp.Handler) gateway.Next {
	if f, ok := next.(caddyhttp.HandlerFunc); ok {
		return gateway.Next(f)
	}
	return next.ServeHTTP
}

// ready is the gateway as soon as the app has started.
func (h *Handler) ready(ctx context.Context) *gateway.Gateway {
	if g := h.gateway.Load(); g != nil {
		return g
	}
	shared := h.app.await(ctx)
	if shared == nil {
		return nil
	}
	p, _ := h.app.policies(h)
	site := h.site
	site.Rules, site.Groups = h.app.rules(p.Demands), h.app.groupRules(h)
	site.Members, site.RPID = h.app.members(site.Realm), h.app.rpID(site.Realm)
	site.Links = h.app.links(h)
	site.Idle, site.Life = time.Duration(p.SessionIdle), time.Duration(p.SessionLifetime)
	h.gateway.CompareAndSwap(nil, gateway.New(site, *shared, h.app.pages, h.app.meters.site(h.Name), h.log))
	return h.gateway.Load()
}

// arrival is what Caddy knows of a request.
func arrival(r *http.Request) gateway.Arrival {
	at := gateway.Arrival{Secure: secure(r), Subrequest: subrequest}
	at.Address, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if before, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		at.Received = before.URL
	}
	return at
}

// secure tells whether the browser's connection is one that it gives __Host-
// cookies over: TLS, also in front of a trusted proxy, or its own machine.
func secure(r *http.Request) bool {
	if r.TLS != nil || loopback(r.Host) {
		return true
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted && r.Header.Get("X-Forwarded-Proto") == "https"
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

// subrequest is a GET of another path, as if it had just arrived.
func subrequest(r *http.Request, path string) *http.Request {
	sub := r.Clone(r.Context())
	sub.Method, sub.Body, sub.ContentLength = http.MethodGet, http.NoBody, 0
	sub.Header = http.Header{"Accept": {"application/json, */*"}, "User-Agent": r.Header["User-Agent"]}
	if u, err := r.URL.Parse(path); err == nil {
		sub.URL, sub.RequestURI = u, u.RequestURI()
	}
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return caddyhttp.PrepareRequest(sub, caddy.NewReplacer(), nil, server)
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
