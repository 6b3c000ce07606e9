package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// signInBase is where people choose how to sign in; below it, by the source's
// id, lie the pages of each.
const signInBase = Base + "/signin"

// SignIn is a way of signing in that has pages of its own.
type SignIn interface {
	// ID names it in the path, as long as the site is described so.
	ID() string
	// Label is what its button says.
	Label() string
	// serve answers what lies below its path; "" begins.
	serve(g *Gateway, v *visit, rest string) error
}

// ConsoleSignIn is the console's own login page, as one of several ways.
type ConsoleSignIn struct{ Name string }

// ID implements SignIn.
func (ConsoleSignIn) ID() string { return firstfactor.SourceConsole }

// Label implements SignIn.
func (s ConsoleSignIn) Label() string { return s.Name }

func (ConsoleSignIn) serve(g *Gateway, v *visit, rest string) error {
	if rest != "" {
		return g.notFound(v)
	}
	return redirect(v, g.loginPage(v.wanted()))
}

// chooser is the address of the choice, for somebody who wanted a path.
func chooser(wanted string) string { return signInBase + "?return=" + url.QueryEscape(wanted) }

// wanted is where a person goes on after the sign-in.
func (v *visit) wanted() string {
	return localPath(v.asReceived().URL.Query().Get("return"))
}

// onSignIn serves the choice and what lies below it.
func (g *Gateway) onSignIn(v *visit, below string) error {
	id, rest, _ := strings.Cut(below, "/")
	if id == "" {
		return g.choose(v)
	}
	for _, s := range g.site.SignIns {
		if s.ID() == id {
			return s.serve(g, v, rest)
		}
	}
	return g.notFound(v)
}

// choose shows the ways of signing in. Where there is one, it is taken.
func (g *Gateway) choose(v *visit) error {
	ways := g.site.SignIns
	if err := g.identify(v.Context(), v); err != nil {
		return g.fault(v, err)
	}
	switch {
	case v.ambiguous:
		return g.ambiguous(v)
	case v.verified():
		return redirect(v, v.wanted())
	case v.session != nil:
		return redirect(v, Base+"/challenge")
	case len(ways) == 0 && v.asserted.names(), len(ways) == 0 && g.site.Console.LoginPage == "":
		return g.signedInElsewhere(v)
	case len(ways) == 0:
		return redirect(v, g.loginPage(v.wanted()))
	case len(ways) == 1:
		return redirect(v, wayPath(ways[0], v.wanted()))
	}
	view := templates.SignIn{}
	for _, s := range ways {
		view.Ways = append(view.Ways, templates.Way{Label: s.Label(), URL: wayPath(s, v.wanted())})
	}
	g.pages.Write(v.w, v.asReceived(), http.StatusOK, g.frame("", ""), view)
	return nil
}

func wayPath(s SignIn, wanted string) string {
	return signInBase + "/" + url.PathEscape(s.ID()) + "?return=" + url.QueryEscape(wanted)
}

// signedInElsewhere is for sites whose people are signed in by somebody else,
// with each request: there is nothing to choose.
func (g *Gateway) signedInElsewhere(v *visit) error {
	if v.asserted.names() {
		return redirect(v, v.wanted())
	}
	return g.tell(v, http.StatusUnauthorized, refusal{notice: templates.Notice{Kind: templates.NoticeNotAsserted, Next: v.wanted()},
		decision: policy.Decision{Reasons: []policy.Reason{{Code: policy.ReasonNoSession}}}})
}

func (g *Gateway) notFound(v *visit) error {
	return g.tell(v, http.StatusNotFound, refusal{notice: templates.Notice{Kind: templates.NoticeNotFound, Next: "/"}})
}

func (g *Gateway) proofOf(v *visit, who firstfactor.Identity, goOn string) *proof {
	return &proof{visit: v, who: who, goOn: goOn, reference: audit.NewReference()}
}

// signedIn follows a sign-in on a page of ours. Whoever was in this browser
// before is no longer: the new person starts from zero.
func (g *Gateway) signedIn(ctx context.Context, v *visit, who firstfactor.Identity, goOn string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := g.identify(ctx, v); err != nil {
		return g.fault(v, err)
	}
	if err := g.drop(ctx, v); err != nil {
		return g.fault(v, err)
	}
	return g.settle(ctx, g.proofOf(v, who, localPath(goOn)), (*Gateway).goOnAdmitted)
}

func (g *Gateway) goOnAdmitted(ctx context.Context, l *proof, d policy.Decision) error {
	_, ck, err := g.admit(ctx, l, d)
	if err != nil {
		return g.fault(l.visit, err)
	}
	http.SetCookie(l.w, ck)
	return g.goOn(l.visit, l.goOn)
}
