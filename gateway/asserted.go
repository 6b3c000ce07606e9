package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/templates"
)

// asserted is what a request asserts by itself of its person: by a header of
// the proxy in front, by a token, by an auth handler before ours.
type asserted struct {
	firstfactor.Assertion
	forged error       // it asserts something that does not hold
	fault  error       // it cannot be told
	lines  http.Header // by which the person is named, for the console
}

// assert asks each source, before anything is taken off the request. Two that
// name somebody contradict each other, if they do not name the same.
func (g *Gateway) assert(r *http.Request) *asserted {
	out := new(asserted)
	for _, source := range g.site.Asserted {
		a, err := source.Assert(r.Context(), r)
		switch {
		case errors.Is(err, firstfactor.ErrNoAssertion):
		case errors.Is(err, firstfactor.ErrAssertion):
			out.forged = err
		case err != nil:
			out.fault = err
		case out.IsZero():
			out.Assertion, out.lines = a, taken(r, source.Headers())
		case out.Subject() != a.Subject():
			out.forged = errTwoPeople
		}
	}
	return out
}

func taken(r *http.Request, names []string) http.Header {
	lines := make(http.Header)
	for _, name := range names {
		if values, ok := r.Header[name]; ok {
			lines[name] = values
		}
	}
	return lines
}

var errTwoPeople = errors.New("two assertions name two people")

// names tells whether somebody is asserted.
func (a *asserted) names() bool { return a != nil && !a.IsZero() && a.forged == nil }

// compare holds the session against what the request asserts. A session that
// rests on assertions counts only beside one that names its person; another
// person starts from zero. Clients without our cookie find the session that
// their assertion was admitted to.
func (g *Gateway) compare(v *visit) error {
	a := v.asserted
	switch {
	case a.fault != nil:
		return a.fault
	case a.forged != nil:
		g.log.Warn("an assertion does not hold", "site", g.site.Name, "error", a.forged, "address", v.at.Address)
		v.session = nil
		return nil
	case v.session != nil && !g.agrees(v.session, a):
		if err := g.disagree(v); err != nil {
			return err
		}
	}
	if v.session != nil || !a.names() || v.ambiguous {
		return nil
	}
	return g.admitted(v)
}

// agrees tells whether a session counts beside an assertion: of the same
// person, in the same groups. One of another kind of source needs none.
func (g *Gateway) agrees(live *sessions.Session, a *asserted) bool {
	if a.names() {
		return live.Subject == a.Subject() &&
			(live.Source != a.Source() || slices.Equal(live.Groups, said(a.Identity)))
	}
	return !g.asserts(live.Source)
}

func (g *Gateway) asserts(source string) bool {
	for _, s := range g.site.Asserted {
		if s.ID() == source {
			return true
		}
	}
	return false
}

// disagree ends the session of somebody else. One whose assertion is merely
// missing does not count for this request: another one may bring it.
func (g *Gateway) disagree(v *visit) error {
	live := v.session
	if v.asserted.names() {
		ctx, cancel := detached(v.Request.Request, storeTimeout)
		defer cancel()
		if err := g.endIn(ctx, v, policy.ReasonPersonChanged); err != nil {
			return err
		}
	}
	v.session, v.over = nil, false
	g.log.Info("a session counts no longer: its request asserts nobody, or somebody else",
		"site", g.site.Name, "subject", live.Subject.String())
	return nil
}

// admitted finds the session that an assertion was admitted to in this
// process.
func (g *Gateway) admitted(v *visit) error {
	value := g.svc.Sessions.CookieOf(g.site.Name, v.asserted.key())
	if value == "" {
		return nil
	}
	live, err := g.svc.Sessions.Find(v.Context(), g.site.Name, value)
	if errors.Is(err, sessions.ErrNotFound) || err == nil && (live.Subject != v.asserted.Subject() || !g.counts(live)) {
		return nil
	}
	v.session = live
	return err
}

// key keeps the assertions of two sources apart.
func (a *asserted) key() string { return a.Source() + "\x00" + a.Key }

// signOn begins the session of a person whom the request itself proves. One
// that needs no second factor goes on at once; the challenge of the others
// can only be met on a page, by a browser that keeps our cookie.
func (g *Gateway) signOn(v *visit) error {
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	l := g.proofOf(v, v.asserted.Identity, v.local())
	d, err := g.atLogin(ctx, l)
	switch {
	case err != nil:
		return g.fault(v, err)
	case d.Outcome == policy.Pass && d.Reasons[0].Code == policy.ReasonSingleSignOn:
		return g.signOnAndPass(ctx, l, d)
	case d.Outcome == policy.Pass && v.navigates(): // this browser passed, and nobody else's
		return g.goOnAdmitted(ctx, l, d)
	case d.Outcome != policy.Pass && d.Outcome != policy.Challenge && d.Outcome != policy.Enroll:
		return g.refuseLogin(ctx, l, d)
	case v.navigates():
		return g.challenge(ctx, l, d)
	}
	return g.tellMachine(v, http.StatusUnauthorized, refusal{decision: d, challengeURL: chooser(v.local()),
		notice: templates.Notice{Kind: secondFactorNeeded}})
}

func (g *Gateway) signOnAndPass(ctx context.Context, l *proof, d policy.Decision) error {
	live, ck, err := g.admit(ctx, l, d)
	if err != nil {
		return g.fault(l.visit, err)
	}
	g.svc.Sessions.PutBy(g.site.Name, l.asserted.key(), ck.Value)
	l.visit.session = live
	return g.act(l.visit, policy.Decision{Outcome: policy.Pass})
}

// until is when the assertion of a request ends, and with it what was opened
// under it. Zero: it does not say.
func (v *visit) until() time.Time {
	if v.asserted == nil {
		return time.Time{}
	}
	return v.asserted.ExpiresAt()
}

// capped is the end of a session that rests on an assertion.
func capped(end time.Time, id firstfactor.Identity) time.Time {
	if at := id.ExpiresAt(); !at.IsZero() && at.Before(end) {
		return at
	}
	return end
}

// tellConsole names the person to a console whose login is not its own. What
// the client said of it is gone already.
func (g *Gateway) tellConsole(v *visit) {
	live := v.session
	if live.Source == firstfactor.SourceConsole || live.Source == firstfactor.SourceFederated {
		return
	}
	if v.asserted != nil {
		maps.Copy(v.Header, v.asserted.lines)
	}
	say := func(name, value string) {
		if value != "" {
			v.Header[name] = []string{value}
		}
	}
	say("Remote-User", live.Subject.Name)
	say("Remote-Groups", list(g.groups(live.Subject, live.Groups)))
	say("Remote-Amr", strings.Join(live.AMR, ","))
	if !live.AuthTime.IsZero() { // of a trusted browser it may be forgotten
		say("Remote-Auth-Time", strconv.FormatInt(live.AuthTime.Unix(), 10))
	}
}

// list is the line of several groups. A name that holds the sign between them,
// or blanks around it, would be heard as another one, which anybody who may
// name a group at the issuer could wish for: it is left out.
func list(groups []string) string {
	other := func(name string) bool { return strings.ContainsRune(name, ',') || strings.TrimSpace(name) != name }
	if slices.ContainsFunc(groups, other) {
		groups = slices.DeleteFunc(slices.Clone(groups), other)
	}
	return strings.Join(groups, ",")
}
