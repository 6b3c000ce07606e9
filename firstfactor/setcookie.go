package firstfactor

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/match"
)

// setCookie is one Set-Cookie line, cut as a browser cuts it (RFC 6265,
// section 5.2): attributes stays as the console wrote it.
type setCookie struct {
	name, value, attributes string
	deleted                 bool
}

func parseSetCookie(line string, now time.Time) setCookie {
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(strings.TrimLeft(pair, "= \t"), "=")
	if !named {
		name, value = "", name
	}
	sc := setCookie{name: strings.TrimSpace(name), value: strings.TrimSpace(value), attributes: attributes}
	sc.readAttributes(now)
	return sc
}

// readAttributes reads what decides whether a browser keeps the cookie. Of
// several the last that it understands counts, and Max-Age before Expires; a
// date that is not understood is no removal.
func (sc *setCookie) readAttributes(now time.Time) {
	var maxAge string
	var expires time.Time
	for attribute := range strings.SplitSeq(sc.attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "max-age":
			if strings.Trim(strings.TrimPrefix(value, "-"), "0123456789") == "" {
				maxAge = value
			}
		case "expires":
			if ck, err := http.ParseSetCookie("x=y; Expires=" + value); err == nil && !ck.Expires.IsZero() {
				expires = ck.Expires
			}
		}
	}
	switch {
	case strings.Trim(sc.value, `" +`) == "":
		sc.deleted = true
	case maxAge != "":
		sc.deleted = maxAge[0] == '-' || strings.Trim(maxAge, "0") == ""
	default:
		sc.deleted = !expires.IsZero() && expires.Before(now)
	}
}

// line is the Set-Cookie line with another value.
func (sc setCookie) line(value string) string {
	if sc.attributes == "" {
		return sc.name + "=" + value
	}
	return sc.name + "=" + value + ";" + sc.attributes
}

// SealCookies rewrites an answer's Set-Cookie lines for the browser: those
// that would set ours are removed, session cookies are sealed. Without a
// session it removes them.
func (c *Console) SealCookies(h http.Header, k Keeper, now time.Time) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line, ok := c.sealLine(line, k, now); ok {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
}

func (c *Console) sealLine(line string, k Keeper, now time.Time) (string, bool) {
	sc := parseSetCookie(line, now)
	session := c.isSession(sc.name)
	switch {
	case isOurs(sc.name) || isOurs(match.FoldName(sc.name)) || sc.name == "" && isOurs(sc.value):
		return "", false
	case !session && !c.foldsToSession(sc.name):
		return line, true
	case sc.deleted && (sc.value == "" || sc.value == "deleted"):
		return line, true
	case sc.deleted:
		return sc.line("deleted"), true // the value may still be good
	case session && k.Boxes != nil:
		return sc.line(k.seal(sc.name, sc.value)), true
	}
	return "", false
}

// Changes is what an answer does to the console's session.
type Changes struct {
	Set     []Credential // session credentials that it sets
	Deleted []string     // session cookies that it leaves removed
}

// Credential is a session cookie or token of the console, in the clear.
type Credential struct {
	Cookie string // the cookie's name; "" for a header or body token
	Value  string
	Basic  bool // of a request's Authorization header
}

// Left tells whether a cookie that was set is still there after the whole
// answer.
func (ch Changes) Left(s Credential) bool { return !slices.Contains(ch.Deleted, s.Cookie) }

// End tells that a browser is left without any session cookie that the answer
// touches: the console signed the person out. One that is only renamed or
// renewed is no end.
func (ch Changes) End() bool {
	kept := slices.ContainsFunc(ch.Set, func(c Credential) bool { return !slices.Contains(ch.Deleted, c.Cookie) })
	return len(ch.Deleted) > 0 && !kept
}

// Touches tells whether an answer's head can change the console's session, or
// has a cookie to seal: most have neither.
func (c *Console) Touches(h http.Header) bool {
	return len(h["Set-Cookie"]) > 0 || slices.ContainsFunc(c.SessionHeaders, func(name string) bool { return len(h.Values(name)) > 0 })
}

// Changes reads the session cookies and headers of an answer's head. A cookie
// that is set counts as set even if a later line removes it, since not every
// client obeys; it counts as removed if its last line does so, which is what a
// browser is left with.
func (c *Console) Changes(h http.Header, now time.Time) (ch Changes) {
	for _, line := range h["Set-Cookie"] {
		sc := parseSetCookie(line, now)
		if !c.isSession(sc.name) && !c.foldsToSession(sc.name) {
			continue
		}
		ch.Deleted = slices.DeleteFunc(ch.Deleted, func(name string) bool { return name == sc.name })
		if sc.deleted {
			ch.Deleted = append(ch.Deleted, sc.name)
		} else {
			ch.Set = append(ch.Set, Credential{Cookie: sc.name, Value: sc.value})
		}
	}
	for _, name := range c.SessionHeaders {
		for _, value := range h.Values(name) {
			ch.Set = append(ch.Set, Credential{Value: bareToken(value)})
		}
	}
	return ch
}
