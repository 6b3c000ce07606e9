package firstfactor

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
)

// ID implements Asserter. Two issuers are two sources.
func (j *JWT) ID() string { return "jwt:" + j.Issuer }

// Realm implements Asserter.
func (j *JWT) Realm() string { return identity.IssuedBy(j.realm, j.Issuer) }

// Headers implements Asserter.
func (j *JWT) Headers() []string {
	if j.Cookie != "" {
		return nil
	}
	return []string{j.header.name}
}

// Assert implements Asserter. A token that was seen before is looked up; its
// signature is checked again only when the issuer's keys have changed.
func (j *JWT) Assert(ctx context.Context, r *http.Request) (Assertion, error) {
	token, err := j.token(r)
	if err != nil {
		return Assertion{}, err
	}
	if known, ok := j.verified.GetIfPresent(token); ok && j.keys.still(known.keys) && j.Now().Before(known.who.expiresAt) {
		return Assertion{Identity: known.who, Key: token}, nil
	}
	if len(token) > maxToken {
		return Assertion{}, unproven("a token of %d bytes", len(token))
	}
	payload, keys, err := j.open(ctx, token)
	if err != nil {
		return Assertion{}, err
	}
	who, err := j.read(payload)
	if err != nil {
		return Assertion{}, err
	}
	token = strings.Clone(token) // not the whole line of cookies
	j.verified.Set(token, verifiedToken{who, keys})
	return Assertion{Identity: who, Key: token}, nil
}

// token is the one that a request carries. Two are refused: which of them the
// console would take is not known.
func (j *JWT) token(r *http.Request) (string, error) {
	if j.Cookie != "" {
		return j.cookie(r)
	}
	value, err := j.header.only(r)
	if err != nil || j.header.name != "Authorization" {
		return value, err
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoAssertion
	}
	return strings.TrimLeft(token, " "), nil
}

func (j *JWT) cookie(r *http.Request) (value string, err error) {
	found := 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimLeft(pair, " \t")
			if !j.isCookie(pair) {
				continue
			}
			name, text, _ := strings.Cut(pair, "=")
			if found++; found > 1 || name != j.Cookie {
				return "", unproven("the cookie %s stands twice, or as %q", j.Cookie, name)
			}
			value = strings.TrimSpace(text)
		}
	}
	if found == 0 {
		return "", ErrNoAssertion
	}
	return value, nil
}

// isCookie tells whether a console may find the cookie in a pair: by its name,
// or inside another one.
func (j *JWT) isCookie(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	return j.cookies.Has(name) || j.cookies.Has(match.FoldName(name)) || pair != "" && j.smuggled(pair)
}

// Withhold implements Asserter: it takes the cookie off.
func (j *JWT) Withhold(h http.Header) {
	if j.Cookie == "" || len(h["Cookie"]) == 0 {
		return
	}
	var kept []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.TrimSpace(pair); !j.isCookie(pair) {
				kept = append(kept, pair)
			}
		}
	}
	if delete(h, "Cookie"); len(kept) > 0 {
		h["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

// open returns what was signed, and the keys that the signature was checked
// with.
func (j *JWT) open(ctx context.Context, token string) ([]byte, *jwks, error) {
	signed, err := jose.ParseSignedCompact(token, j.allowed)
	if err != nil {
		return nil, nil, unproven("%v", err)
	}
	payload, keys, err := j.keys.verify(ctx, signed)
	if errors.Is(err, errSignature) {
		head := signed.Signatures[0].Protected
		return nil, nil, unproven("%w (alg %q, kid %q)", err, head.Algorithm, head.KeyID)
	}
	return payload, keys, err
}

// read is the person whom a signed token names.
func (j *JWT) read(payload []byte) (Identity, error) {
	c, err := parseClaims(payload)
	if err != nil {
		return Identity{}, err
	}
	end, err := c.lasts(j.Now())
	if err != nil {
		return Identity{}, err
	}
	issuer, _ := c.text("iss")
	audience, _ := c.texts("aud")
	switch {
	case issuer != j.Issuer:
		return Identity{}, unproven("its issuer is %q", clip(issuer))
	case !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(j.Audience, a) }):
		return Identity{}, unproven("it is for %q", audience)
	}
	return j.person(c, end)
}

// lasts checks when a token counts, and returns its end. One without an end
// could never be taken back; none lasts longer because clocks differ.
func (c claims) lasts(now time.Time) (end time.Time, err error) {
	if end, err = c.moment("exp"); err != nil {
		return end, err
	}
	if !now.Before(end) {
		return end, unproven("it has no end, or has ended (exp)")
	}
	for _, name := range []string{"nbf", "iat"} {
		begin, err := c.moment(name)
		if err != nil {
			return end, err
		}
		if begin.After(now.Add(clockSkew)) {
			return end, unproven("it counts only later (%s)", name)
		}
	}
	return end, nil
}

func (j *JWT) person(c claims, end time.Time) (Identity, error) {
	claim := cmp.Or(j.Subject, "sub")
	name, _ := c.at(claim).(string)
	if verified, said := c["email_verified"]; strings.TrimPrefix(claim, "/") == "email" && said && verified != true && verified != "true" {
		return Identity{}, unproven("its email is one that the issuer has not verified")
	}
	subject, err := newPerson(j.Realm(), name)
	if err != nil {
		return Identity{}, unproven("%s: %v", claim, err)
	}
	evidence, err := c.evidence(j.Issuer)
	if err != nil {
		j.Log.Warn("a token's evidence cannot be read and counts for nothing", "source", j.ID(), "subject", subject, "error", err)
	}
	who := Identity{subject: subject, source: j.ID(), evidence: &evidence, expiresAt: end}
	if groups := c.at(j.Groups); j.Groups != "" && groups != nil {
		who.groups, err = claims{j.Groups: groups}.groups(j.Groups)
		return who, err
	}
	return who, nil
}

// at is a claim by its name, or by a JSON pointer into another one.
func (c claims) at(name string) any {
	if strings.HasPrefix(name, "/") {
		return pointer(map[string]any(c), name)
	}
	return c[name]
}
