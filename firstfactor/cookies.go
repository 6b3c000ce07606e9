package firstfactor

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/seal"
)

// ours begins the names of Stepgate's own cookies, which the console neither
// sees nor sets.
const ours = "__host-stepgate-"

// sealedMark begins every sealed value; no base64 text does.
const sealedMark = "~"

// Keeper opens and seals the console's session cookies for one session. The
// zero value has no session: it opens nothing.
type Keeper struct {
	Site  string
	Boxes *seal.Boxes
}

func (k Keeper) seal(name, value string) string {
	box := k.Boxes.Seal([]byte(value), k.Site, name)
	return sealedMark + base64.RawURLEncoding.EncodeToString(box)
}

func (k Keeper) open(name, value string) ([]byte, bool) {
	text, marked := strings.CutPrefix(value, sealedMark)
	if k.Boxes == nil || !marked {
		return nil, false
	}
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plain, err := k.Boxes.Open(box, k.Site, name)
	return plain, err == nil
}

// OpenCookies rewrites a request's cookies for the console: ours are removed,
// session cookies are opened, or removed where they do not open, the rest
// stays as the browser sent it.
func (c *Console) OpenCookies(h http.Header, k Keeper) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	var room [1024]byte // on the stack: most requests need no more
	out := room[:0]
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			out = c.openPair(out, strings.TrimLeft(pair, " \t"), k)
		}
	}
	if len(out) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{string(out)}
}

// openPair appends what the console gets of one pair.
func (c *Console) openPair(out []byte, pair string, k Keeper) []byte {
	name, value, _ := strings.Cut(pair, "=")
	if pair == "" || isOurs(name) {
		return out
	}
	if c.isSession(name) {
		if plain, ok := k.open(name, value); ok {
			out = append(append(separate(out), name...), '=')
			out = append(out, plain...)
		}
		return out
	}
	// A spelling that only the console folds into the session cookie's name
	// cannot come from the console, which sets it under its own.
	if c.foldsToSession(name) || isOurs(match.FoldName(name)) || c.smuggles(pair) {
		return out
	}
	return append(separate(out), pair...)
}

func separate(out []byte) []byte {
	if len(out) == 0 {
		return out
	}
	return append(out, "; "...)
}

// smuggles tells whether a pair holds another cookie for a reader that
// separates at commas, blanks or quotes (RFC 2109 servers do), or that
// overlooks an empty name.
func (c *Console) smuggles(pair string) bool {
	if !strings.ContainsAny(pair, ", \t\"") && pair[0] != '=' {
		return false
	}
	for i := range len(pair) {
		if pair[i] != '=' {
			continue
		}
		before := strings.TrimRight(pair[:i], " \t\"")
		cut := strings.LastIndexAny(before, ", \t\"=")
		if cut < 0 || before[cut] == '=' && strings.Trim(before[:cut], "= \t") != "" {
			continue
		}
		if name := before[cut+1:]; c.isSession(name) || c.foldsToSession(name) {
			return true
		}
	}
	return false
}

func (c *Console) isSession(name string) bool {
	for _, pattern := range c.SessionCookies {
		if pattern == name || match.NameGlob(pattern, name) {
			return true
		}
	}
	return false
}

// foldsToSession tells whether some console takes a name for a session
// cookie's: without regard to case (ASP.NET), decoded, trimmed (Django,
// Express), or with PHP's replacements, of a blank at the end too.
func (c *Console) foldsToSession(name string) bool {
	trimmed := strings.ToLower(match.FoldName(name))
	kept := trimmed
	if strings.HasSuffix(name, " ") {
		kept = strings.ToLower(strings.TrimSuffix(match.FoldName(name+"="), "="))
	}
	for _, pattern := range c.SessionCookies {
		pattern = strings.ToLower(strings.ReplaceAll(pattern, ".", "_"))
		if match.NameGlob(pattern, trimmed) || match.NameGlob(pattern, kept) {
			return true
		}
	}
	return false
}

func isOurs(name string) bool {
	return len(name) >= len(ours) && strings.EqualFold(name[:len(ours)], ours)
}

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
			ch.Set = append(ch.Set, Credential{sc.name, sc.value})
		}
	}
	for _, name := range c.SessionHeaders {
		for _, value := range h.Values(name) {
			ch.Set = append(ch.Set, Credential{Value: bareToken(value)})
		}
	}
	return ch
}

// authorization are the headers that any console may take as a credential.
var authorization = [...]string{"Authorization", "Proxy-Authorization"}

// StripHeaders removes the session headers that bound does not vouch for,
// and the authorization headers that nobody declared. bound is nil below
// level verified.
func (c *Console) StripHeaders(h http.Header, bound func(token string) bool) {
	for name, values := range h {
		if !c.isCredential(name) {
			continue
		}
		issued := len(values) == 1 && bound != nil && bound(bareToken(values[0]))
		if !issued || !slices.ContainsFunc(c.SessionHeaders, func(s string) bool { return strings.EqualFold(s, name) }) {
			delete(h, name)
		}
	}
}

// isCredential is called for every header of every request.
func (c *Console) isCredential(header string) bool {
	same := func(name string) bool { return match.SameHeader(name, header) }
	return slices.ContainsFunc(authorization[:], same) || slices.ContainsFunc(c.SessionHeaders, same)
}

// bareToken is a header's value without its scheme (RFC 9110, section 11.4).
func bareToken(value string) string {
	if _, token, ok := strings.Cut(strings.TrimSpace(value), " "); ok {
		return strings.TrimSpace(token)
	}
	return strings.TrimSpace(value)
}

// RemoveOurs removes Stepgate's own cookies and nothing else.
func (c *Console) RemoveOurs(h http.Header) {
	var none Console
	none.OpenCookies(h, Keeper{})
}

// StripTrailers removes from an answer's trailers what its head was searched
// for: no browser takes a session from there.
func (c *Console) StripTrailers(h http.Header) {
	announced := len(h["Trailer"]) > 0
	for name := range h {
		field, trailer := strings.CutPrefix(name, http.TrailerPrefix)
		if (trailer || announced) && (strings.EqualFold(field, "Set-Cookie") || c.isCredential(field)) {
			delete(h, name)
		}
	}
}

// SetToken sends a token as the console's own script would.
func (c *Console) SetToken(h http.Header, token string) {
	name := c.SessionHeaders[0]
	if strings.EqualFold(name, "Authorization") {
		token = "Bearer " + token
	}
	h.Set(name, token)
}
