package gateway

import (
	"context"
	"net/http"
	"slices"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
)

// pass forwards a verified request with the console's session, and watches
// the answer: the person inside a session never changes.
func (g *Gateway) pass(v *visit) error {
	if v.session.Waiting != "" && !v.session.Shown.Load() && v.navigates() && v.Safe() {
		if shown, err := g.showHeld(v); shown || err != nil {
			return err
		}
		v.session.Shown.Store(true)
	}
	if err := g.distrust(v); err != nil {
		return g.fault(v, err)
	}
	g.openCookies(v)
	if v.heads.credential {
		g.site.Console.StripHeaders(v.Header, v.session.IssuedToken)
	}
	if g.logout(v) {
		if err := g.end(v, policy.ReasonConsoleLogout); err != nil {
			return g.fault(v, err)
		}
	}
	g.tellConsole(v)
	if tunnels(v.Request.Request) {
		defer g.tunnel(v)()
	}
	a := g.answerTo(v, (*Gateway).onPass)
	defer a.sent()
	if err := g.forward(v, a); err != nil || a.held == nil {
		return err
	}
	return g.changed(v, a)
}

// distrust ends the trust in a person's browsers when they change the console's
// password: who knew the old one may have been in one of them.
func (g *Gateway) distrust(v *visit) error {
	if len(g.site.Console.PasswordChange) == 0 || v.Safe() || !g.site.Console.PasswordChange.Any(v.Request) {
		return nil
	}
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	return g.svc.Accounts.DistrustBrowsers(ctx, v.session.Subject)
}

// ownFields refuses what would reach the console with somebody else's token in
// a field: one that this session's login did not bring.
func (g *Gateway) ownFields(v *visit, what policy.Outcome) error {
	switch {
	case len(g.site.Console.SessionFields) == 0:
		return nil
	case what == policy.Pass:
		return g.site.Console.OwnFields(v.Request, v.session.IssuedToken)
	case what == policy.Anonymous || what == policy.Watch:
		return g.site.Console.OwnFields(v.Request, nil)
	default:
		return nil
	}
}

func (g *Gateway) keeper(v *visit) firstfactor.Keeper {
	return firstfactor.Keeper{Site: g.site.Name, Boxes: v.session.Cookies}
}

// answerTo stands between the console and the client of a visit.
func (g *Gateway) answerTo(v *visit, onHeader func(*Gateway, *visit, *answer)) *answer {
	v.answer = answer{ResponseWriter: v.w, gateway: g, visit: v, onHeader: onHeader}
	return &v.answer
}

// onPass looks at the head of an answer inside a verified session.
func (g *Gateway) onPass(v *visit, a *answer) {
	v.askAgain(a.Header(), askedAgain)
	unshareIn(&v.private, a.Header())
	if g.passing(v, a); a.held == nil {
		g.forgetSession(v, a.Header())
		_ = g.seeStart(v, a) // within a session the console may ask an issuer for other things
	}
}

func (g *Gateway) passing(v *visit, a *answer) {
	h := a.Header()
	if !g.site.Console.Touches(h) {
		return // nothing that could end the session, or change its person
	}
	now := g.svc.Now()
	changes := g.site.Console.Changes(h, now)
	switch {
	case changes.End(): // whoever was named meanwhile, nobody is left
		g.site.Console.SealCookies(h, firstfactor.Keeper{}, now)
		g.left(v)
	case len(changes.Set) > 0 && !g.site.Console.Rolling && !g.samePerson(v, h):
		a.hold()
	default:
		g.site.Console.SealCookies(h, g.keeper(v), now)
	}
}

// samePerson tells whether the answer's head alone names the session's person.
func (g *Gateway) samePerson(v *visit, h http.Header) bool {
	s := g.site.Console.Subject
	if s.Cookie == "" && s.Header == "" {
		return false // only the body or a probe can tell: hold it and ask
	}
	id, ok := g.site.Console.Identify(v.Context(), g.site.Realm, h, nil, g.svc.Now())
	return ok && id.Subject() == v.session.Subject
}

// left ends the session whose cookie the console deletes. The answer is on
// its way: what cannot be ended now has no cookie any more, and expires.
func (g *Gateway) left(v *visit) {
	if err := g.end(v, policy.ReasonCookieDeleted); err != nil {
		g.log.Error("a session whose cookie the console deleted could not be ended", "site", g.site.Name, "error", err)
	}
	v.over = true
}

// forgetSession gives a browser whose session is over the cookie of nobody.
func (g *Gateway) forgetSession(v *visit, h http.Header) {
	if !v.over {
		return
	}
	if ck, err := g.svc.Sessions.Dropped(g.site.Name); err == nil {
		h.Add("Set-Cookie", ck.String())
	}
}

