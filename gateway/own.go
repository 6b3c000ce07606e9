package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// maxForm is the largest form that our own pages send, in bytes.
const maxForm = 8 << 10

// crossOrigin refuses forms that another site sent (CSRF), by Fetch Metadata
// or Origin. The challenge's id in the form is the second lock.
var crossOrigin = http.NewCrossOriginProtection()

// own serves the paths below Base. Only their one plain spelling is ours; all
// others are nobody's, and never the console's.
func (g *Gateway) own(v *visit) error {
	r := v.asReceived()
	path := r.URL.Path
	if !match.Plain(r.URL) {
		path = ""
	}
	switch {
	case strings.HasPrefix(path, Base+"/assets/"):
		g.pages.ServeAsset(v.w, r)
		return nil
	case path == Base+"/language":
		g.pages.ServeLanguage(v.w, r)
		return nil
	case !v.at.Secure:
		return g.plainHTTP(v)
	case path == Base+"/challenge":
		return g.onChallenge(v)
	case path == securityBase || strings.HasPrefix(path, securityBase+"/"):
		return g.onSecurity(v, strings.TrimPrefix(path[len(securityBase):], "/"))
	case path == signOutPath:
		return g.onSignOut(v)
	case path == linkBase:
		return g.onLink(v)
	case path == signInBase || strings.HasPrefix(path, signInBase+"/"):
		return g.onSignIn(v, strings.TrimPrefix(path[len(signInBase):], "/"))
	case path == Base+"/cancel" && v.Method == http.MethodPost:
		return g.onCancel(v)
	default:
		return g.notFound(v)
	}
}

// asReceived is the request as the browser sent it, before any rewrite: our
// paths and the ways back are the browser's.
func (v *visit) asReceived() *http.Request {
	if v.at.Received == nil {
		return v.Request.Request
	}
	r := *v.Request.Request
	r.URL, r.RequestURI = v.at.Received, v.at.Received.RequestURI()
	return &r
}

// onChallenge shows or takes the challenge of the browser's session.
func (g *Gateway) onChallenge(v *visit) error {
	if done, err := g.readForm(v); done {
		return err
	}
	// What a code sets off is finished although its browser went.
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	rec, done, err := g.pending(ctx, v)
	if done || err != nil {
		return err
	}
	way := v.asReceived().URL.Query().Get("factor")
	if led, err := g.askElsewhere(ctx, v, rec); led {
		return err
	} else if err != nil {
		return g.fault(v, err)
	}
	visitor, err := g.visitor(ctx, v, v.session)
	if err != nil {
		return g.fault(v, err)
	}
	var result challenge.Result
	switch v.Method {
	case http.MethodGet, http.MethodHead:
		result, err = g.svc.Flow.Show(ctx, rec, way, visitor)
	case http.MethodPost:
		result, done, err = g.submit(ctx, v, rec, way, visitor)
	default:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		v.w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	if done {
		return err
	}
	if err != nil {
		return g.fault(v, err)
	}
	return g.conclude(ctx, v, rec, result)
}

// conclude turns a result of the flow into an answer.
func (g *Gateway) conclude(ctx context.Context, v *visit, rec challenge.Record, result challenge.Result) error {
	switch {
	case result.Passed && rec.Purpose == challenge.StepUp:
		return g.renewed(ctx, v, rec, result)
	case result.Passed && rec.Purpose == challenge.Manage:
		return redirect(v, rec.ReturnTo)
	case result.Passed:
		return g.release(ctx, v, rec, passOf(v, result, g.svc.Now()))
	case v.verified() && result.Anew:
		return redirect(v, securityBase)
	}
	if result.Over && !v.verified() {
		if err := g.svc.Sessions.End(ctx, v.session); err != nil {
			return g.fault(v, err)
		}
	}
	if result.Anew {
		if len(g.site.SignIns) > 0 {
			return g.gone(v) // a redirect could go on to an issuer, which the policy of our forms forbids
		}
		return redirect(v, g.signInPath("/"))
	}
	if n, ok := result.View.(templates.Notice); ok {
		n.Next = g.signInPath("/")
		result.View = n
	}
	g.pages.Write(v.w, v.asReceived(), result.Status, g.frame(rec.Subject.Name, rec.Reference), result.View)
	return nil
}

// pending finds the challenge of the browser's session, bound as it must be.
func (g *Gateway) pending(ctx context.Context, v *visit) (rec challenge.Record, done bool, err error) {
	if err := g.identify(ctx, v); err != nil {
		return rec, true, g.fault(v, err)
	}
	switch {
	case v.ambiguous:
		return rec, true, g.ambiguous(v)
	case v.verified() && v.asReceived().URL.Query().Has("id"):
		return g.furtherOf(ctx, v)
	case v.verified():
		return rec, true, g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeSignedIn, Next: "/"}, subject: v.session.Subject.Name})
	case v.session == nil:
		return rec, true, g.gone(v)
	}
	rec, err = g.svc.Flow.Challenges.Find(ctx, v.session.Challenge, g.svc.Now())
	if errors.Is(err, challenge.ErrNotFound) || err == nil && !g.boundTo(rec, v) {
		// Without its challenge the session leads nowhere, and would lead
		// there again from every page.
		if err := g.svc.Sessions.End(ctx, v.session); err != nil {
			return rec, true, g.fault(v, err)
		}
		return rec, true, g.gone(v)
	}
	if err != nil {
		return rec, true, g.fault(v, err)
	}
	return rec, false, nil
}

