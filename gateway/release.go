package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// pass is how and when a person passed.
type pass struct {
	amr   []string
	at    time.Time
	until time.Time // zero: as long as the site's sessions live

	strength  identity.Strength // Unproved where another site vouched
	trust     bool              // this browser, from now on
	recovered bool              // by a code on paper: the factor is perhaps lost
	unnoticed bool              // something was bound elsewhere, which the person was not told of
}

// release follows a pass: the session becomes verified, the browser known,
// and the console's answer goes out.
func (g *Gateway) release(ctx context.Context, v *visit, rec challenge.Record, by pass) error {
	held, err := g.heldFor(ctx, v, rec)
	lost := errors.Is(err, escrow.ErrNotFound)
	if err != nil && !lost {
		return g.fault(v, err)
	}
	waits := ""
	if !lost && goesTo(rec, held) == "" {
		waits = shownID(rec.ID)
	}
	live, ck, err := g.svc.Sessions.Raise(ctx, v.session, sessions.Raised{AMR: by.amr, Strength: by.strength, AuthTime: by.at, Waiting: waits,
		Idle: g.site.Idle, Life: g.lifeOf(v, by)})
	if errors.Is(err, sessions.ErrNotFound) {
		return g.gone(v)
	}
	if err != nil {
		// The challenge is spent: without a session the person can begin again.
		return g.fault(v, errors.Join(err, g.svc.Sessions.End(ctx, v.session)))
	}
	if err := errors.Join(g.followRaised(ctx, live), g.knowBrowser(ctx, v, live, by)); err != nil {
		return g.fault(v, err)
	}
	http.SetCookie(v.w, ck)
	v.session = live
	if lost {
		return g.goOn(v, g.onTheWay(v, by, localPath(rec.ReturnTo))) // the console will ask to sign in again
	}
	return g.send(ctx, v, rec, held, by)
}

// lifeOf is how long a session may live: no longer than what it rests on.
func (g *Gateway) lifeOf(v *visit, by pass) time.Duration {
	life, now := g.site.Life, g.svc.Now()
	if !by.until.IsZero() {
		life = min(life, by.until.Sub(now))
	}
	if end := v.until(); !end.IsZero() && g.asserts(v.session.Source) {
		life = min(life, end.Sub(now))
	}
	return life
}

// heldFor is the console's answer that waits for a challenge, ErrNotFound if
// there is none: the login was not the console's, or it is lost.
func (g *Gateway) heldFor(ctx context.Context, v *visit, rec challenge.Record) (escrow.Held, error) {
	if !rec.Escrow {
		return escrow.Held{}, escrow.ErrNotFound
	}
	return g.svc.Escrow.Release(ctx, rec.ID, v.session.EscrowKey(), g.bound(rec)...)
}

// goesTo is where the browser goes on: to a redirect's target, or back to the
// page that sent a fetch. A page has to be shown instead.
func goesTo(rec challenge.Record, held escrow.Held) string {
	if to := held.Answer.Header.Get("Location"); to != "" && held.Answer.Status/100 == 3 {
		return absolute(held.URL, to)
	}
	return rec.ReturnTo
}

// knowBrowser marks the browser, so that strangers' failures do not lock this
// person out of it.
func (g *Gateway) knowBrowser(ctx context.Context, v *visit, live *sessions.Session, by pass) error {
	mark, err := g.mark(v, live.Subject)
	if err != nil {
		return err
	}
	if err := g.svc.Accounts.KnowBrowser(ctx, live.Subject, g.place(v, mark, live.Subject), by.at); err != nil {
		return err
	}
	if by.trust {
		if err := g.trust(ctx, v, live, mark); err != nil {
			return err
		}
	}
	http.SetCookie(v.w, v.marking)
	return nil
}

// send gives the browser the console's cookies, sealed, and leads it where
// the console wanted: to the redirect's target, or to the page itself, which
// is shown at the login's own address.
func (g *Gateway) send(ctx context.Context, v *visit, rec challenge.Record, held escrow.Held, by pass) error {
	h := held.Answer.Header
	g.site.Console.SealCookies(h, g.keeper(v), g.svc.Now())
	for _, line := range h["Set-Cookie"] {
		v.w.Header().Add("Set-Cookie", line)
	}
	delete(h, "Set-Cookie")
	if to := goesTo(rec, held); to != "" {
		return g.goOn(v, g.onTheWay(v, by, to))
	}
	err := g.svc.Escrow.Hold(ctx, v.session.Waiting, v.session.EscrowKey(), held, g.svc.Now().Add(challenge.Lifetime), g.shown(v)...)
	if err != nil {
		return g.fault(v, err)
	}
	return g.goOn(v, g.onTheWay(v, by, held.URL))
}

// absolute is a redirect's target as the browser would have understood it at
// the login's address: ours is another.
func absolute(at, to string) string {
	base, err := url.Parse(at)
	if err != nil {
		return to
	}
	u, err := base.Parse(to)
	if err != nil {
		return to
	}
	return u.String()
}

func shownID(challengeID string) string { return "shown/" + challengeID }

func (g *Gateway) shown(v *visit) []string {
	return []string{"shown", g.site.Name, v.session.Waiting, v.session.Subject.String()}
}

// showHeld shows a page that the console answered a login with, once, at the
// first page load after the pass.
func (g *Gateway) showHeld(v *visit) (shown bool, err error) {
	ctx, cancel := context.WithTimeout(v.Context(), storeTimeout)
	defer cancel()
	held, err := g.svc.Escrow.Release(ctx, v.session.Waiting, v.session.EscrowKey(), g.shown(v)...)
	if errors.Is(err, escrow.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return true, g.fault(v, err)
	}
	unshare(held.Answer.Header)
	held.Answer.WriteTo(v.w)
	return true, nil
}

func web(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }

// goOn leads the browser on. To another origin it needs a page in between:
// our form's policy (form-action 'self') holds for the redirects that follow.
func (g *Gateway) goOn(v *visit, to string) error {
	u, err := url.Parse(to)
	if err == nil && (u.Scheme == "" && u.Host == "" || web(u) && u.Host == v.Host) {
		v.w.Header().Set("Cache-Control", "no-store")
		v.w.Header().Set("Location", to)
		v.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	if err != nil || !web(u) || u.Host == "" {
		return g.unclear(v, "a redirect to "+to)
	}
	v.w.Header().Set("Refresh", "0; url="+u.String())
	return g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeContinue, Next: u.String()}})
}