// changed judges a held answer of a verified session: the same person goes
// on, another one is a new login.
func (g *Gateway) changed(v *visit, a *answer) error {
	held, err := a.held.Answer()
	if err != nil {
		return g.unclear(v, err.Error())
	}
	ctx, cancel := detached(v.Request.Request, loginTimeout)
	defer cancel()
	id, ok := g.site.Console.Identify(ctx, g.site.Realm, held.Header, g.prober(v), g.svc.Now())
	switch {
	case ok && id.Subject() == v.session.Subject:
		return g.sendHeld(v, held, g.keeper(v))
	case !ok && v.over && g.onlyCookies(held.Header):
		return g.sendHeld(v, held, firstfactor.Keeper{}) // a logout that hands out a session of nobody
	}
	ending, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := g.record(ending, v, audit.PersonChanged, v.session.Subject, "", policy.Reason{Code: policy.ReasonPersonChanged}); err != nil {
		return g.fault(v, err)
	}
	if err := g.endIn(ending, v, policy.ReasonPersonChanged); err != nil {
		return g.fault(v, err)
	}
	return g.judge(ctx, v, held)
}

func (g *Gateway) sendHeld(v *visit, held escrow.Answer, keeper firstfactor.Keeper) error {
	g.site.Console.SealCookies(held.Header, keeper, g.svc.Now())
	g.forgetSession(v, held.Header)
	held.WriteTo(v.w)
	return nil
}

// onlyCookies tells that an answer's head sets no session but by cookies,
// which can be taken off it.
func (g *Gateway) onlyCookies(h http.Header) bool {
	set := g.site.Console.Changes(h, g.svc.Now()).Set
	return !slices.ContainsFunc(set, func(c firstfactor.Credential) bool { return c.Cookie == "" })
}

// anonymous forwards what is public, without anything that makes the console
// know a person. An answer that signs somebody in is a login all the same.
func (g *Gateway) anonymous(v *visit) error {
	g.anonymize(v.Request.Request)
	if v.Safe() {
		v.Body, v.ContentLength = http.NoBody, 0
		v.Header.Del("Transfer-Encoding")
		v.Header.Del("Content-Length")
	}
	a := g.answerTo(v, (*Gateway).onAnonymous)
	if err := g.forward(v, a); err != nil || a.held == nil {
		return err
	}
	held, err := a.held.Answer()
	if err != nil {
		return g.unclear(v, err.Error())
	}
	if why := g.startDiffers(v, held); why != "" {
		return g.unclear(v, why)
	}
	ctx, cancel := detached(v.Request.Request, loginTimeout)
	defer cancel()
	if err := g.drop(ctx, v); err != nil {
		return g.fault(v, err)
	}
	return g.judge(ctx, v, held)
}

// onAnonymous looks at the head of an answer to nobody. One that sends the
// person where nobody could follow is held as well.
func (g *Gateway) onAnonymous(v *visit, a *answer) {
	if len(g.site.Console.Changes(a.Header(), g.svc.Now()).Set) > 0 {
		a.hold()
		return
	}
	v.askAgain(a.Header(), "no-cache")
	g.site.Console.SealCookies(a.Header(), firstfactor.Keeper{}, g.svc.Now())
	if err := g.seeStart(v, a); err != nil {
		a.hold()
	}
}

// forward has the console answer, and sees to it that even an answer of
// nothing but headers was looked at, and that no credential follows as a
// trailer.
func (g *Gateway) forward(v *visit, a *answer) error {
	if err := v.next(a, v.Request.Request); err != nil {
		return err
	}
	a.look()
	if a.held == nil {
		g.site.Console.StripTrailers(a.Header())
	}
	return nil
}

func (g *Gateway) anonymize(r *http.Request) {
	noUpgrade(r)
	g.site.Console.OpenCookies(r.Header, firstfactor.Keeper{})
	g.site.Console.StripHeaders(r.Header, nil)
	for _, source := range g.site.Asserted {
		source.Withhold(r.Header)
	}
}

// prober asks the console with new credentials and nothing of the browser's.
func (g *Gateway) prober(v *visit) firstfactor.Prober {
	return func(ctx context.Context, path string, with []firstfactor.Credential) (escrow.Answer, error) {
		r := v.at.Subrequest(v.Request.Request, path).WithContext(ctx)
		for _, c := range with {
			g.site.Console.Present(r.Header, c)
		}
		c := escrow.NewCapture(nil)
		if err := v.next(c, r); err != nil {
			return escrow.Answer{}, err
		}
		return c.Answer()
	}
}

func (g *Gateway) logout(v *visit) bool {
	return (len(g.site.Logout) > 0 && g.site.Logout.Any(v.Request)) || g.site.Console.Logout.Any(v.Request)
}
