package firstfactor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// claims are what a token or an answer of an issuer says. They are read by
// their exact names, and a claim that stands twice is an error: two readers
// could take different ones.
type claims map[string]any

func parseClaims(payload []byte) (claims, error) {
	v, err := parseJSON(payload, foldKey)
	if err != nil {
		return nil, unproven("claims: %w", err)
	}
	c, ok := v.(map[string]any)
	if !ok {
		return nil, unproven("the claims are no object")
	}
	return c, nil
}

// text is a claim that must be a string, "" if it is not there.
func (c claims) text(name string) (string, error) {
	v, there := c[name]
	text, ok := v.(string)
	if there && !ok {
		return "", unproven("%s is not a string", name)
	}
	return text, nil
}

// texts is a claim that may be one string or a list of them.
func (c claims) texts(name string) ([]string, error) {
	switch v := c[name].(type) {
	case nil:
		if _, there := c[name]; there {
			return nil, unproven("%s is null", name)
		}
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		return listed(name, v)
	default:
		return nil, unproven("%s is neither a string nor a list", name)
	}
}

func listed(name string, values []any) ([]string, error) {
	list := make([]string, len(values))
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, unproven("%s holds something that is not a string", name)
		}
		list[i] = text
	}
	return list, nil
}

// moment is a claim that must be a NumericDate (RFC 7519, section 2).
func (c claims) moment(name string) (at time.Time, err error) {
	v, there := c[name]
	if !there {
		return at, nil
	}
	seconds, ok := v.(float64)
	if !ok || seconds <= 0 || seconds > math.MaxInt32*100 {
		return at, unproven("%s is not a date in seconds", name)
	}
	return time.Unix(int64(seconds), 0), nil
}

// inTime checks what every token must say: when it was made and until when it
// may be used.
func (c claims) inTime(now time.Time) error {
	issued, err := c.moment("iat")
	if err != nil {
		return err
	}
	expires, err := c.moment("exp")
	if err != nil {
		return err
	}
	before, err := c.moment("nbf")
	if err != nil {
		return err
	}
	switch {
	case issued.IsZero() || expires.IsZero():
		return unproven("iat or exp is missing")
	case !now.Before(expires.Add(clockSkew)):
		return unproven("it expired at %s", expires.UTC().Format(time.RFC3339))
	case issued.After(now.Add(clockSkew)) || before.After(now.Add(clockSkew)):
		return unproven("it is from the future: the issuer's clock or ours is wrong")
	}
	return nil
}

// madeFor checks for whom a token is: this issuer's, for this client, and if
// for others too, then made for this client (OpenID Connect Core 1.0, section
// 3.1.3.7).
func (c claims) madeFor(issuer, client string) error {
	iss, err := c.text("iss")
	if err != nil {
		return err
	}
	audience, err := c.texts("aud")
	if err != nil {
		return err
	}
	party, err := c.text("azp")
	if err != nil {
		return err
	}
	switch {
	case iss != issuer:
		return unproven("its issuer is %q", clip(iss))
	case !slices.Contains(audience, client):
		return unproven("it is not for client %q", client)
	case len(audience) > 1 && party == "" || party != "" && party != client:
		return unproven("it was made for %q", clip(party))
	}
	return nil
}

// bounds of what a person's session and the trail keep of an assertion.
const (
	maxGroups    = 16 << 10 // bytes, all names together
	maxEvidence  = 64       // bytes of one value
	maxEvidences = 16
)

// groups are the names in a claim. An issuer that says them in another way is
// misunderstood, which must not become "in no group" or "in a part of them".
func (c claims) groups(claim string) ([]string, error) {
	names, err := c.texts(claim)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, name := range names {
		if size += len(name); name == "" || size > maxGroups || strings.ContainsFunc(name, control) {
			return nil, unproven("%s: an empty name, one with control bytes, or more than %d bytes of them", claim, maxGroups)
		}
	}
	return names, nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

// evidence is how the person proved it. What is of a wrong type is as good as
// not said: the error tells which, for the operator's log.
func (c claims) evidence(issuer string) (identity.Evidence, error) {
	e := identity.Evidence{Issuer: issuer}
	at, badTime := c.moment("auth_time")
	acr, badACR := c.text("acr")
	amr, badAMR := c.methods()
	if badACR == nil && len(acr) > maxEvidence*4 {
		acr, badACR = "", unproven("acr is too long")
	}
	e.AuthTime, e.ACR, e.AMR = at, acr, amr
	for _, err := range []error{badTime, badACR, badAMR} {
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// methods are the "amr" (RFC 8176), which is a list and nothing else.
func (c claims) methods() ([]string, error) {
	v, there := c["amr"]
	if !there {
		return nil, nil
	}
	values, ok := v.([]any)
	if !ok || len(values) > maxEvidences {
		return nil, unproven("amr is not a list of up to %d methods", maxEvidences)
	}
	methods, err := listed("amr", values)
	for _, m := range methods {
		if len(m) > maxEvidence || strings.ContainsFunc(m, control) {
			return nil, unproven("amr holds %q", clip(m))
		}
	}
	return methods, err
}

// clip is a foreign text as far as a log needs it.
func clip(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%.80s…", text)
	}
	return text
}
