package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// settle decides what follows a first factor, and does it. admitted is what
// becomes of a person who is asked for no second one.
func (g *Gateway) settle(ctx context.Context, l *proof, admitted func(*Gateway, context.Context, *proof, policy.Decision) error) error {
	d, err := g.atLogin(ctx, l)
	if err != nil {
		return g.fault(l.visit, err)
	}
	switch d.Outcome {
	case policy.Pass:
		return admitted(g, ctx, l, d)
	case policy.Challenge, policy.Enroll:
		return g.challenge(ctx, l, d)
	default:
		return g.refuseLogin(ctx, l, d)
	}
}

// atLogin decides what follows a first factor.
func (g *Gateway) atLogin(ctx context.Context, l *proof) (policy.Decision, error) {
	who := l.who.Subject()
	l.began = g.svc.Now() // what ends from now on ends what is decided by the account of now
	account, err := g.svc.Accounts.Account(ctx, who)
	if err != nil {
		return policy.Decision{}, err
	}
	b, err := g.lastPass(ctx, l.visit, who)
	if err != nil {
		return policy.Decision{}, err
	}
	now := g.svc.Now()
	l.passed = b.PassedAt
	f := policy.Facts{Stage: policy.AtLogin, Rules: g.rulesFor(who, l.who.Groups()), Now: now,
		Enrollment: account.State, Locked: !account.LockedAt.IsZero(), Rebind: account.Rebinding(), OnFile: g.contactOnFile(account),
		RecentPass: now.Sub(l.passed) < recentPass, Trusted: now.Before(b.TrustedUntil),
		Source: l.who.Source(), Excluded: !g.allows(who, l.who.Groups())}
	f.Held, f.Has = g.svc.Flow.Held(account, challenge.Visitor{Party: g.party(l.visit), Rules: f.Rules}), challenge.Kinds(account.Usable(now))
	f.Skip, f.SingleSignOn = g.site.Skips[l.who.Source()]
	f.Evidence, _ = l.who.Evidence()
	f.Carried = g.asserts(l.who.Source())
	d := policy.Decide(f)
	g.meter.Decided(d.Outcome)
	return d, nil
}

// recentPass is how long a login of a person who just passed in the same
// browser is released without a new challenge: enough for a single-page
// console to repeat the call that got 401, too little to leave a desk.
const recentPass = 5 * time.Minute

// lastPass is what is known of the person in this browser.
func (g *Gateway) lastPass(ctx context.Context, v *visit, who identity.Subject) (accounts.Browser, error) {
	mark := g.browser(v)
	if !mark.Knows(g.site.Name, who) {
		return accounts.Browser{}, nil
	}
	return g.svc.Accounts.Browser(ctx, who, mark.Digest(g.site.Name, who))
}

// proof is a first factor that was just proved.
type proof struct {
	*visit
	who       firstfactor.Identity
	held      *escrow.Answer // the console's, nil where the login is not its own
	verdict   firstfactor.Verdict
	began     time.Time // when it was proved, zero for now
	passed    time.Time // when the person passed in this browser last
	goOn      string    // a path on this host, "" where the held answer says
	reference string
}

// begin makes the session of a login, at first_factor.
func (g *Gateway) begin(l *proof, id string) (*sessions.Session, *http.Cookie, error) {
	rec := g.recordOf(l)
	rec.Challenge = id
	rec.ExpiresAt, rec.Idle = rec.BeganAt.Add(challenge.Lifetime), challenge.Lifetime
	return g.svc.Sessions.Begin(rec, l.tokens()...)
}

// recordOf is the session of a first factor, without an end.
func (g *Gateway) recordOf(l *proof) sessions.Record {
	amr := []string{"pwd"}
	if e, ok := l.who.Evidence(); ok || g.asserts(l.who.Source()) {
		amr = e.AMR // nobody else knows how
	}
	began := l.began
	if began.IsZero() {
		began = g.svc.Now()
	}
	return sessions.Record{
		Site: g.site.Name, Source: l.who.Source(), Subject: l.who.Subject(), Groups: said(l.who), AMR: amr,
		BeganAt: began, Address: l.at.Address, Browser: browserLabel(l.Request.Request),
	}
}

// tokens are what a login's answer holds beside cookies.
func (l *proof) tokens() (tokens []string) {
	for _, c := range l.verdict.Credentials {
		if c.Cookie == "" {
			tokens = append(tokens, c.Value)
		}
	}
	return tokens
}

