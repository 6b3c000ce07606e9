package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// probeTimeout bounds how long the console may take to tell whether Basic
// credentials are good.
const probeTimeout = 10 * time.Second

// attemptOf tells whether a request is a login, by its credentials in a header
// or by its fields. Where anybody may come, Basic credentials are no login:
// they are taken off.
func (g *Gateway) attemptOf(v *visit) (*firstfactor.Attempt, error) {
	if v.heads.credential || v.URL.User != nil {
		a, err := g.site.Console.Basic(v.Request, v.boundBasic)
		if err != nil || a != nil && !g.public(v.Request) {
			return a, err
		}
	}
	return g.site.Console.Attempt(v.Request, v.verified())
}

// boundBasic tells whether credentials are those of the session, be it that
// its challenge is still pending.
func (v *visit) boundBasic(value string) bool {
	return v.session != nil && v.session.IssuedToken(value)
}

// basicLogin proves the Basic credentials of a request. Nothing else of it
// reaches the console, and one that is good ends whatever session the browser
// had; a wrong one ends none, since it is not what the session rests on.
//
// Of several requests at once with the same credentials from the same browser
// one leads, and the others wait for what becomes of it: one probe, and one
// challenge. A page load leads for itself, since it needs our cookie.
func (g *Gateway) basicLogin(v *visit) error {
	if v.navigates() {
		return g.proveBasic(v, new(flight))
	}
	key := g.flights.key(v.attempt.Basic, v.at.Address, v.UserAgent(), strings.Join(v.sent, "; "))
	for {
		f, leads := g.flights.join(key, g.svc.Now())
		if leads {
			defer func() { g.flights.land(key, f, g.svc.Now()) }()
			return g.proveBasic(v, f)
		}
		select {
		case <-f.done:
		case <-v.Context().Done():
			return g.fault(v, v.Context().Err())
		}
		if done, err := g.answerAs(v, f); done {
			return err
		}
		g.flights.forget(key, f)
	}
}

// proveBasic asks the console about credentials, and decides what follows.
func (g *Gateway) proveBasic(v *visit, f *flight) error {
	held, err := g.probeBasic(v)
	if err != nil {
		if v.Context().Err() == nil {
			f.err = err
		}
		return err
	}
	ctx, cancel := detached(v.Request.Request, probeTimeout)
	defer cancel()
	verdict := g.site.Console.JudgeBasic(ctx, g.site.Realm, v.attempt, held, g.prober(v), g.svc.Now())
	g.meter.LoginJudged(verdict.Outcome)
	switch verdict.Outcome {
	case firstfactor.Success:
		err = g.provedBasic(ctx, v, held, verdict)
		f.cookie, _ = begun(v.w.Header(), g.cookie)
		return err
	case firstfactor.Failure:
		f.failed = &held
		return g.failedBasic(v, held)
	default:
		return g.unclear(v, verdict.Differs)
	}
}

// probeBasic sends the probe. It ends with the client: it changes nothing, and
// nobody else would wait for it.
func (g *Gateway) probeBasic(v *visit) (escrow.Answer, error) {
	ctx, cancel := context.WithTimeout(v.Context(), probeTimeout)
	defer cancel()
	return g.prober(v)(ctx, v.attempt.Rule.Success.Probe, []firstfactor.Credential{{Value: v.attempt.Basic, Basic: true}})
}

// provedBasic begins the session of a person whom the console named. One who
// passed in this browser minutes ago is not asked, and the request goes on as
// it came.
func (g *Gateway) provedBasic(ctx context.Context, v *visit, held escrow.Answer, verdict firstfactor.Verdict) error {
	if err := g.drop(ctx, v); err != nil {
		return g.fault(v, err)
	}
	v.session, v.over = nil, false
	l := g.proofOf(v, verdict.Identity, v.backTo())
	l.verdict = verdict
	if verdict.Hold == firstfactor.HoldCookies && !v.navigates() {
		l.held = &held
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	d, err := g.atLogin(ctx, l)
	switch {
	case err != nil:
		return g.fault(v, err)
	case d.Outcome == policy.Pass:
		return g.admitBasic(ctx, l, d)
	case d.Outcome == policy.Challenge || d.Outcome == policy.Enroll:
		return g.challenge(ctx, l, d)
	default:
		return g.refuseLogin(ctx, l, d)
	}
}

func (g *Gateway) admitBasic(ctx context.Context, l *proof, d policy.Decision) error {
	live, ck, err := g.admit(ctx, l, d)
	if err != nil {
		return g.fault(l.visit, err)
	}
	http.SetCookie(l.w, ck)
	l.visit.session = live
	return g.pass(l.visit)
}

// backTo is the page that a person goes on with after the challenge: the one
// that was wanted, or that a fetch came from.
func (v *visit) backTo() string {
	if v.navigates() {
		return v.local()
	}
	return localPath(refererPath(v.Request.Request))
}

// answerAs answers a request as the one was answered that it waited for. done is
// false if that was no help.
func (g *Gateway) answerAs(v *visit, f *flight) (done bool, err error) {
	if f.failed != nil {
		return true, g.failedBasic(v, *f.failed)
	}
	if f.cookie == "" || f.err != nil {
		return f.err != nil, f.err
	}
	live, err := g.svc.Sessions.Find(v.Context(), g.site.Name, f.cookie)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
		return false, nil
	case err != nil:
		return true, g.fault(v, err)
	}
	v.session, v.over = live, false
	if live.Level == identity.Verified {
		return true, g.pass(v)
	}
	return true, g.toChallenge(v, policy.Decision{Outcome: policy.Challenge, Reasons: []policy.Reason{{Code: policy.ReasonChallengeDue}}})
}

