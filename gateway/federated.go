package gateway

import (
	"context"
	"errors"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
)

// startsKept is how many sign-ins at issuers a browser may have under way, in
// several tabs; of more the oldest are forgotten, since cookies have limits.
const startsKept = 8

// starts are the redirects to issuers that were seen in this browser, the
// oldest first. Of somebody who collected more the newest count: each may
// become a write.
func (g *Gateway) starts(v *visit) []firstfactor.Start {
	if !g.site.Console.Federates() {
		return nil
	}
	all := firstfactor.Starts(g.svc.Sessions.Ring, g.site.Name, v.sent)
	return all[max(0, len(all)-startsKept):]
}

// seeStart looks for the redirect by which the console sends a person to an
// issuer, and has the browser keep that it was seen. An error tells why the
// callback could not be known again.
func (g *Gateway) seeStart(v *visit, a *answer) error {
	h := a.Header()
	if len(h["Location"]) == 0 || !v.navigates() {
		return nil
	}
	start, found, err := g.site.Console.StartOf(v.Request, a.status, h, g.svc.Now())
	if err != nil || !found {
		return err
	}
	ck, err := start.Keep(g.svc.Sessions.Ring, g.site.Name)
	if err != nil {
		return err
	}
	kept := g.starts(v)
	for _, old := range kept[:max(0, len(kept)-startsKept+1)] {
		h.Add("Set-Cookie", old.Forget().String())
	}
	h.Add("Set-Cookie", ck.String())
	h.Set("Cache-Control", "no-store") // it is for this browser alone
	return nil
}

// startDiffers says why a redirect to an issuer was held: its callback could
// not be known again, or the session has begun before the person came.
func (g *Gateway) startDiffers(v *visit, held escrow.Answer) string {
	_, found, err := g.site.Console.StartOf(v.Request, held.Status, held.Header, g.svc.Now())
	switch {
	case err != nil:
		return err.Error()
	case found:
		return "the redirect to the issuer sets a session cookie; session_cookie must name only what the callback sets"
	}
	return ""
}

// provesStart tells whether a login is an issuer's answer to a redirect that
// was seen in this browser, which is spent by it.
func (g *Gateway) provesStart(v *visit) (bool, error) {
	if !v.attempt.Callback() || !v.navigates() {
		return false, nil
	}
	now := g.svc.Now()
	for _, start := range g.starts(v) {
		if !v.attempt.Answers(start, now) {
			continue
		}
		ctx, cancel := detached(v.Request.Request, storeTimeout)
		defer cancel()
		err := g.svc.Accounts.SpendID(ctx, start.Spent(), start.Until())
		if errors.Is(err, accounts.ErrSpent) {
			return false, nil
		}
		if err == nil {
			v.attempt.Prove(start, now)
		}
		return err == nil, err
	}
	return false, nil
}

// voidStarts spends whatever sign-ins at issuers this browser began: after
// another login in it, an issuer's answer is no evidence any more.
func (g *Gateway) voidStarts(ctx context.Context, v *visit) error {
	if v.attempt != nil && v.attempt.Callback() {
		return nil
	}
	for _, start := range g.starts(v) {
		if !g.svc.Now().Before(start.Until()) {
			continue
		}
		if err := g.svc.Accounts.SpendID(ctx, start.Spent(), start.Until()); err != nil && !errors.Is(err, accounts.ErrSpent) {
			return err
		}
	}
	return nil
}

// crossSite tells that another site sent the request.
func (v *visit) crossSite() bool { return v.Header.Get("Sec-Fetch-Site") == "cross-site" }
