package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/argon"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// passwordBase is where Stepgate's own sign-in page lies.
const passwordBase = signInBase + "/" + firstfactor.SourcePassword

// PasswordLink is the address of a person's one-time link at a site. What
// stands behind the # is never sent, so that no server or proxy logs it: a
// person sends it by the page's form.
func PasswordLink(origin string, t accounts.Ticket) string {
	return origin + passwordBase + "/link#" + string(t)
}

// PasswordSignIn is Stepgate's own sign-in page, where people also choose
// their first password and change it.
type PasswordSignIn struct{ firstfactor.Password }

// ID implements SignIn.
func (PasswordSignIn) ID() string { return firstfactor.SourcePassword }

// Label implements SignIn.
func (s PasswordSignIn) Label() string { return cmp.Or(s.Password.Label, "Password") }

func (s PasswordSignIn) serve(g *Gateway, v *visit, rest string) error {
	p := &passwordPage{s, g, v}
	switch rest {
	case "":
		return g.ownForm(v, p.show, p.signIn)
	case "link":
		return g.ownForm(v, p.showLink, p.redeem)
	case "change":
		return g.ownForm(v, p.showChange, p.change)
	default:
		return g.notFound(v)
	}
}

// ownForm serves a page that has one form of ours. What it sets off is
// finished although its browser went.
func (g *Gateway) ownForm(v *visit, show func() error, take func(context.Context) error) error {
	switch v.Method {
	case http.MethodGet, http.MethodHead:
		return show()
	case http.MethodPost:
	default:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		v.w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	if done, err := g.readForm(v); done {
		return err
	}
	if err := crossOrigin.Check(v.Request.Request); err != nil {
		return g.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: "/"}, policy.Reason{Code: policy.ReasonCrossSite})
	}
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	return take(ctx)
}

// passwordPage is one request for a page of passwords.
type passwordPage struct {
	PasswordSignIn
	g *Gateway
	v *visit
}

func (p *passwordPage) write(status int, who string, view templates.View) error {
	p.g.pages.Write(p.v.w, p.v.asReceived(), status, p.g.frame(who, ""), view)
	return nil
}

func (p *passwordPage) show() error {
	return p.write(http.StatusOK, "", templates.Password{Return: p.v.wanted()})
}

// signIn takes name and password. A name that nobody has is answered as a
// wrong password is, after the same work.
func (p *passwordPage) signIn(ctx context.Context) error {
	in, err := p.typed(ctx, p.v.PostForm.Get("name"))
	if err != nil {
		return p.fault(err)
	}
	result, err := p.g.svc.Passwords.SignIn(ctx, in)
	if err != nil {
		return p.fault(err)
	}
	if !result.Identity.IsZero() {
		return p.g.signedIn(ctx, p.v, result.Identity, p.v.wanted())
	}
	if err := p.noteFailure(ctx, result); err != nil {
		return p.fault(err)
	}
	view := templates.Password{Return: p.v.wanted(), Name: in.Name, LockedUntil: result.LockedUntil}
	if !view.Locked() {
		view.Error = templates.WrongPassword
	}
	return p.write(failureStatus(result), "", view)
}

// failureStatus is 429 where nothing was compared.
func failureStatus(r firstfactor.SignInResult) int {
	if r.LockedUntil.IsZero() {
		return http.StatusUnprocessableEntity
	}
	return http.StatusTooManyRequests
}

// typed is what the form says, of somebody at this address and browser.
func (p *passwordPage) typed(ctx context.Context, name string) (firstfactor.SignIn, error) {
	b, err := p.g.lastPass(ctx, p.v, identity.Subject{Realm: p.g.site.Realm, Name: name})
	return firstfactor.SignIn{Realm: p.g.site.Realm, Name: name, Password: p.v.PostForm.Get("password"),
		Network: network(p.v.at.Address), Known: b.Known}, err
}

// noteFailure never records what was typed: people type passwords where names
// belong. What was not compared costs nobody anything, and could fill the disk.
func (p *passwordPage) noteFailure(ctx context.Context, r firstfactor.SignInResult) error {
	why := policy.Reason{Code: policy.ReasonWrongPassword}
	switch {
	case !r.LockedUntil.IsZero():
		return p.g.recordOnceOf(p.v, audit.PasswordLocked, r.Person.Subject, "", "", policy.Reason{Code: policy.ReasonBudget})
	case r.Person.Subject.IsZero():
		why = policy.Reason{Code: policy.ReasonUnknownName}
	}
	return p.g.record(ctx, p.v, audit.PasswordFailed, r.Person.Subject, "", why)
}

// fault tells people to try again: at once when only the machine is busy.
func (p *passwordPage) fault(err error) error {
	if errors.Is(err, argon.ErrBusy) {
		p.g.log.Warn("a sign-in was turned away: too many passwords at once", "site", p.g.site.Name, "address", p.v.at.Address)
		return p.g.tell(p.v, http.StatusServiceUnavailable, refusal{
			decision: policy.Decision{Reasons: []policy.Reason{{Code: policy.ReasonBusy}}},
			notice:   templates.Notice{Kind: templates.NoticeBusy, RetryAt: p.g.svc.Now().Add(busyFor)}})
	}
	return p.g.fault(p.v, err)
}

// busyFor is when a queue of passwords is likely to be short again.
const busyFor = 3 * time.Second