// challenge holds the answer back and asks for the second factor.
func (g *Gateway) challenge(ctx context.Context, l *proof, d policy.Decision) error {
	id := challenge.NewID()
	live, ck, err := g.begin(l, id)
	if err != nil {
		return g.fault(l.visit, err)
	}
	visitor, err := g.visitor(ctx, l.visit, live)
	if err != nil {
		return g.fault(l.visit, err)
	}
	rec := challenge.Record{ID: id, Session: live.ID, Subject: live.Subject, Site: g.site.Name,
		Purpose: g.purpose(live), Reference: l.reference, Enroll: d.Outcome == policy.Enroll, Gate: d.Gate,
		ReturnTo: l.goOn, Escrow: l.held != nil, CreatedAt: live.BeganAt, ExpiresAt: live.ExpiresAt}
	err = together(
		func() error { return g.svc.Sessions.Start(ctx, live) },
		func() error { return g.hold(ctx, l, live, rec) },
		func() error { return g.svc.Flow.Begin(ctx, rec, visitor, d.Reasons) },
		func() error { return g.follow(ctx, live, l.who.Issued()) },
	)
	if err != nil {
		return g.fault(l.visit, err)
	}
	http.SetCookie(l.w, ck)
	if l.held != nil && l.verdict.Hold == firstfactor.HoldCookies && l.onlyCookies() {
		g.withoutCredentials(l)
		return nil
	}
	return g.toChallenge(l.visit, d)
}

// hold puts the console's answer by, if there is one.
func (g *Gateway) hold(ctx context.Context, l *proof, live *sessions.Session, rec challenge.Record) error {
	if l.held == nil {
		return nil
	}
	held := escrow.Held{Answer: *l.held, URL: l.shownAt()}
	return g.svc.Escrow.Hold(ctx, rec.ID, live.EscrowKey(), held, rec.ExpiresAt, g.bound(rec)...)
}

// purpose is what a challenge of this session is good for.
func (g *Gateway) purpose(live *sessions.Session) challenge.Purpose {
	if _, sso := g.site.Skips[live.Source]; sso {
		return challenge.SignOn
	}
	return challenge.Login
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
	return !slices.ContainsFunc(l.verdict.Credentials, func(c firstfactor.Credential) bool { return c.Cookie == "" && !c.Basic })
}

// admit begins a verified session without a challenge: by a recent pass, or by
// the evidence of single sign-on. Both are in the audit trail first.
func (g *Gateway) admit(ctx context.Context, l *proof, d policy.Decision) (*sessions.Session, *http.Cookie, error) {
	event, rec := audit.LoginReleased, g.recordOf(l)
	rec.AuthTime, rec.Idle = rec.BeganAt, g.site.Idle
	rec.ExpiresAt = capped(rec.BeganAt.Add(g.site.Life), l.who)
	trusted := d.Reasons[0].Code == policy.ReasonTrustedBrowser
	if rec.Passed = trusted || d.Reasons[0].Code == policy.ReasonRecentPass; rec.Passed {
		rec.AuthTime = l.passed // of two linked sites each would renew the other's
	}
	if trusted {
		event = audit.LoginTrusted
	}
	if d.Reasons[0].Code == policy.ReasonSingleSignOn {
		event = audit.LoginSignedOn
		if e, _ := l.who.Evidence(); !e.AuthTime.IsZero() {
			rec.AuthTime = e.AuthTime
		}
		if err := g.svc.Accounts.NoteFederated(ctx, rec.Subject); err != nil {
			return nil, nil, err
		}
	}
	if err := g.record(ctx, l.visit, event, rec.Subject, l.reference, d.Reasons...); err != nil {
		return nil, nil, err
	}
	live, ck, err := g.svc.Sessions.Admit(ctx, rec, l.tokens()...)
	if err == nil {
		err = g.follow(ctx, live, l.who.Issued())
	}
	return live, ck, err
}

// refuseLogin refuses a person whom the console accepted.
func (g *Gateway) refuseLogin(ctx context.Context, l *proof, d policy.Decision) error {
	if err := g.record(ctx, l.visit, audit.LoginRefused, l.who.Subject(), l.reference, d.Reasons...); err != nil {
		return g.fault(l.visit, err)
	}
	notice := templates.Notice{Kind: templates.NoticeNotAllowed, Next: "/"}
	if len(d.Reasons) > 0 {
		if kind, ok := refusals[d.Reasons[len(d.Reasons)-1].Code]; ok {
			notice.Kind = kind
		}
	}
	if o := g.issuer(l.who.Source()); o != nil && notice.Kind == templates.NoticeFreshSignOnNeeded {
		notice.Next = OIDC{o}.path("again") + "?return=" + url.QueryEscape(l.goOn)
	}
	return g.tell(l.visit, http.StatusForbidden, refusal{notice: notice,
		reference: l.reference, subject: l.who.Subject().Name, decision: d})
}

// refusals are the pages of those refusals that say what to do.
var refusals = map[policy.Code]templates.NoticeKind{
	policy.ReasonLocked:        templates.NoticeLockedOut,
	policy.ReasonFederatedOnly: templates.NoticeSignOnNeeded,
	policy.ReasonNotFresh:      templates.NoticeFreshSignOnNeeded,
	policy.ReasonNotInGroup:    templates.NoticeNotInGroup,
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
