package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// freshPass is how recent a second factor of ours must be for a change of what
// a person signs in with.
const freshPass = 5 * time.Minute

// fresh tells whether the person of a verified session passed just now.
func (g *Gateway) fresh(live *sessions.Session) bool {
	return live.Passed && live.Strength > identity.Unproved && g.svc.Now().Sub(live.AuthTime) <= freshPass
}

// stepUp asks the person of a verified session to pass once more, and leads
// back to a path of this host. Who has nothing to pass with signs in again.
func (g *Gateway) stepUp(ctx context.Context, v *visit, returnTo string) error {
	account, err := g.svc.Accounts.Account(ctx, v.session.Subject)
	if err != nil {
		return g.fault(v, err)
	}
	if account.State != identity.Bound {
		return g.tell(v, http.StatusForbidden, refusal{subject: v.session.Subject.Name,
			notice: templates.Notice{Kind: templates.NoticeNothingBound, Next: "/"}})
	}
	return g.further(ctx, v, challenge.Record{Purpose: challenge.StepUp, ReturnTo: returnTo}, policy.ReasonStepUp)
}

// manage begins to bind something for a person who has just passed: factor in
// place of the credential instead, if that is not empty.
func (g *Gateway) manage(ctx context.Context, v *visit, factor identity.Factor, instead, returnTo string) error {
	return g.further(ctx, v, challenge.Record{Purpose: challenge.Manage, Enroll: true, Binds: factor, Instead: instead,
		Strength: v.session.Strength, ReturnTo: returnTo}, policy.ReasonStepUp)
}

// further begins a challenge of a verified session and leads the browser there.
func (g *Gateway) further(ctx context.Context, v *visit, rec challenge.Record, why policy.Code) error {
	visitor, err := g.visitor(ctx, v, v.session)
	if err != nil {
		return g.fault(v, err)
	}
	now := g.svc.Now()
	rec.ID, rec.Session, rec.Subject, rec.Site = challenge.NewID(), v.session.ID, v.session.Subject, g.site.Name
	rec.Reference, rec.CreatedAt, rec.ExpiresAt = audit.NewReference(), now, now.Add(challenge.Lifetime)
	if err := g.svc.Flow.Begin(ctx, rec, visitor, []policy.Reason{{Code: why, Detail: string(rec.Purpose)}}); err != nil {
		return g.fault(v, err)
	}
	return redirect(v, Base+"/challenge?id="+rec.ID)
}

// furtherOf finds a challenge of a verified session, by the id in its address:
// of another session, browser, person or site it is as if there were none.
func (g *Gateway) furtherOf(ctx context.Context, v *visit) (rec challenge.Record, done bool, err error) {
	rec, err = g.svc.Flow.Challenges.Find(ctx, v.asReceived().URL.Query().Get("id"), g.svc.Now())
	if err != nil && !errors.Is(err, challenge.ErrNotFound) {
		return rec, true, g.fault(v, err)
	}
	ours := rec.Session == v.session.ID && rec.Subject == v.session.Subject && rec.Site == g.site.Name
	if err != nil || !ours || rec.Purpose != challenge.StepUp && rec.Purpose != challenge.Manage {
		return rec, true, g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeSignedIn, Next: "/"}, subject: v.session.Subject.Name})
	}
	return rec, false, nil
}

// renewed follows a step-up.
func (g *Gateway) renewed(ctx context.Context, v *visit, rec challenge.Record, r challenge.Result) error {
	live, ck, err := g.svc.Sessions.Renew(ctx, v.session, both(v.session.AMR, r.AMR), r.Strength, g.svc.Now())
	if errors.Is(err, sessions.ErrNotFound) {
		return g.gone(v)
	}
	if err == nil {
		err = g.followRaised(ctx, live)
	}
	if err != nil {
		return g.fault(v, err)
	}
	http.SetCookie(v.w, ck)
	v.session = live
	return redirect(v, rec.ReturnTo)
}

// passOf is what a result of the flow says of a pass.
func passOf(v *visit, r challenge.Result, at time.Time) pass {
	return pass{amr: slices.Concat(v.session.AMR, r.AMR), at: at, strength: r.Strength, trust: r.Trust,
		recovered: r.Factor == identity.Recovery, unnoticed: r.Unnoticed}
}

// The pages that a person is shown once after a pass, before where they wanted
// to go.
const (
	recoveredPath = securityBase + "/recovered"
	noticedPath   = securityBase + "/noticed"
)

// onTheWay is what the person of a raised session has to see before going on.
func (g *Gateway) onTheWay(v *visit, by pass, to string) string {
	page := ""
	switch {
	case by.recovered:
		page = recoveredPath
	case by.unnoticed:
		page = noticedPath
	default:
		return to
	}
	return page + "?" + g.returning(v, to)
}

// trust lets the person's next logins in this browser pass.
func (g *Gateway) trust(ctx context.Context, v *visit, live *sessions.Session, mark sessions.Browser) error {
	until := g.svc.Now().Add(g.rulesFor(live.Subject, live.Groups).TrustBrowser)
	if err := g.record(ctx, v, audit.BrowserTrusted, live.Subject, ""); err != nil {
		return err
	}
	return g.svc.Accounts.TrustBrowser(ctx, live.Subject, mark.Digest(g.site.Name, live.Subject), until)
}

// contactOnFile tells whether somebody who never bound anything can be reached.
func (g *Gateway) contactOnFile(a accounts.Account) bool {
	return slices.ContainsFunc(a.Contacts, func(c accounts.Contact) bool { return g.svc.Flow.Book.Has(c.Kind) })
}
