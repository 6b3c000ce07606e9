package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// OIDC is signing in at an OpenID Connect provider. Its pages: "" begins,
// "again" has the provider ask the person again, "callback" is where people
// come back, "backchannel" is for the provider itself.
type OIDC struct{ Issuer *firstfactor.Issuer }

// ID implements SignIn.
func (o OIDC) ID() string { return o.Issuer.ID }

// Label implements SignIn.
func (o OIDC) Label() string { return o.Issuer.Label }

// exchangeTimeout bounds what a callback does: it asks the issuer for tokens,
// and perhaps for keys and claims.
const exchangeTimeout = 20 * time.Second

func (o OIDC) serve(g *Gateway, v *visit, rest string) error {
	want := http.MethodGet
	if rest == "backchannel" {
		want = http.MethodPost
	}
	pages := map[string]func(*Gateway, *visit) error{
		"":            func(g *Gateway, v *visit) error { return o.begin(g, v, false) },
		"again":       func(g *Gateway, v *visit) error { return o.begin(g, v, true) },
		"callback":    o.callback,
		"backchannel": o.backchannel,
	}
	page, ok := pages[rest]
	switch {
	case !ok:
		return g.notFound(v)
	case v.Method != want:
		v.w.Header().Set("Allow", want)
		v.w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	return page(g, v)
}

// begin sends the browser to the issuer.
func (o OIDC) begin(g *Gateway, v *visit, again bool) error {
	e := errand{Errand: firstfactor.NewErrand(v.origin() + o.path("callback")),
		Source: o.ID(), Issuer: o.Issuer.Issuer, Return: v.wanted()}
	to, err := o.Issuer.Begin(v.Context(), e.Errand, o.wish(g, again))
	if err == nil {
		err = g.giveErrand(v, e)
	}
	if err != nil {
		return o.failed(g, v, e.Return, err)
	}
	return redirect(v, to)
}

func (o OIDC) path(rest string) string {
	return signInBase + "/" + url.PathEscape(o.ID()) + "/" + rest
}

// wish asks the issuer for the evidence by which people are not asked again.
func (o OIDC) wish(g *Gateway, again bool) firstfactor.Wish {
	skip := g.site.Skips[o.ID()]
	w := firstfactor.Wish{MaxAge: skip.MaxAge, Anew: again}
	if skip.Mode == policy.SkipACR {
		w.ACR = skip.Values
	}
	return w
}

// origin is how the browser calls this host.
func (v *visit) origin() string {
	scheme := "https"
	if v.TLS == nil && v.Header.Get("X-Forwarded-Proto") != "https" {
		scheme = "http" // a loopback name; all others were refused
	}
	return scheme + "://" + v.Host
}

// callback ends an errand: what can be used once is spent before anything is
// done with it, and a code goes to the issuer that the browser was sent to.
func (o OIDC) callback(g *Gateway, v *visit) error {
	said, err := url.ParseQuery(v.asReceived().URL.RawQuery)
	v.forgetQuery()
	if err != nil || len(said["state"]) > 1 || len(said["code"]) > 1 || len(said["error"]) > 1 {
		return g.malformed(v, errAnswer)
	}
	ctx, cancel := detached(v.Request.Request, exchangeTimeout)
	defer cancel()
	e, ok := g.errandOf(v, said.Get("state"))
	if !ok {
		return g.refused(v, http.StatusBadRequest, templates.Notice{Kind: templates.NoticeSignInGone, Next: chooser("/")},
			policy.Reason{Code: policy.ReasonSignInGone})
	}
	http.SetCookie(v.w, errandLine(e.cookie, "", -1))
	if err := g.spend(ctx, e.spent(), 2*errandLife); err != nil {
		return o.unspent(g, v, e, err)
	}
	if err := o.answered(ctx, e, said); err != nil {
		return o.failed(g, v, e.Return, err)
	}
	if said.Has("error") {
		return o.answeredError(g, v, e, said.Get("error"))
	}
	return o.redeem(ctx, g, v, e, said.Get("code"))
}

// forgetQuery keeps pages from repeating what came with the request, as in the
// link to themselves in another language.
func (v *visit) forgetQuery() {
	u := *v.asReceived().URL
	u.RawQuery = ""
	v.at.Received = &u
}

// errAnswer is all that is said of a callback that has two meanings: it may
// hold a code.
var errAnswer = errors.New("an answer of an issuer that cannot be read in one way only")

func (o OIDC) unspent(g *Gateway, v *visit, e errand, err error) error {
	if !errors.Is(err, accounts.ErrSpent) {
		return g.fault(v, err)
	}
	return g.refused(v, http.StatusBadRequest, templates.Notice{Kind: templates.NoticeSignInGone, Next: chooser(e.Return)},
		policy.Reason{Code: policy.ReasonSignInGone})
}

var errMixedUp = errors.New("the browser was sent to another issuer than the one that answers")

// answered checks whose answer it is. Each issuer has a callback of its own,
// and may name itself (RFC 9700, section 4.4.2).
func (o OIDC) answered(ctx context.Context, e errand, said url.Values) error {
	if e.Source != o.ID() || e.Issuer != o.Issuer.Issuer {
		return errors.Join(firstfactor.ErrAssertion, errMixedUp)
	}
	return o.Issuer.Answered(ctx, said["iss"])
}

// answeredError is for issuers that sign nobody in (OpenID Connect Core 1.0,
// section 3.1.2.6).
func (o OIDC) answeredError(g *Gateway, v *visit, e errand, code string) error {
	kind, reason := templates.NoticeSignInIncomplete, policy.ReasonSignInDenied
	switch code {
	case "access_denied":
		kind = templates.NoticeSignInDenied
	case "login_required", "interaction_required", "account_selection_required", "consent_required",
		"unmet_authentication_requirements":
	case "temporarily_unavailable", "server_error":
		return o.failed(g, v, e.Return, firstfactor.ErrIssuer)
	default:
		return o.failed(g, v, e.Return, errors.Join(firstfactor.ErrAssertion, errors.New("the issuer answers "+errorName(code))))
	}
	return g.refused(v, http.StatusForbidden, templates.Notice{Kind: kind, Next: wayPath(o, e.Return)},
		policy.Reason{Code: reason, Detail: errorName(code)})
}

// errorName is an error's name as far as it looks like one: it comes by the
// browser, from anybody.
func errorName(code string) string {
	for _, r := range code {
		if (r < 'a' || r > 'z') && r != '_' || len(code) > 64 {
			return "an error that is none"
		}
	}
	return code
}

// redeem exchanges the code, and signs the person in.
func (o OIDC) redeem(ctx context.Context, g *Gateway, v *visit, e errand, code string) error {
	who, evidence, err := o.Issuer.Redeem(ctx, g.site.Realm, e.Errand, code, g.svc.Now())
	if err != nil {
		return o.failed(g, v, e.Return, err)
	}
	if evidence != nil {
		g.log.Warn("an issuer's evidence cannot be read and counts for nothing", "site", g.site.Name, "issuer", o.Issuer.Issuer,
			"subject", who.Subject().String(), "error", evidence)
	}
	return g.signedIn(ctx, v, who, e.Return)
}

// failed tells that nobody is signed in: because the issuer cannot be asked
// now, or because what it said does not hold.
func (o OIDC) failed(g *Gateway, v *visit, wanted string, err error) error {
	reference := audit.NewReference()
	r := refusal{reference: reference, notice: templates.Notice{Kind: templates.NoticeSignInFailed, Next: wayPath(o, wanted)}}
	status, reason := http.StatusForbidden, policy.Reason{Code: policy.ReasonAssertion, Detail: o.Issuer.Issuer}
	if !errors.Is(err, firstfactor.ErrAssertion) {
		r.notice.Kind, r.notice.RetryAt = templates.NoticeIssuerUnavailable, g.svc.Now().Add(5*time.Second)
		status, reason.Code = http.StatusServiceUnavailable, policy.ReasonIssuer
	}
	g.log.Error("a sign-in failed", "site", g.site.Name, "issuer", o.Issuer.Issuer, "error", err, "reference", reference)
	if err := g.recordOnce(v, audit.LoginRefused, string(reason.Code)+o.ID(), reference, reason); err != nil {
		return g.fault(v, err)
	}
	r.decision.Reasons = []policy.Reason{reason}
	return g.tell(v, status, r)
}

// issuer is the provider of a source, nil if it is none.
func (g *Gateway) issuer(source string) *firstfactor.Issuer {
	for _, s := range g.site.SignIns {
		if o, ok := s.(OIDC); ok && o.ID() == source {
			return o.Issuer
		}
	}
	return nil
}
