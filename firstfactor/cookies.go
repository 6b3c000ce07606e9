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

func (k Keeper) open(name, value string) (string, bool) {
	text, marked := strings.CutPrefix(value, sealedMark)
	if k.Boxes == nil || !marked {
		return "", false
	}
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", false
	}
	plain, err := k.Boxes.Open(box, k.Site, name)
	return string(plain), err == nil
}

// OpenCookies rewrites a request's cookies for the console: ours are removed,
// session cookies are opened, or removed where they do not open, the rest
// stays as the browser sent it.
func (c *Console) OpenCookies(h http.Header, k Keeper) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	var out strings.Builder
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if kept, ok := c.openPair(strings.TrimLeft(pair, " \t"), k); ok {
				if out.Len() > 0 {
					out.WriteString("; ")
				}
				out.WriteString(kept)
			}
		}
	}
	if out.Len() == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{out.String()}
}

func (c *Console) openPair(pair string, k Keeper) (string, bool) {
	name, value, _ := strings.Cut(pair, "=")
	if pair == "" || isOurs(name) {
		return "", false
	}
	if c.isSession(name) {
		plain, ok := k.open(name, value)
		return name + "=" + plain, ok
	}
	// A spelling that only the console folds into the session cookie's name
	// cannot come from the console, which sets it under its own.
	if folded := match.FoldName(name); folded != name && (c.isSession(folded) || isOurs(folded)) {
		return "", false
	}
	return pair, !c.smuggles(value)
}

// smuggles tells whether a cookie's value holds another cookie for a reader
// that separates at commas, blanks or quotes (RFC 2109 servers do).
func (c *Console) smuggles(value string) bool {
	if !strings.ContainsAny(value, ", \t\"") {
		return false
	}
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\"", r) })
	return slices.ContainsFunc(words, func(word string) bool {
		name, _, pair := strings.Cut(word, "=")
		return pair && c.isSession(match.FoldName(name))
	})
}

func (c *Console) isSession(name string) bool {
	for _, pattern := range c.SessionCookies {
		if pattern == name || match.NameGlob(pattern, name) {
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
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", name
	}
	sc := setCookie{name: strings.TrimSpace(name), value: strings.TrimSpace(value), attributes: attributes}
	sc.deleted = strings.Trim(sc.value, `" +`) == "" || expired(line, now)
	return sc
}

// expired tells whether a Set-Cookie line only removes the cookie.
func expired(line string, now time.Time) bool {
	ck, err := http.ParseSetCookie(line)
	if err != nil {
		return false // not known to be a removal: then it counts as set
	}
	if ck.MaxAge != 0 {
		return ck.MaxAge < 0
	}
	return !ck.Expires.IsZero() && ck.Expires.Before(now)
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
		switch sc := parseSetCookie(line, now); {
		case isOurs(sc.name) || isOurs(match.FoldName(sc.name)) || sc.name == "" && isOurs(sc.value):
		case sc.deleted || !c.isSession(sc.name):
			kept = append(kept, line)
		case k.Boxes != nil:
			kept = append(kept, sc.line(k.seal(sc.name, sc.value)))
		}
	}
	h["Set-Cookie"] = kept
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

// Changes reads the session cookies and headers of an answer's head. A cookie
// that is set counts as set even if a later line removes it, since not every
// client obeys; it counts as removed if its last line does so, which is what a
// browser is left with.
func (c *Console) Changes(h http.Header, now time.Time) (ch Changes) {
	for _, line := range h["Set-Cookie"] {
		sc := parseSetCookie(line, now)
		if !c.isSession(sc.name) && !c.isSession(match.FoldName(sc.name)) {
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
			ch.Set = append(ch.Set, Credential{Value: value})
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
	for _, name := range authorization {
		if len(h[name]) > 0 && !c.declares(name) {
			delete(h, name)
		}
	}
	for _, name := range c.SessionHeaders {
		values := h.Values(name)
		if len(values) > 0 && (len(values) > 1 || bound == nil || !bound(bareToken(values[0]))) {
			h.Del(name)
		}
	}
}

func (c *Console) declares(header string) bool {
	return slices.ContainsFunc(c.SessionHeaders, func(name string) bool {
		return strings.EqualFold(name, header)
	})
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
