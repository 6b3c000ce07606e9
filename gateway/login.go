package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
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
	if v.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// Another site signs the browser in as somebody: its own person,
		// perhaps, to whom the next work would be attributed.
		return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: "/"},
			policy.Reason{Code: policy.ReasonCrossSite})
	}
	if v.Method == http.MethodConnect {
		return g.malformed(v, errTunnel)
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

// drop ends the browser's session for a new login.
func (g *Gateway) drop(ctx context.Context, v *visit) error {
	if v.session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
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
	who := verdict.Identity.Subject()
	account, err := g.svc.Accounts.Account(ctx, who)
	if err != nil {
		return g.fault(v, err)
	}
	recent, err := g.passedRecently(ctx, v, who)
	if err != nil {
		return g.fault(v, err)
	}
	d := policy.Decide(policy.Facts{Stage: policy.AtLogin, Rules: g.site.Rules,
		Enrollment: account.State, RecentPass: recent})
	g.meter.Decided(d.Outcome)
	l := &proof{visit: v, who: verdict.Identity, held: held, verdict: verdict, reference: audit.NewReference()}
	switch d.Outcome {
	case policy.Pass:
		return g.releaseAtOnce(ctx, l, d)
	case policy.Challenge, policy.Enroll:
		return g.challenge(ctx, l, d)
	default:
		return g.refuseLogin(ctx, l, d)
	}
}

// recentPass is how long a login of a person who just passed in the same
// browser is released without a new challenge: enough for a single-page
// console to repeat the call that got 401, too little to leave a desk.
const recentPass = 5 * time.Minute

// passedRecently tells whether the person passed in this browser minutes ago.
func (g *Gateway) passedRecently(ctx context.Context, v *visit, who identity.Subject) (bool, error) {
	mark := g.browser(v)
	if !mark.Known() {
		return false, nil
	}
	b, err := g.svc.Accounts.Browser(ctx, who, mark.Digest(who))
	return g.svc.Now().Sub(b.PassedAt) < recentPass, err
}

// proof is a login that the console accepted.
type proof struct {
	*visit
	who       firstfactor.Identity
	held      escrow.Answer
	verdict   firstfactor.Verdict
	reference string
}

// begin makes the session of a login, at first_factor.
func (g *Gateway) begin(l *proof, id string) (*sessions.Session, *http.Cookie, error) {
	now := g.svc.Now()
	var tokens []string
	for _, c := range l.verdict.Credentials {
		if c.Cookie == "" {
			tokens = append(tokens, c.Value)
		}
	}
	return g.svc.Sessions.Begin(sessions.Record{
		Site: g.site.Name, Source: l.who.Source(), Subject: l.who.Subject(), Challenge: id,
		BeganAt: now, ExpiresAt: now.Add(challenge.Lifetime), Idle: challenge.Lifetime,
		Address: l.at.Address, Browser: browserLabel(l.Request.Request),
	}, tokens...)
}

// challenge holds the answer back and asks for the second factor.
func (g *Gateway) challenge(ctx context.Context, l *proof, d policy.Decision) error {
	id := challenge.NewID()
	live, ck, err := g.begin(l, id)
	if err != nil {
		return g.fault(l.visit, err)
	}
	visitor, err := g.visitor(ctx, l.visit, live.Subject)
	if err != nil {
		return g.fault(l.visit, err)
	}
	rec := challenge.Record{ID: id, Session: live.ID, Subject: live.Subject, Site: g.site.Name,
		Purpose: challenge.Login, Reference: l.reference, Enroll: d.Outcome == policy.Enroll,
		ReturnTo: l.returnTo(), Escrow: true, CreatedAt: live.BeganAt, ExpiresAt: live.ExpiresAt}
	held := escrow.Held{Answer: l.held, URL: l.shownAt()}
	err = together(
		func() error { return g.svc.Sessions.Start(ctx, live) },
		func() error {
			return g.svc.Escrow.Hold(ctx, id, live.EscrowKey(), held, rec.ExpiresAt, g.bound(rec)...)
		},
		func() error { return g.svc.Flow.Begin(ctx, rec, visitor, d.Reasons) },
	)
	if err != nil {
		return g.fault(l.visit, err)
	}
	http.SetCookie(l.w, ck)
	if l.verdict.Hold == firstfactor.HoldCookies && l.onlyCookies() {
		g.withoutCredentials(l)
		return nil
	}
	return g.toChallenge(l.visit, d)
}

// together does what does not depend on each other at once: with stores that
// are far away, a login waits for one answer instead of several.
func together(all ...func() error) error {
	errs := make([]error, len(all))
	var doing sync.WaitGroup
	for i, do := range all {
		doing.Go(func() { errs[i] = do() })
	}
	doing.Wait()
	return errors.Join(errs...)
}

// bound is what an escrow is sealed to.
func (g *Gateway) bound(r challenge.Record) []string {
	return []string{"escrow", g.site.Name, r.ID, r.Subject.String(), string(r.Purpose)}
}

// onlyCookies tells that neither headers nor body of the answer hold a token.
func (l *proof) onlyCookies() bool {
	return !slices.ContainsFunc(l.verdict.Credentials, func(c firstfactor.Credential) bool { return c.Cookie == "" })
}

// withoutCredentials lets status and body pass, for consoles whose script
// waits for them, and none of the cookies.
func (g *Gateway) withoutCredentials(l *proof) {
	g.site.Console.SealCookies(l.held.Header, firstfactor.Keeper{}, g.svc.Now())
	own := l.w.Header()["Set-Cookie"]
	l.held.Header["Set-Cookie"] = slices.Concat(l.held.Header["Set-Cookie"], own)
	l.held.WriteTo(l.w)
}

// releaseAtOnce serves a person who passed in this browser minutes ago.
func (g *Gateway) releaseAtOnce(ctx context.Context, l *proof, d policy.Decision) error {
	live, _, err := g.begin(l, "")
	if err == nil {
		err = g.svc.Sessions.Start(ctx, live)
	}
	if err != nil {
		return g.fault(l.visit, err)
	}
	if err := g.record(ctx, l.visit, audit.LoginReleased, live.Subject, l.reference, d.Reasons...); err != nil {
		return g.fault(l.visit, err)
	}
	live, ck, err := g.svc.Sessions.Raise(ctx, live, []string{"pwd"}, "", g.site.Idle, g.site.Life)
	if err != nil {
		return g.fault(l.visit, err)
	}
	g.site.Console.SealCookies(l.held.Header, firstfactor.Keeper{Site: g.site.Name, Boxes: live.Cookies}, g.svc.Now())
	unshare(l.held.Header)
	l.held.Header.Add("Set-Cookie", ck.String())
	l.held.WriteTo(l.w)
	return nil
}

// refuseLogin refuses a person whom the console accepted.
func (g *Gateway) refuseLogin(ctx context.Context, l *proof, d policy.Decision) error {
	if err := g.record(ctx, l.visit, audit.LoginRefused, l.who.Subject(), l.reference, d.Reasons...); err != nil {
		return g.fault(l.visit, err)
	}
	kind := templates.NoticeNotAllowed
	if slices.ContainsFunc(d.Reasons, func(r policy.Reason) bool { return r.Code == policy.ReasonReset }) {
		kind = templates.NoticeResetNeedsTicket
	}
	return g.tell(l.visit, http.StatusForbidden, refusal{notice: templates.Notice{Kind: kind, Next: "/"},
		reference: l.reference, subject: l.who.Subject().Name, decision: d})
}

// returnTo is where a person goes on when the held answer is not a redirect
// and cannot be shown: a fetch has no page of its own.
func (l *proof) returnTo() string {
	if l.navigates() && l.verdict.Hold != firstfactor.HoldCookies {
		return ""
	}
	return localPath(refererPath(l.Request.Request))
}

// shownAt is where a held page is shown: at the login's own address, so that
// its links work, but never with the credentials in it.
func (l *proof) shownAt() string {
	r := l.asReceived()
	if l.attempt == nil || l.attempt.InQuery {
		return localPath(r.URL.EscapedPath())
	}
	return localPath(r.RequestURI)
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
