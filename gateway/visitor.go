package gateway

import (
	"context"
	"net"
	"net/url"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/challenge/passkey"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

// visitor is who stands before a challenge.
func (g *Gateway) visitor(ctx context.Context, v *visit, live *sessions.Session) (challenge.Visitor, error) {
	mark, err := g.mark(v, live.Subject)
	if err != nil {
		return challenge.Visitor{}, err
	}
	out := challenge.Visitor{Place: g.place(v, mark, live.Subject), Host: g.host(),
		Language: g.pages.Language(v.Request.Request), Party: g.party(v), Rules: g.rulesFor(live.Subject, live.Groups)}
	if g.browser(v).Knows(g.site.Name, live.Subject) {
		known, err := g.svc.Accounts.Browser(ctx, live.Subject, out.Mark)
		out.Known = known.Known
		return out, err
	}
	return out, nil
}

// place is where a visit comes from.
func (g *Gateway) place(v *visit, mark sessions.Browser, who identity.Subject) accounts.Place {
	return accounts.Place{Address: v.at.Address, Browser: browserLabel(v.Request.Request), Mark: mark.Digest(g.site.Name, who)}
}

// mark is the browser with its mark of a person; a stranger's is made, and is
// given to the browser only if the person passes.
func (g *Gateway) mark(v *visit, who identity.Subject) (sessions.Browser, error) {
	if v.mark == nil || !v.mark.Knows(g.site.Name, who) {
		mark, ck, err := g.svc.Sessions.Mark(g.browser(v), g.site.Name, who)
		if err != nil {
			return mark, err
		}
		v.mark, v.marking = &mark, ck
	}
	return *v.mark, nil
}

// rulesFor is what holds for a person of these groups at this site.
func (g *Gateway) rulesFor(who identity.Subject, said []string) policy.Rules {
	if len(g.site.Groups) == 0 {
		return g.site.Rules
	}
	return g.site.Rules.For(slices.Concat(said, g.memberships(who)), g.site.Groups)
}

// host is the site's, as the operator names it: a client can claim any.
func (g *Gateway) host() string {
	if u, err := url.Parse(g.site.Origin); err == nil && u.Host != "" {
		return u.Hostname()
	}
	return g.site.RPID
}

// party is this site to passkeys. Without a word of the operator it is the
// host that the browser came to, and no browser uses a key of one host at
// another.
func (g *Gateway) party(v *visit) passkey.Party {
	p := passkey.Party{ID: g.site.RPID, Name: g.pages.Brand(), Origins: []string{"https://" + v.Host}}
	host, _, err := net.SplitHostPort(v.Host)
	if err != nil {
		host = v.Host
	}
	if p.ID == "" {
		p.ID = host
	}
	if host == "localhost" && !v.tls() { // which browsers trust without TLS
		p.Origins = []string{"http://" + v.Host}
	}
	return p
}

func (v *visit) tls() bool { return v.TLS != nil }
