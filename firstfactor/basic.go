package firstfactor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/match"
)

// Consoles with Basic authentication (RFC 7617) get name and password with
// each request. So nothing of such a request is forwarded before the second
// factor: its credentials alone are proven, by a GET that changes nothing, and
// from then on they are the session's own credential.

// maxBasic is the longest value that is looked at, in bytes.
const maxBasic = 4 << 10

// Basic tells whether a request is a login by its Basic credentials: by those
// that bound does not vouch for. It returns nil if it is none.
func (c *Console) Basic(q *match.Request, bound func(value string) bool) (*Attempt, error) {
	i := slices.IndexFunc(c.Logins, func(l Login) bool { return l.Username.Basic && l.Match.Any(q) })
	if i < 0 {
		return nil, nil
	}
	if q.URL.User != nil {
		return nil, fmt.Errorf("%w: credentials in the address", ErrLogin)
	}
	value, err := basicValue(q.Header["Authorization"])
	if err != nil || value == "" || bound(value) {
		return nil, err
	}
	name, err := basicName(value)
	if err != nil {
		return nil, err
	}
	return &Attempt{Rule: &c.Logins[i], Typed: name, Basic: value}, nil
}

// HasBasic tells whether people can sign in by Basic credentials.
func (c *Console) HasBasic() bool {
	return slices.ContainsFunc(c.Logins, func(l Login) bool { return l.Username.Basic })
}

// BasicProbe is a path that tells whether Basic credentials are good, and what
// a browser has to be asked for.
func (c *Console) BasicProbe() string {
	i := slices.IndexFunc(c.Logins, func(l Login) bool { return l.Username.Basic })
	if i < 0 {
		return ""
	}
	return c.Logins[i].Success.Probe
}

// basicValue is the header's value without its scheme, "" for any other
// scheme: what nobody declared is taken off the request anyhow.
func basicValue(lines []string) (string, error) {
	if len(lines) > 1 {
		return "", fmt.Errorf("%w: two Authorization headers", ErrLogin)
	}
	if len(lines) == 0 {
		return "", nil
	}
	scheme, value, _ := strings.Cut(strings.TrimSpace(lines[0]), " ")
	basic, rest, _ := strings.Cut(scheme, "\t")
	switch value = strings.TrimSpace(value); {
	case !strings.EqualFold(basic, "basic"):
		return "", nil
	case rest != "" || basic != scheme || value == "":
		return "", fmt.Errorf("%w: Basic without a value", ErrLogin)
	case len(value) > maxBasic:
		return "", fmt.Errorf("%w: a Basic value of %d bytes", ErrLogin, len(value))
	}
	return value, nil
}

// basicName is the name in a value that can be read in only one way: in UTF-8,
// which is the only charset that RFC 7617 names, and without control
// characters, which its section 2 forbids.
func basicName(value string) (string, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	name, _, both := strings.Cut(string(raw), ":")
	switch {
	case err != nil || strings.ContainsAny(value, "\r\n"):
		return "", fmt.Errorf("%w: the Basic value is no base64", ErrLogin)
	case !both || name == "":
		return "", fmt.Errorf("%w: Basic credentials without a name or without a colon", ErrLogin)
	case !utf8.Valid(raw):
		return "", fmt.Errorf("%w: Basic credentials in another charset than UTF-8", ErrLogin)
	case strings.ContainsFunc(string(raw), unicode.IsControl):
		return "", fmt.Errorf("%w: control characters in Basic credentials", ErrLogin)
	}
	return name, nil
}

// JudgeBasic judges the probe's answer to Basic credentials. What else the
// description asks of the same path is answered by it as well.
func (c *Console) JudgeBasic(ctx context.Context, realm string, attempt *Attempt, a escrow.Answer, probe Prober, now time.Time) Verdict {
	rule := attempt.Rule
	e := &exchange{console: c, answer: a, changes: c.Changes(a.Header, now), basic: attempt.Basic}
	e.probe = func(ctx context.Context, path string, with []Credential) (escrow.Answer, error) {
		if path == rule.Success.Probe {
			return a, nil
		}
		return probe(ctx, path, with)
	}
	v := Verdict{Hold: rule.Hold, Credentials: []Credential{{Value: attempt.Basic, Basic: true}}}
	err := e.holds(ctx, rule.Success)
	if err != nil && e.holds(ctx, rule.Failure) == nil {
		v.Outcome = Failure
		return v
	}
	if err == nil {
		v.Identity, err = e.identity(ctx, realm, attempt)
	}
	if err != nil {
		v.Differs = err.Error()
		return v
	}
	v.Outcome = Success
	return v
}

// Present puts a credential that a login brought into a probe. All cookies
// stand in one line (RFC 6265, section 5.4): of several, PHP reads one.
func (c *Console) Present(h http.Header, credential Credential) {
	switch {
	case credential.Cookie != "":
		pair := credential.Cookie + "=" + credential.Value
		if before := h.Get("Cookie"); before != "" {
			pair = before + "; " + pair
		}
		h.Set("Cookie", pair)
	case credential.Basic:
		h.Set("Authorization", "Basic "+credential.Value)
	case len(c.SessionHeaders) > 0:
		c.SetToken(h, credential.Value)
	}
}

// checkBasic reports what a login by Basic credentials lacks, and sets what it
// leaves out.
func (l *Login) checkBasic() error {
	switch {
	case l.Username.Form+l.Username.JSON != "" || l.Username.Anywhere || len(l.Fields) > 0:
		return errors.New("username basic: it has no fields; they belong into a login of their own")
	case l.Success.Probe == "":
		return errors.New("success: with `username basic` name a path that answers 200 to good credentials and changes nothing, as `success probe /whoami`")
	case l.Hold == HoldCookies && !slices.Equal(l.Match.Paths, []string{l.Success.Probe}):
		return fmt.Errorf("hold cookies: with `username basic` only for the probe's own path, whose answer passes: `login GET %s {`", l.Success.Probe)
	}
	if l.Failure.zero() {
		l.Failure.Status = []int{http.StatusUnauthorized}
	}
	return l.checkAnswer()
}

// prepareBasic declares the header.
func (c *Console) prepareBasic() {
	if c.HasBasic() && !slices.ContainsFunc(c.SessionHeaders, func(s string) bool { return strings.EqualFold(s, "Authorization") }) {
		c.SessionHeaders = append(slices.Clone(c.SessionHeaders), "Authorization")
	}
}
