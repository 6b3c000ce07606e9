package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// refusal is one answer of ours in both shapes: a page for a person, problem
// details (RFC 9457) for everything else.
type refusal struct {
	notice       templates.Notice
	subject      string
	reference    string
	decision     policy.Decision
	challengeURL string
}

// problem is RFC 9457 with what a script needs to lead its person on.
type problem struct {
	Type         string          `json:"type"`
	Title        string          `json:"title"`
	Status       int             `json:"status"`
	Detail       string          `json:"detail,omitempty"`
	ChallengeURL string          `json:"challenge_url,omitempty"`
	Reason       policy.Code     `json:"reason,omitempty"`
	Reasons      []policy.Reason `json:"reasons,omitempty"`
	Reference    string          `json:"reference,omitempty"`
}

// secondFactorNeeded is a problem of scripts only: a person is led to the
// challenge instead.
const secondFactorNeeded templates.NoticeKind = "second_factor_needed"

// title is what a problem is called in the client's language.
func (g *Gateway) title(v *visit, kind templates.NoticeKind) string {
	if kind == secondFactorNeeded {
		return g.pages.Text(v.Request.Request, templates.ProblemSecondFactor)
	}
	return g.pages.Text(v.Request.Request, "notice."+string(kind)+".title")
}

// problemTypes is where the documentation explains each type.
const problemTypes = "https://stepgate.dev/problems/"

// tell answers in the shape that the client can use.
func (g *Gateway) tell(v *visit, status int, r refusal) error {
	if v.navigates() || strings.HasPrefix(v.asReceived().URL.Path, Base+"/") {
		g.pages.Write(v.w, v.asReceived(), status, g.frame(r.subject, r.reference), r.notice)
		return nil
	}
	return g.tellMachine(v, status, r)
}

func (g *Gateway) tellMachine(v *visit, status int, r refusal) error {
	p := problem{Type: problemTypes + string(r.notice.Kind), Status: status, Detail: r.notice.Detail,
		Title:        g.title(v, r.notice.Kind),
		ChallengeURL: r.challengeURL, Reasons: r.decision.Reasons, Reference: r.reference}
	if len(r.decision.Reasons) > 0 {
		p.Reason = r.decision.Reasons[0].Code
	}
	body, err := g.marshal(v, p)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", fmt.Sprintf(`Stepgate realm=%q, error="insufficient_user_authentication", error_description="A second factor is required"`, g.site.Name))
	}
	if !r.notice.RetryAt.IsZero() {
		h.Set("Retry-After", retryAfter)
	}
	v.w.WriteHeader(status)
	if v.Method != http.MethodHead {
		_, _ = v.w.Write(body)
	}
	return nil
}

// toChallenge leads a browser to its pending challenge.
func (g *Gateway) toChallenge(v *visit, d policy.Decision) error {
	if v.navigates() {
		return redirect(v, Base+"/challenge")
	}
	return g.tellMachine(v, http.StatusUnauthorized, refusal{decision: d, challengeURL: Base + "/challenge",
		notice: templates.Notice{Kind: secondFactorNeeded}})
}

// toSignIn leads a person to where people of this site sign in.
func (g *Gateway) toSignIn(v *visit, d policy.Decision) error {
	to := g.signInPath(v.local())
	if v.navigates() && g.asksBasic() {
		return g.askBasic(v, d)
	}
	if !v.navigates() {
		return g.tellMachine(v, http.StatusUnauthorized, refusal{decision: d, challengeURL: to,
			notice: templates.Notice{Kind: templates.NoticeSignInNeeded}})
	}
	return redirect(v, to)
}

// signInPath is where somebody signs in who wanted a path.
func (g *Gateway) signInPath(wanted string) string {
	if len(g.site.SignIns) > 0 || len(g.site.Asserted) > 0 {
		return chooser(wanted)
	}
	return g.loginPage(wanted)
}

// loginPage is the console's own for somebody who wanted a path: {return}
// stands for the whole of it, {query.NAME} for a field of its query.
func (g *Gateway) loginPage(wanted string) string {
	if g.site.Console.LoginPage == "" {
		return wanted // where the browser asks by itself
	}
	return placeholder.ReplaceAllStringFunc(g.site.Console.LoginPage, func(name string) string {
		if name == "{return}" {
			return url.QueryEscape(wanted)
		}
		u, err := url.Parse(wanted)
		if err != nil {
			return ""
		}
		return url.QueryEscape(u.Query().Get(strings.Trim(name[len("{query."):], "}")))
	})
}

var placeholder = regexp.MustCompile(`\{return\}|\{query\.[^}]+\}`)