func (g *Gateway) boundTo(rec challenge.Record, v *visit) bool {
	return rec.Session == v.session.ID && rec.Subject == v.session.Subject &&
		rec.Site == g.site.Name && rec.Purpose == g.purpose(v.session)
}

func (g *Gateway) submit(ctx context.Context, v *visit, rec challenge.Record, way string, visitor challenge.Visitor) (r challenge.Result, done bool, err error) {
	if done, err := g.badForm(v, rec.ID); done {
		return r, true, err
	}
	r, err = g.svc.Flow.Submit(ctx, rec, answerOf(v.PostForm, way), visitor)
	return r, false, err
}

// answerOf reads what the page of a factor sends.
func answerOf(form url.Values, way string) challenge.Answer {
	do := form.Get("do")
	return challenge.Answer{Way: way,
		Code: form.Get("code"), First: form.Get("code1"), Second: form.Get("code2"), Fresh: form.Get("fresh") != "",
		Send: do == "send", Again: do == "again", Enable: do == "enable", File: do == "file",
		Kind: form.Get("kind"), Address: form.Get("address"), Name: form.Get("name"),
		Passkey: []byte(form.Get("answer")), Trust: form.Get("trust") != "",
	}
}

// readForm reads a form of ours, however slowly it comes.
func (g *Gateway) readForm(v *visit) (done bool, err error) {
	if v.Method != http.MethodPost {
		return false, nil
	}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := v.ParseForm(); err != nil {
		return true, g.malformed(v, err)
	}
	return false, nil
}

// badForm refuses forms of other sites, of other challenges, and too large
// ones.
func (g *Gateway) badForm(v *visit, id string) (bool, error) {
	if err := crossOrigin.Check(v.Request.Request); err != nil {
		return true, g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: "/"}, policy.Reason{Code: policy.ReasonCrossSite})
	}
	if v.PostForm.Get("challenge") != id {
		return true, g.gone(v)
	}
	return false, nil
}

// onCancel ends a pending login.
func (g *Gateway) onCancel(v *visit) error {
	if done, err := g.readForm(v); done {
		return err
	}
	ctx, cancel := context.WithTimeout(v.Context(), storeTimeout)
	defer cancel()
	rec, done, err := g.pending(ctx, v)
	if done || err != nil {
		return err
	}
	if done, err := g.badForm(v, rec.ID); done {
		return err
	}
	visitor, err := g.visitor(ctx, v, v.session)
	if err == nil {
		err = g.svc.Flow.Cancel(ctx, rec, visitor)
	}
	if err == nil {
		err = g.svc.Sessions.End(ctx, v.session)
	}
	if err != nil {
		return g.fault(v, err)
	}
	return g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeCanceled, Next: g.signInPath("/")}})
}

func (g *Gateway) frame(subject, reference string) templates.Frame {
	return templates.Frame{Site: g.site.Name, Subject: subject, Reference: reference, Now: g.svc.Now()}
}
