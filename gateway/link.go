package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
)

// Sites of one realm can be linked: a person who has signed in here, and who
// passed the second factor at another of them in the same browser, is led
// there and back once, instead of being asked again. Here is the site that
// asks, there the one that vouches.
//
//	here   GET /.stepgate/challenge          303 to there, once for a challenge
//	there  GET /.stepgate/link?for=&to=      303 back, with a ticket
//	here   GET /.stepgate/link?ticket=       passed
//
// A ticket is good for one challenge, which it names by a digest, and so for
// the browser that has its session: who lures a person through a link of their
// own gets nothing (RFC 9700, section 4.7). First factors are never linked.
//
// A session vouches for a factor that was passed in it, not for one that was
// passed in the browser before, or at a third site. It opens no site where that
// factor would be too weak, and it is no step-up.

// linkBase is the path of both ends.
const linkBase = Base + "/link"

// ticketLife is how long a ticket may be on its way.
const ticketLife = time.Minute

// ticket is what one site tells another of a person.
type ticket struct {
	From, To  string // sites
	Challenge string // digest of the one that it passes
	Subject   identity.Subject
	AMR       []string
	Strength  identity.Strength
	AuthTime  time.Time
	ExpiresAt time.Time // of the session that vouches; what it opens ends with it
}

// digestOf names a challenge to others without being it.
func digestOf(rec challenge.Record) string { return text(seal.Digest([]byte(rec.ID), "link")) }

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// askElsewhere leads a browser to a site of the realm where its person passed.
// Whether it is the same browser is seen there. Once is enough: who comes back
// without a ticket is asked here.
func (g *Gateway) askElsewhere(ctx context.Context, v *visit, rec challenge.Record) (done bool, err error) {
	if len(g.site.Links) == 0 || rec.Enroll || v.verified() || v.Method != http.MethodGet || !v.navigates() {
		return false, nil
	}
	to, err := g.vouching(ctx, rec.Subject)
	if to == "" || err != nil {
		return false, err
	}
	err = g.svc.Accounts.SpendID(ctx, "link-asked/"+rec.ID, rec.ExpiresAt)
	if errors.Is(err, accounts.ErrSpent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q := url.Values{"for": {g.site.Name}, "to": {digestOf(rec)}}
	return true, redirect(v, to+linkBase+"?"+q.Encode())
}

// vouching is the address of a linked site where the person has passed.
func (g *Gateway) vouching(ctx context.Context, who identity.Subject) (string, error) {
	all, err := g.svc.Sessions.List(ctx, who)
	for _, r := range all {
		if origin := g.site.Links[r.Site]; origin != "" && vouches(r) {
			return origin, err
		}
	}
	return "", err
}

// vouches tells whether a factor was passed in a session.
func vouches(r sessions.Record) bool {
	return r.Level == identity.Verified && r.Passed && r.Strength > identity.Unproved
}

// onLink serves both ends.
func (g *Gateway) onLink(v *visit) error {
	q := v.asReceived().URL.Query()
	if v.Method != http.MethodGet || len(g.site.Links) == 0 {
		return g.notFound(v)
	}
	if id := q.Get("ticket"); id != "" {
		return g.redeem(v, id)
	}
	return g.vouch(v, q.Get("for"), q.Get("to"))
}

// vouch answers another site: with a ticket where the browser's person passed
// here, and without one otherwise, which says nothing of anybody.
func (g *Gateway) vouch(v *visit, site, to string) error {
	origin := g.site.Links[site]
	if origin == "" || len(to) != len(text(make([]byte, 32))) {
		return g.notFound(v)
	}
	ctx, cancel := context.WithTimeout(v.Context(), storeTimeout)
	defer cancel()
	if err := g.identify(ctx, v); err != nil {
		return g.fault(v, err)
	}
	if v.ambiguous || v.session == nil || !vouches(v.session.Record) {
		return redirect(v, origin+Base+"/challenge")
	}
	id, err := g.issue(ctx, ticket{From: g.site.Name, To: site, Challenge: to, Subject: v.session.Subject,
		AMR: v.session.AMR, Strength: v.session.Strength, AuthTime: v.session.AuthTime, ExpiresAt: v.session.ExpiresAt})
	if err != nil {
		return g.fault(v, err)
	}
	return redirect(v, origin+linkBase+"?"+url.Values{"ticket": {id}}.Encode())
}

// issue stores a ticket under a name that only the browser gets, and sealed
// with it.
func (g *Gateway) issue(ctx context.Context, t ticket) (id string, err error) {
	body, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	id = challenge.NewID()
	held := escrow.Held{Answer: escrow.Answer{Body: body}}
	return id, g.svc.Escrow.Hold(ctx, ticketName(id), ticketKey(id), held, g.svc.Now().Add(ticketLife), "link", t.To)
}

func ticketName(id string) string { return "link/" + text(seal.Digest([]byte(id), "link-name")) }

func ticketKey(id string) []byte { return seal.Digest([]byte(id), "link-key") }

// redeem passes the browser's challenge with a ticket that is for it. Any
// other one is used up, and the person is asked.
func (g *Gateway) redeem(v *visit, id string) error {
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	rec, done, err := g.pending(ctx, v)
	if done || err != nil {
		return err
	}
	held, err := g.svc.Escrow.Release(ctx, ticketName(id), ticketKey(id), "link", g.site.Name)
	if err != nil && !errors.Is(err, escrow.ErrNotFound) {
		return g.fault(v, err)
	}
	t, ok := g.redeems(v.session, rec, held)
	if err != nil || !ok {
		return redirect(v, Base+"/challenge")
	}
	visitor, err := g.visitor(ctx, v, v.session)
	if err != nil {
		return g.fault(v, err)
	}
	result, err := g.svc.Flow.Linked(ctx, rec, visitor, t.From)
	if err != nil {
		return g.fault(v, err)
	}
	if !result.Passed {
		return g.conclude(ctx, v, rec, result)
	}
	return g.release(ctx, v, rec, pass{amr: both(v.session.AMR, t.AMR), at: t.AuthTime, until: t.ExpiresAt})
}

// both are the methods of the first factor here and of all that was passed
// there.
func both(here, there []string) []string {
	all := slices.Clone(here)
	for _, method := range there {
		if !slices.Contains(all, method) {
			all = append(all, method)
		}
	}
	return all
}

// redeems tells whether a ticket is for the challenge of a session.
func (g *Gateway) redeems(live *sessions.Session, rec challenge.Record, held escrow.Held) (t ticket, ok bool) {
	if json.Unmarshal(held.Answer.Body, &t) != nil {
		return t, false
	}
	ok = live.Level == identity.FirstFactor && t.Strength >= g.rulesFor(live.Subject, live.Groups).Least() &&
		t.To == g.site.Name && g.site.Links[t.From] != "" && t.Subject == rec.Subject && !rec.Enroll &&
		t.Challenge == digestOf(rec) && g.svc.Now().Before(t.ExpiresAt)
	return t, ok
}