func redirect(v *visit, to string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (g *Gateway) deny(v *visit, d policy.Decision) error {
	if len(d.Reasons) == 0 {
		d.Reasons = []policy.Reason{{Code: policy.ReasonUnknown}}
	}
	switch d.Reasons[0].Code {
	case policy.ReasonAmbiguous:
		return g.ambiguous(v)
	case policy.ReasonAssertion:
		return g.refused(v, http.StatusUnauthorized, templates.Notice{Kind: templates.NoticeAssertionInvalid, Next: "/"}, d.Reasons...)
	}
	return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeNotAllowed, Next: "/"}, d.Reasons...)
}

// refused refuses a request for good, and records that it did.
func (g *Gateway) refused(v *visit, status int, n templates.Notice, reasons ...policy.Reason) error {
	if err := g.recordOnce(v, audit.RequestRefused, string(reasons[0].Code), "", reasons...); err != nil {
		return g.fault(v, err)
	}
	return g.tell(v, status, refusal{notice: n, decision: policy.Decision{Reasons: reasons}})
}

// ambiguous refuses two cookies of our name, of which one may be planted, and
// replaces them by one that stands for nobody.
func (g *Gateway) ambiguous(v *visit) error {
	if ck, err := g.svc.Sessions.Dropped(g.site.Name); err == nil {
		http.SetCookie(v.w, ck)
	}
	return g.refused(v, http.StatusBadRequest, templates.Notice{Kind: templates.NoticeAmbiguousSession, Next: "/"},
		policy.Reason{Code: policy.ReasonAmbiguous})
}

func (g *Gateway) gone(v *visit) error {
	return g.tell(v, http.StatusForbidden, refusal{notice: templates.Notice{Kind: templates.NoticeChallengeGone, Next: g.signInPath("/")}})
}

func (g *Gateway) plainHTTP(v *visit) error {
	return g.tell(v, http.StatusForbidden, refusal{notice: templates.Notice{Kind: templates.NoticePlainHTTP, Next: "https://" + v.Host + "/"},
		decision: policy.Decision{Reasons: []policy.Reason{{Code: policy.ReasonPlainHTTP}}}})
}

func (g *Gateway) malformed(v *visit, err error) error {
	g.log.Warn("malformed request refused", "site", g.site.Name, "error", err, "address", v.at.Address)
	return g.refused(v, http.StatusBadRequest, templates.Notice{Kind: templates.NoticeMalformedRequest}, policy.Reason{Code: policy.ReasonMalformed})
}

// retryAfter is when asking again makes sense, in seconds: a store is back
// within ten.
const retryAfter = "5"

// fault denies because something could not be told, and says to try again.
func (g *Gateway) fault(v *visit, err error) error {
	switch {
	case v.Context().Err() != nil: // the client went, or closed its half
		v.w.WriteHeader(http.StatusBadRequest)
		return nil
	case isMalformed(err):
		return g.malformed(v, err)
	case errors.Is(err, firstfactor.ErrElsewhere):
		return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeNotAllowed, Next: "/"},
			policy.Reason{Code: policy.ReasonElsewhere})
	}
	reference := audit.NewReference()
	g.log.Error("a request was denied because its session could not be told", "site", g.site.Name, "error", err, "reference", reference)
	return g.unavailable(v, reference)
}

func (g *Gateway) unavailable(v *visit, reference string) error {
	return g.tell(v, http.StatusServiceUnavailable, refusal{reference: reference,
		decision: policy.Decision{Reasons: []policy.Reason{{Code: policy.ReasonStoreFault}}},
		notice:   templates.Notice{Kind: templates.NoticeUnavailable, RetryAt: g.svc.Now().Add(5 * time.Second)}})
}

// Unavailable answers in place of ServeHTTP while the stores are not there
// yet. Of the services it uses the clock alone.
func (g *Gateway) Unavailable(w http.ResponseWriter, r *http.Request, at Arrival) error {
	v := &visit{Request: &match.Request{Request: r}, w: w, at: at}
	if own := v.asReceived(); strings.HasPrefix(own.URL.Path, Base+"/assets/") && match.Plain(own.URL) {
		g.pages.ServeAsset(w, own)
		return nil
	}
	return g.unavailable(v, "")
}

// unclear withholds an answer that is neither a success nor a failure: the
// console was upgraded, or somebody found another way in.
func (g *Gateway) unclear(v *visit, differs string) error {
	reference := audit.NewReference()
	g.log.Error("a login's answer is neither a success nor a failure and was withheld; compare the preset with the console",
		"site", g.site.Name, "differs", differs, "path", v.URL.Path, "reference", reference)
	if err := g.recordOnce(v, audit.LoginUnclear, "", reference, policy.Reason{Code: policy.ReasonUnclear, Detail: differs}); err != nil {
		return g.fault(v, err)
	}
	return g.tell(v, http.StatusBadGateway, refusal{reference: reference,
		decision: policy.Decision{Reasons: []policy.Reason{{Code: policy.ReasonUnclear}}},
		notice:   templates.Notice{Kind: templates.NoticeLoginUnclear, Next: g.signInPath("/")}})
}

func refererPath(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return u.RequestURI()
}
