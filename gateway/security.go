package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/templates"
)

// securityBase is the person's security page; below it lie its parts.
const securityBase = Base + "/security"

// security is one request of a person for the page or a part of it.
type security struct {
	*Gateway
	*selfservice.Service
	v      *visit
	person selfservice.Person
}

// securityRoute is a part of the security page.
type securityRoute struct {
	show func(*security, context.Context) error // GET; nil: there is nothing to see
	do   func(*security, context.Context) error // POST; nil: there is nothing to do
	// free: what it does only takes away or restores, and needs no fresh pass.
	free bool
	// reads: there is nothing to change, so that looking needs no fresh pass.
	reads bool
}

// securityRoutes are all parts, by what lies below the page's path. Whatever is
// done needs a form of ours, and a fresh pass unless it is free. Where
// something is asked before it is done, looking needs the fresh pass too, so
// that the person is not asked after the answer.
var securityRoutes = map[string]securityRoute{
	"":               {show: (*security).overview, reads: true},
	"sessions":       {show: (*security).list, reads: true},
	"browsers":       {show: (*security).list, reads: true},
	"activity":       {show: (*security).list, reads: true},
	"recovered":      {show: (*security).showRecovered, reads: true},
	"noticed":        {show: (*security).showNoticed, do: (*security).noticed, reads: true, free: true},
	"add":            {show: (*security).askAdd, do: (*security).add},
	"rename":         {show: (*security).askRename, do: (*security).rename},
	"replace":        {show: (*security).askReplace, do: (*security).replace},
	"remove":         {show: (*security).askRemove, do: (*security).remove},
	"prefer":         {show: (*security).askPrefer, do: (*security).prefer},
	"codes":          {show: (*security).askCodes, do: (*security).makeCodes},
	"contact":        {show: (*security).askContact, do: (*security).contact},
	"enable":         {show: (*security).askEnable, do: (*security).enable},
	"keep":           {do: (*security).keep, free: true},
	"contact/remove": {show: (*security).askRemoveContact, do: (*security).removeContact},
	"browser/forget": {do: (*security).forget, free: true},
	"session/end":    {do: (*security).endSession, free: true},
	"sessions/end":   {do: (*security).endOthers, free: true},
}

// onSecurity serves the security page and what lies below it.
func (g *Gateway) onSecurity(v *visit, below string) error {
	route, ok := securityRoutes[below]
	if !ok {
		return g.notFound(v)
	}
	// What a person sets off is finished although the browser went.
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	s, done, err := g.securityOf(ctx, v)
	if done || err != nil {
		return err
	}
	switch {
	case v.Method == http.MethodPost && route.do != nil:
		return s.act(ctx, route)
	case v.Method != http.MethodGet && v.Method != http.MethodHead && v.Method != http.MethodPost:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		v.w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	case route.show == nil || v.Method == http.MethodPost:
		return redirect(v, securityBase)
	case !route.reads && !g.fresh(v.session):
		return g.stepUp(ctx, v, v.asReceived().URL.RequestURI())
	}
	return route.show(s, ctx)
}

// securityOf finds who asks. Below verified nothing of the page is shown: who
// owes a challenge is led there, and everybody else to the sign-in.
func (g *Gateway) securityOf(ctx context.Context, v *visit) (s *security, done bool, err error) {
	if done, err := g.readForm(v); done {
		return nil, true, err
	}
	if err := g.identify(ctx, v); err != nil {
		return nil, true, g.fault(v, err)
	}
	switch {
	case v.ambiguous:
		return nil, true, g.ambiguous(v)
	case v.session == nil && v.asserted.names(): // a page of the console's begins the session
		return nil, true, redirect(v, "/")
	case v.session == nil:
		return nil, true, redirect(v, g.signInPath(securityBase))
	case !v.verified():
		return nil, true, redirect(v, Base+"/challenge")
	}
	visitor, err := g.visitor(ctx, v, v.session)
	if err != nil {
		return nil, true, g.fault(v, err)
	}
	return &security{Gateway: g, Service: g.svc.Security, v: v,
		person: selfservice.Person{Session: v.session, Place: visitor.Place, Rules: visitor.Rules}}, false, nil
}

// act does what a form of ours asks for.
func (s *security) act(ctx context.Context, route securityRoute) error {
	v := s.v
	if err := crossOrigin.Check(v.Request.Request); err != nil {
		return s.refused(v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeCrossSite, Next: securityBase}, policy.Reason{Code: policy.ReasonCrossSite})
	}
	if !s.Ours(v.session, v.PostForm.Get("token")) {
		return s.toPage(templates.NotDoneStale)
	}
	if !route.free && !s.fresh(v.session) {
		return s.stepUp(ctx, v, s.asking())
	}
	return s.answer(route.do(s, ctx))
}

// asking is the page that asks about what was posted.
func (s *security) asking() string {
	query := url.Values{}
	for _, name := range []string{"id", "kind", "factor"} {
		if value := s.v.PostForm.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	path := s.v.asReceived().URL.Path
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// answer says why something was not done.
func (s *security) answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, selfservice.ErrNotManageable):
		return s.refused(s.v, http.StatusForbidden, templates.Notice{Kind: templates.NoticeNotManageable, Next: securityBase},
			policy.Reason{Code: policy.ReasonNotManageable})
	case errors.Is(err, selfservice.ErrTooWeak):
		return s.toPage(templates.NotDoneWeak)
	case errors.Is(err, selfservice.ErrTooOften):
		return s.toPage(templates.NotDoneOften)
	case errors.Is(err, accounts.ErrLast):
		return s.toPage(templates.NotDoneLast)
	case errors.Is(err, accounts.ErrNoCredential), errors.Is(err, accounts.ErrNoContact), errors.Is(err, accounts.ErrNoBrowser),
		errors.Is(err, accounts.ErrNotBound), errors.Is(err, selfservice.ErrNoSession), errors.Is(err, selfservice.ErrNotOffered):
		return s.toPage(templates.NotDoneGone)
	default:
		return s.fault(s.v, err)
	}
}

// toPage leads back to the page, which says what was done. The word is proved
// to be ours: nobody else's link can claim that something was.
func (s *security) toPage(done templates.DoneKind) error { return redirect(s.v, s.pageSaying(done)) }

func (s *security) pageSaying(done templates.DoneKind) string {
	query := url.Values{"done": {string(done)}, "by": {s.Token(s.v.session, "done", string(done))}}
	return securityBase + "?" + query.Encode()
}

// done is what the page says that was done.
func (s *security) done() templates.DoneKind {
	query := s.v.asReceived().URL.Query()
	if done := query.Get("done"); s.Ours(s.v.session, query.Get("by"), "done", done) {
		return templates.DoneKind(done)
	}
	return templates.NothingDone
}

func (s *security) write(status int, view templates.View) error {
	s.pages.Write(s.v.w, s.v.asReceived(), status, s.frame(s.person.Subject.Name, ""), view)
	return nil
}

func (s *security) token() string { return s.Token(s.v.session) }

// asked is a field of the page's address, or of its form.
func (s *security) asked(name string) string {
	if s.v.Method == http.MethodPost {
		return s.v.PostForm.Get(name)
	}
	return s.v.asReceived().URL.Query().Get(name)
}
