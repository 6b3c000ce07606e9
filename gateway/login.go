package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// loginTimeout bounds an exchange with the console that goes on although the
// client went away.
const loginTimeout = 60 * time.Second

// errTunnel: what follows in it would be done before any second factor.
var errTunnel = errors.New("a tunnel (RFC 8441) with credentials")

// login forwards a request that signs somebody in and judges the answer. The
// browser is at level none before the console hears of it, and stays there
// if the outcome gets lost.
func (g *Gateway) login(v *visit) error {
	proven, err := g.provesStart(v)
	if err != nil {
		return g.fault(v, err)
	}
	if v.crossSite() && !proven {
		// Another site signs the browser in as somebody: its own person,
		// perhaps, to whom the next work would be attributed.
		return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: "/"},
			policy.Reason{Code: policy.ReasonCrossSite})
	}
	if v.Method == http.MethodConnect {
		return g.malformed(v, errTunnel)
	}
	if v.attempt.Basic != "" {
		return g.basicLogin(v)
	}
	ctx, cancel := detached(v.Request.Request, loginTimeout)
	defer cancel()
	if err := g.drop(ctx, v); err != nil {
		return g.fault(v, err)
	}
	held, err := g.exchange(ctx, v)
	if err != nil {
		return err
	}
	return g.judge(ctx, v, held)
}

// drop ends the browser's session for a new login, and what it had begun at an
// issuer.
func (g *Gateway) drop(ctx context.Context, v *visit) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := g.voidStarts(ctx, v); err != nil {
		return err
	}
	if v.session == nil {
		return nil
	}
	return g.endIn(ctx, v, policy.ReasonNewLogin)
}

// exchange has the console answer a login. It gets the credentials that were
// typed and nothing else that it could know the person by, and nothing that
// would change the shape of its answer.
func (g *Gateway) exchange(ctx context.Context, v *visit) (escrow.Answer, error) {
	r := v.Request.WithContext(ctx)
	g.anonymize(r)
	v.attempt.OnlyTyped(r.Header)
	c := escrow.NewCapture(nil)
	if err := v.next(c, r); err != nil {
		return escrow.Answer{}, err
	}
	return c.Answer()
}

// judge acts on what an answer to a login means.
func (g *Gateway) judge(ctx context.Context, v *visit, held escrow.Answer) error {
	verdict := g.site.Console.Judge(ctx, g.site.Realm, v.attempt, held, g.prober(v), g.svc.Now())
	g.meter.LoginJudged(verdict.Outcome)
	switch verdict.Outcome {
	case firstfactor.Success:
		return g.proved(ctx, v, held, verdict)
	case firstfactor.Failure:
		return g.failed(v, held)
	default:
		return g.unclear(v, verdict.Differs)
	}
}

// failed passes a failed login's answer as it is.
func (g *Gateway) failed(v *visit, held escrow.Answer) error {
	g.site.Console.SealCookies(held.Header, firstfactor.Keeper{}, g.svc.Now())
	if v.cookie != "" {
		if ck, err := g.svc.Sessions.Dropped(g.site.Name); err == nil {
			held.Header.Add("Set-Cookie", ck.String())
		}
	}
	held.WriteTo(v.w)
	return nil
}

// proved decides what a person whom the console just named must do.
func (g *Gateway) proved(ctx context.Context, v *visit, held escrow.Answer, verdict firstfactor.Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	l := &proof{visit: v, who: verdict.Identity, held: &held, verdict: verdict, reference: audit.NewReference()}
	l.goOn = l.returnTo()
	return g.settle(ctx, l, (*Gateway).releaseAtOnce)
}

// withoutCredentials lets status and body pass, for consoles whose script
// waits for them, and none of the cookies.
func (g *Gateway) withoutCredentials(l *proof) {
	g.site.Console.SealCookies(l.held.Header, firstfactor.Keeper{}, g.svc.Now())
	own := l.w.Header()["Set-Cookie"]
	l.held.Header["Set-Cookie"] = slices.Concat(l.held.Header["Set-Cookie"], own)
	l.held.WriteTo(l.w)
}

// releaseAtOnce sends the console's answer to a person who is not asked.
func (g *Gateway) releaseAtOnce(ctx context.Context, l *proof, d policy.Decision) error {
	live, ck, err := g.admit(ctx, l, d)
	if err != nil {
		return g.fault(l.visit, err)
	}
	g.site.Console.SealCookies(l.held.Header, firstfactor.Keeper{Site: g.site.Name, Boxes: live.Cookies}, g.svc.Now())
	unshare(l.held.Header)
	l.held.Header.Add("Set-Cookie", ck.String())
	l.held.WriteTo(l.w)
	return nil
}

// end ends the session of a visit.
func (g *Gateway) end(v *visit, why policy.Code) error {
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	return g.endIn(ctx, v, why)
}

func (g *Gateway) endIn(ctx context.Context, v *visit, why policy.Code) error {
	if v.over {
		return nil
	}
	if why != policy.ReasonNewLogin { // first: who tries again has a session still
		if err := g.svc.Accounts.ForgetPasses(ctx, v.session.Subject); err != nil {
			return err
		}
	}
	if err := g.svc.Sessions.End(ctx, v.session); err != nil {
		return err
	}
	v.over = true
	return g.record(ctx, v, audit.SessionEnded, v.session.Subject, "", policy.Reason{Code: why})
}
