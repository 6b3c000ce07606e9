package gateway

import (
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
)

// identityHeaders are what only Stepgate, or whatever proves people in front
// of it, may say to a console.
var identityHeaders = match.NewNames("remote-user", "remote-groups", "remote-email", "remote-name",
	"remote-amr", "remote-auth-time", "x-remote-user", "x-remote-groups", "x-forwarded-user",
	"x-forwarded-groups", "x-forwarded-email", "x-forwarded-preferred-username", "x-auth-request-user",
	"x-auth-request-email", "x-auth-request-groups", "x-webauth-user",
	// and by which some frameworks let whoever stands in front name another path
	"x-original-url", "x-rewrite-url")

var errIdentityTrailer = errors.New("an identity header is announced as a trailer or named in Connection")

// heads tells which kinds of header a request has that are not simply passed
// on.
type heads struct{ override, identity, credential bool }

// heed looks at the names of a request's headers: one pass, after which most
// requests are spared the three that act.
func (g *Gateway) heed(h http.Header) (found heads) {
	for name := range h {
		if g.heeded.Has(name) {
			found.override = found.override || match.Overrides.Has(name)
			found.identity = found.identity || g.identity.Has(name)
			found.credential = found.credential || g.credentials.Has(name)
		}
	}
	return found
}

// stripIdentity removes identity headers in every spelling that a console may
// fold (CGI makes `_` of `-` and `.`), and refuses requests that try to bring
// or remove them by other ways. present tells whether there is one.
func (g *Gateway) stripIdentity(r *http.Request, present bool) error {
	if present {
		maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return g.identity.Has(name) })
	}
	for name := range r.Trailer {
		if g.identity.Has(name) {
			return errIdentityTrailer
		}
	}
	r.Trailer = nil // no console needs one, and credentials could follow in it
	for _, line := range r.Header["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			if token = strings.TrimSpace(token); g.identity.Has(token) || strings.EqualFold(token, "Cookie") {
				return errIdentityTrailer
			}
		}
	}
	return nil
}

// onlyWebSockets removes every other wish to leave HTTP: past an upgrade to
// h2c the gateway would see no request any more.
func onlyWebSockets(r *http.Request) {
	delete(r.Header, "Http2-Settings")
	if up := r.Header["Upgrade"]; len(up) > 0 && (len(up) > 1 || !strings.EqualFold(up[0], "websocket")) {
		noUpgrade(r)
	}
}

func noUpgrade(r *http.Request) {
	delete(r.Header, "Upgrade")
	delete(r.Header, "Connection") // whatever else it names is for this hop as well
}

// onlyCookie returns the value of the one cookie that begins so, with its name
// and "=". Two are ambiguous: one of them may have been planted.
func onlyCookie(lines []string, begin string) (value string, ambiguous bool) {
	found := 0
	for _, line := range lines {
		for at := 0; ; {
			i := strings.Index(line[at:], begin)
			if i < 0 {
				break
			}
			before := strings.TrimRight(line[:at+i], " \t")
			at += i + len(begin)
			if before == "" || before[len(before)-1] == ';' {
				value, _, _ = strings.Cut(line[at:], ";")
				found++
			}
		}
	}
	return value, found > 1
}

// cdnHeaders tell shared caches what to keep, past Cache-Control.
var cdnHeaders = []string{"Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "X-Accel-Expires",
	"Edge-Control", "Netlify-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "X-Litespeed-Cache-Control"}

// askAgain has a browser ask before it shows a page again. Of an answer that
// says nothing of its freshness browsers guess how long it is good (RFC 9111,
// section 4.2.2), and it is at page loads that people meet their challenge.
func (v *visit) askAgain(h http.Header, how string) {
	if v.navigates() && len(h["Cache-Control"])+len(h["Expires"]) == 0 {
		v.private[0] = how
		h["Cache-Control"] = v.private[:]
	}
}

// askedAgain is what the browser of a verified person is told.
const askedAgain = "private, no-cache"

// unshare keeps the answer to a verified request out of shared caches (RFC
// 9111, section 5.2.2.7), whatever the console said.
func unshare(h http.Header) { unshareIn(new([1]string), h) }

// unshareIn has room for the header's line.
func unshareIn(room *[1]string, h http.Header) {
	for _, name := range cdnHeaders {
		delete(h, name)
	}
	given := h["Cache-Control"]
	if len(given) == 1 && (given[0] == "private" || given[0] == "no-store" || given[0] == askedAgain) {
		return
	}
	if len(given) == 0 {
		room[0] = "private"
		h["Cache-Control"] = room[:]
		return
	}
	kept := []string{"private"}
	for directive := range strings.SplitSeq(strings.Join(given, ","), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		if name != "" && name != "public" && name != "s-maxage" && name != "private" {
			kept = append(kept, strings.TrimSpace(directive))
		}
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
}

// navigation tells a person's page load from everything else. Fetch Metadata
// says it outright; without it, a GET that prefers HTML and was not made by a
// script library.
func navigation(r *http.Request) bool {
	if mode := first(r.Header["Sec-Fetch-Mode"]); mode != "" {
		return mode == "navigate" && document(first(r.Header["Sec-Fetch-Dest"]))
	}
	if first(r.Header["Upgrade"]) != "" || first(r.Header["X-Requested-With"]) != "" || r.Method == http.MethodConnect {
		return false
	}
	return strings.Contains(first(r.Header["Accept"]), "text/html")
}

// first is a header's first value.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// document: a navigation inside a frame could not show our pages.
func document(dest string) bool { return dest == "" || dest == "document" }

func (v *visit) navigates() bool { return navigation(v.Request.Request) }

func (v *visit) verified() bool {
	return v.session != nil && v.session.Level == identity.Verified
}

// local is the path and query on this host that a person can be led back to,
// or "/" when the request was no page load of a safe kind.
func (v *visit) local() string {
	switch {
	case !v.navigates():
		return "/"
	case !v.Safe(): // a form whose session is over: back to where it stood
		return localPath(refererPath(v.Request.Request))
	}
	return localPath(v.asReceived().RequestURI)
}

// localPath refuses everything that a browser could read as another host. Of
// our own pages one is somewhere to go on.
func localPath(p string) string {
	if p == changePath || p == securityBase {
		return p
	}
	if len(p) == 0 || p[0] != '/' || len(p) > 2048 || len(p) > 1 && (p[1] == '/' || p[1] == '\\') ||
		strings.ContainsFunc(p, func(r rune) bool { return r <= 0x20 || r == 0x7f || r == '\\' }) ||
		strings.HasPrefix(p, Base) {
		return "/"
	}
	return p
}