// failedBasic passes the console's refusal of wrong credentials. A script's
// own form shows it; a browser's dialog, which the console's answer would open
// over that form, is for page loads.
func (g *Gateway) failedBasic(v *visit, held escrow.Answer) error {
	held.Header = held.Header.Clone()
	g.site.Console.SealCookies(held.Header, firstfactor.Keeper{}, g.svc.Now())
	if v.scripted() {
		held.Header["Www-Authenticate"] = []string{fmt.Sprintf("Stepgate realm=%q", g.site.Name)}
	}
	held.WriteTo(v.w)
	return nil
}

// scripted tells that a page's script sent the request, and not a program
// without a browser.
func (v *visit) scripted() bool { return !v.navigates() && v.Header.Get("Sec-Fetch-Mode") != "" }

// begun is the value of our cookie that an answer sets.
func begun(h http.Header, begin string) (value string, ok bool) {
	for _, line := range h["Set-Cookie"] {
		if rest, ours := strings.CutPrefix(line, begin); ours {
			value, _, _ = strings.Cut(rest, ";")
			ok = true
		}
	}
	return value, ok
}

// asksBasic tells that people sign in by their browser's own dialog.
func (g *Gateway) asksBasic() bool {
	return g.site.Console.LoginPage == "" && len(g.site.SignIns) == 0 && g.site.Console.HasBasic()
}

// askBasic has the browser ask for name and password.
func (g *Gateway) askBasic(v *visit, d policy.Decision) error {
	v.w.Header().Set("WWW-Authenticate", g.consoleRealm(v))
	return g.tell(v, http.StatusUnauthorized, refusal{decision: d,
		notice: templates.Notice{Kind: templates.NoticeSignInNeeded, Next: v.local()}})
}

// consoleRealm is the console's own words to ask with: browsers remember what
// was typed for its realm, and would ask again for another one.
func (g *Gateway) consoleRealm(v *visit) string {
	ctx, cancel := context.WithTimeout(v.Context(), probeTimeout)
	defer cancel()
	a, err := g.prober(v)(ctx, g.site.Console.BasicProbe(), nil)
	if err == nil && a.Status == http.StatusUnauthorized {
		for _, line := range a.Header["Www-Authenticate"] {
			if scheme, _, _ := strings.Cut(line, " "); strings.EqualFold(scheme, "Basic") {
				return line
			}
		}
	}
	return fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, g.site.Name)
}

// marshal is the body of a problem, with what the console's own script looks
// for if it sent the request: consoles that know no challenge can then tell
// their person to reload the page, which leads to it.
func (g *Gateway) marshal(v *visit, p problem) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil || len(g.site.Console.Problem) == 0 || !v.scripted() {
		return body, err
	}
	members := make(map[string]any)
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	detail := p.Title
	if strings.HasSuffix(p.Type, string(secondFactorNeeded)) {
		detail = g.pages.Text(v.Request.Request, templates.ProblemReload)
	}
	for name, value := range g.site.Console.Problem {
		members[name] = strings.ReplaceAll(value, "{detail}", detail)
	}
	return json.Marshal(members)
}

// observeBasic judges credentials while the site is only watched: once a minute
// for each, since nobody gets a session by them. Their request goes on as it
// came.
func (g *Gateway) observeBasic(v *visit) error {
	if !g.recent.first("basic\x00"+g.flights.key(v.attempt.Basic), g.svc.Now()) {
		return v.next(v.w, v.Request.Request)
	}
	held, err := g.probeBasic(v)
	if err != nil {
		g.log.Info("observing: a login", "site", g.site.Name, "outcome", "unclear", "differs", err)
		return v.next(v.w, v.Request.Request)
	}
	verdict := g.site.Console.JudgeBasic(v.Context(), g.site.Realm, v.attempt, held, g.prober(v), g.svc.Now())
	g.meter.LoginJudged(verdict.Outcome)
	g.log.Info("observing: a login", "site", g.site.Name, "outcome", verdict.Outcome.String(),
		"subject", verdict.Identity.Subject().String(), "differs", verdict.Differs)
	return v.next(v.w, v.Request.Request)
}
