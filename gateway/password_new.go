package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// changePath is where people change their password.
const changePath = passwordBase + "/change"

// showLink asks for the ticket, which stands in the link where no server sees
// it.
func (p *passwordPage) showLink() error {
	return p.write(http.StatusOK, "", templates.Link{})
}

// redeem takes the ticket, which names the person, and then the ticket with a
// password. Only the latter spends it.
func (p *passwordPage) redeem(ctx context.Context) error {
	ticket := accounts.ReadTicket(p.v.PostForm.Get("ticket"))
	who, err := p.g.svc.Passwords.LinkOf(ctx, p.g.site.Realm, ticket)
	if err != nil {
		return p.noLink(ctx, err)
	}
	view := templates.NewPassword{Account: who.Name, Ticket: string(ticket), Shortest: p.Shortest()}
	if !p.v.PostForm.Has("password1") {
		return p.write(http.StatusOK, who.Name, view)
	}
	if view.Error = p.weak(who); view.Error != templates.NoPasswordError {
		return p.write(http.StatusUnprocessableEntity, who.Name, view)
	}
	proved, err := p.g.svc.Passwords.Redeem(ctx, p.g.site.Realm, ticket, p.v.PostForm.Get("password1"))
	if err != nil {
		return p.noLink(ctx, err)
	}
	if err := p.replaced(ctx, audit.PasswordSet, who); err != nil {
		return p.fault(err)
	}
	return p.g.signedIn(ctx, p.v, proved, "/")
}

func (p *passwordPage) noLink(ctx context.Context, err error) error {
	if !errors.Is(err, accounts.ErrNoLink) {
		return p.fault(err)
	}
	if err := p.g.recordOnce(p.v, audit.PasswordLinkRefused, "", "", policy.Reason{Code: policy.ReasonNoLink}); err != nil {
		return p.fault(err)
	}
	return p.g.tell(p.v, http.StatusForbidden, refusal{notice: templates.Notice{Kind: templates.NoticeLinkGone, Next: "/"}})
}

// weak is what is wrong with a new password.
func (p *passwordPage) weak(who identity.Subject) templates.PasswordError {
	password := p.v.PostForm.Get("password1")
	if w := p.Check(password, who.Name, p.g.site.Name, p.g.site.Realm, p.g.pages.Brand()); w != firstfactor.Strong {
		return templates.PasswordError(w)
	}
	if p.v.PostForm.Get("password2") != password {
		return templates.NotTheSame
	}
	return templates.NoPasswordError
}

// replaced follows a new password: every session that the old one began ends,
// and so does the trust in browsers.
func (p *passwordPage) replaced(ctx context.Context, e audit.Event, who identity.Subject) error {
	return errors.Join(
		p.g.record(ctx, p.v, e, who, ""),
		p.g.svc.Sessions.EndSubject(ctx, who),
		p.g.svc.Accounts.DistrustBrowsers(ctx, who),
		p.tell(ctx, who))
}

// tell lets the person know, wherever they can be reached.
func (p *passwordPage) tell(ctx context.Context, who identity.Subject) error {
	account, err := p.g.svc.Accounts.Account(ctx, who)
	if err == nil {
		p.g.svc.Flow.Book.Announce(ctx, account.Contacts, contacts.Announcement{Kind: templates.AnnouncePasswordChanged,
			Site: p.g.site.Name, Address: p.v.at.Address, Browser: browserLabel(p.v.Request.Request)})
	}
	return err
}

// mayChange finds the session of a person who signed in here and passed a
// moment ago. Who did not is led to the sign-in and comes back.
func (p *passwordPage) mayChange(ctx context.Context) (done bool, err error) {
	g, v := p.g, p.v
	if err := g.identify(ctx, v); err != nil {
		return true, g.fault(v, err)
	}
	again := passwordBase + "?return=" + changePath
	switch {
	case v.ambiguous:
		return true, g.ambiguous(v)
	case !v.verified() || v.session.Source != firstfactor.SourcePassword:
		return true, redirect(v, again)
	case !g.fresh(v.session):
		return true, g.stepUp(ctx, v, changePath)
	}
	return false, nil
}

func (p *passwordPage) showChange() error {
	if done, err := p.mayChange(p.v.Context()); done {
		return err
	}
	name := p.v.session.Subject.Name
	return p.write(http.StatusOK, name, templates.NewPassword{Account: name, Shortest: p.Shortest()})
}

// change replaces the password of a person who knows the old one.
func (p *passwordPage) change(ctx context.Context) error {
	if done, err := p.mayChange(ctx); done {
		return err
	}
	who := p.v.session.Subject
	view := templates.NewPassword{Account: who.Name, Shortest: p.Shortest()}
	if view.Error = p.weak(who); view.Error != templates.NoPasswordError {
		return p.write(http.StatusUnprocessableEntity, who.Name, view)
	}
	in, err := p.typed(ctx, who.Name)
	if err != nil {
		return p.fault(err)
	}
	in.Known = true // the second factor was passed in this browser
	result, err := p.g.svc.Passwords.Change(ctx, in, p.v.PostForm.Get("password1"))
	switch {
	case err != nil && !errors.Is(err, accounts.ErrPasswordChanged):
		return p.fault(err)
	case err == nil && !result.Identity.IsZero():
		return p.changed(ctx, result.Identity)
	}
	if err := p.noteFailure(ctx, result); err != nil {
		return p.fault(err)
	}
	if view.LockedUntil = result.LockedUntil; !view.Locked() {
		view.Error = templates.WrongOldPassword
	}
	return p.write(failureStatus(result), who.Name, view)
}

// changed ends all sessions of the person, and goes on in this browser with
// one that lasts as long as the one before would have.
func (p *passwordPage) changed(ctx context.Context, who firstfactor.Identity) error {
	g, v, before := p.g, p.v, p.v.session
	if err := p.replaced(ctx, audit.PasswordChanged, before.Subject); err != nil {
		return p.fault(err)
	}
	rec := g.recordOf(g.proofOf(v, who, ""))
	rec.AMR, rec.AuthTime, rec.Passed = before.AMR, before.AuthTime, before.Passed
	rec.Strength = before.Strength
	rec.ExpiresAt, rec.Idle = before.ExpiresAt, before.Idle
	// Stores keep milliseconds: cut to them, it must not seem to have begun
	// before the others ended.
	rec.BeganAt = rec.BeganAt.Add(time.Millisecond)
	live, ck, err := g.svc.Sessions.Admit(ctx, rec)
	if err != nil {
		return p.fault(err)
	}
	http.SetCookie(v.w, ck)
	return g.tell(v, http.StatusOK, refusal{subject: live.Subject.Name,
		notice: templates.Notice{Kind: templates.NoticePasswordChanged, Next: "/"}})
}
