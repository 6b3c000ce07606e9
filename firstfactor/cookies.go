package firstfactor

import (
	"encoding/base64"
	"net/http"
	"strings"

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

// RemoveOurs removes Stepgate's own cookies and nothing else.
func (c *Console) RemoveOurs(h http.Header) {
	var none Console
	none.OpenCookies(h, Keeper{})
}
