package gateway

import (
	"errors"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
)

func isMalformed(err error) bool {
	return errors.Is(err, match.ErrMalformed) || errors.Is(err, firstfactor.ErrLogin)
}

func (g *Gateway) observing() bool {
	return !g.site.Observe.IsZero() && g.svc.Now().Before(g.site.Observe)
}

// observe decides and logs, and lets everything pass as it came: what an
// operator turns on first, to see whether logins are understood.
func (g *Gateway) observe(v *visit) error {
	facts, err := g.facts(v)
	g.site.Console.RemoveOurs(v.Header)
	d := policy.Decide(facts)
	if err != nil {
		g.log.Warn("observing: would refuse", "site", g.site.Name, "error", err)
		return v.next(v.w, v.Request.Request)
	}
	g.meter.Decided(d.Outcome)
	g.log.Debug("observing", "site", g.site.Name, "outcome", d.Outcome.String(), "reasons", d.Reasons, "path", v.URL.Path)
	if d.Outcome != policy.Watch {
		return v.next(v.w, v.Request.Request)
	}
	return g.observeLogin(v)
}

// observeLogin judges a login's answer and sends it all the same.
func (g *Gateway) observeLogin(v *visit) error {
	v.Header.Del("Accept-Encoding")
	c := escrow.NewCapture(nil)
	if err := v.next(c, v.Request.Request); err != nil {
		return err
	}
	held, err := c.Answer()
	if err != nil {
		return err
	}
	ctx, cancel := detached(v.Request.Request, loginTimeout)
	defer cancel()
	verdict := g.site.Console.Judge(ctx, g.site.Realm, v.attempt, held, g.prober(v), g.svc.Now())
	g.meter.LoginJudged(verdict.Outcome)
	g.log.Info("observing: a login", "site", g.site.Name, "outcome", verdict.Outcome.String(),
		"subject", verdict.Identity.Subject().String(), "differs", verdict.Differs)
	held.WriteTo(v.w)
	return nil
}

// bypass forwards what the operator excepted, as it came, and audits it.
func (g *Gateway) bypass(v *visit, d policy.Decision) error {
	if err := g.recordOnce(v, audit.BypassUsed, d.Reasons...); err != nil {
		return g.fault(v, err)
	}
	g.site.Console.RemoveOurs(v.Header)
	return v.next(v.w, v.Request.Request)
}
