package firstfactor

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stepgate/stepgate/match"
)

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

// CredentialHeaders are the names that StripHeaders looks for.
func (c *Console) CredentialHeaders() []string {
	return slices.Concat(authorization[:], c.SessionHeaders)
}

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
