package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

const signOutPath = Base + "/signout"

// onSignOut lets a person end the session: a page with a button, and what the
// button does. It is also where issuers lead people back to.
func (g *Gateway) onSignOut(v *visit) error {
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	if err := g.identify(ctx, v); err != nil {
		return g.fault(v, err)
	}
	switch {
	case v.ambiguous:
		return g.ambiguous(v)
	case v.Method == http.MethodPost:
		return g.signOut(ctx, v)
	case v.Method != http.MethodGet && v.Method != http.MethodHead:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		v.w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	case v.session == nil:
		return g.signedOut(v)
	}
	g.pages.Write(v.w, v.asReceived(), http.StatusOK, g.frame(v.session.Subject.Name, ""), templates.SignOut{})
	return nil
}

// signOut ends the session here, whatever the issuer says, and then leads to
// where it ends there (OpenID Connect RP-Initiated Logout 1.0).
func (g *Gateway) signOut(ctx context.Context, v *visit) error {
	if err := crossOrigin.Check(v.Request.Request); err != nil {
		return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: "/"}, policy.Reason{Code: policy.ReasonCrossSite})
	}
	if v.session == nil { // perhaps it only does not count beside what this request asserts
		if err := g.recognize(ctx, v); err != nil {
			return g.fault(v, err)
		}
	}
	if v.session == nil {
		return g.signedOut(v)
	}
	issuerPage := g.issuerPage(ctx, v)
	if err := g.endIn(ctx, v, policy.ReasonSignedOut); err != nil {
		return g.fault(v, err)
	}
	ck, err := g.svc.Sessions.Dropped(g.site.Name)
	if err != nil {
		return g.fault(v, err)
	}
	http.SetCookie(v.w, ck)
	if issuerPage == "" {
		return g.signedOut(v)
	}
	// Not a redirect: our form's policy would hold for it.
	v.w.Header().Set("Refresh", "0; url="+issuerPage)
	return g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeSigningOut, Next: issuerPage}})
}

func (g *Gateway) signedOut(v *visit) error {
	return g.tell(v, http.StatusOK, refusal{notice: templates.Notice{Kind: templates.NoticeSignedOut, Next: g.signInPath("/")}})
}

// issuerPage is where the person signs out of the issuer's session too, "" if
// there is no such page or it cannot be told now: here they are signed out all
// the same.
func (g *Gateway) issuerPage(ctx context.Context, v *visit) string {
	issuer := g.issuer(v.session.Source)
	if issuer == nil {
		return ""
	}
	token := ""
	issued, err := g.takeIssued(ctx, v.session)
	if err == nil {
		token = issued.Token
	}
	if errors.Is(err, escrow.ErrNotFound) {
		err = nil
	}
	to, unknown := issuer.Leave(ctx, token, v.origin()+signOutPath)
	if err = errors.Join(err, unknown); err != nil {
		g.log.Warn("a person was signed out here and perhaps not at the issuer", "site", g.site.Name, "issuer", issuer.Issuer, "error", err)
	}
	return to
}
