package firstfactor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/stepgate/stepgate/identity"
)

// Errand is one sending of a browser to an issuer: what only that browser may
// come back with. It is kept where nobody else reads it.
type Errand struct {
	State    string // against forged callbacks (RFC 6749, section 10.12)
	Nonce    string // against ID tokens of other errands
	Verifier string // against stolen codes (RFC 7636)
	Callback string // where the issuer sends the browser back to
}

// NewErrand makes one that nobody can guess.
func NewErrand(callback string) Errand {
	return Errand{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Callback: callback}
}

// Wish is what the issuer is asked for beyond a name.
type Wish struct {
	MaxAge time.Duration // how long ago the person may have signed in there; 0: any time
	ACR    []string      // ways of signing in that would do, best first
	Anew   bool          // ask the person again, whatever the issuer remembers
}

// Begin is the address at the issuer where a browser begins an errand.
func (i *Issuer) Begin(ctx context.Context, e Errand, w Wish) (string, error) {
	p, err := i.published.within(ctx, seenWell)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(e.Nonce), oauth2.S256ChallengeOption(e.Verifier)}
	set := func(name, value string) { options = append(options, oauth2.SetAuthURLParam(name, value)) }
	if w.MaxAge > 0 {
		set("max_age", strconv.Itoa(int(w.MaxAge.Seconds())))
	}
	if len(w.ACR) > 0 {
		set("acr_values", strings.Join(w.ACR, " "))
	}
	if w.Anew {
		set("prompt", "login")
	}
	config := p.oauth
	config.RedirectURL = e.Callback
	return config.AuthCodeURL(e.State, options...), nil
}

// Answered checks that an answer is this issuer's and not another's whom the
// browser was not sent to (RFC 9207, section 2.4; RFC 9700, section 4.4).
// said is the answer's iss, nil if it has none.
func (i *Issuer) Answered(ctx context.Context, said []string) error {
	if len(said) > 0 && (len(said) > 1 || said[0] != i.Issuer) {
		return unproven("the answer is of issuer %q", clip(said[0]))
	}
	p, err := i.published.get(ctx)
	if err != nil {
		return err
	}
	if len(said) == 0 && p.NamesItself {
		return unproven("the answer does not say whose it is, as this issuer's do")
	}
	return nil
}

// Redeem exchanges the code of an errand for the person who signed in. The
// error of a person's evidence that cannot be read is returned beside the
// identity, which then has none of it.
func (i *Issuer) Redeem(ctx context.Context, realm string, e Errand, code string, now time.Time) (who Identity, evidence, err error) {
	p, err := i.published.get(ctx)
	if err != nil {
		return who, nil, err
	}
	ctx = oidc.ClientContext(ctx, i.client)
	config := p.oauth
	config.RedirectURL = e.Callback
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(e.Verifier))
	if err != nil {
		return who, nil, refusedCode(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, c, err := i.verify(ctx, p, raw, now)
	if err != nil {
		return who, nil, err
	}
	if err := fits(token, c, e, tokens.AccessToken); err != nil {
		return who, nil, err
	}
	more, err := i.described(ctx, p, c, tokens)
	if err != nil {
		return who, nil, err
	}
	who, evidence, err = i.person(realm, c, more)
	who.issued = &Issued{Source: i.ID, Issuer: i.Issuer, Client: i.ClientID, Subject: token.Subject, Token: raw}
	if err == nil {
		who.issued.Session, err = c.text("sid")
	}
	return who, evidence, err
}

// refusedCode tells an issuer that refuses from one that is not well. What it
// answered besides the error's name is not repeated: it may hold the code.
func refusedCode(err error) error {
	var answer *oauth2.RetrieveError
	switch {
	case !errors.As(err, &answer):
		return fmt.Errorf("%w: exchanging the code: %w", ErrIssuer, brief(err))
	case answer.Response.StatusCode >= 500 || answer.Response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: exchanging the code: %s", ErrIssuer, answer.Response.Status)
	default:
		return unproven("the issuer refuses the code: %s %q", answer.Response.Status, clip(answer.ErrorCode))
	}
}

// verify checks a token of the issuer's for us: signature, issuer, audience,
// times. Its claims are read by exact names, each once.
func (i *Issuer) verify(ctx context.Context, p *provider, raw string, now time.Time) (*oidc.IDToken, claims, error) {
	keys := &heard{KeySet: p.keys}
	token, err := oidc.NewVerifier(i.Issuer, keys, &oidc.Config{
		ClientID: i.ClientID, SupportedSigningAlgs: algorithmNames(), SkipExpiryCheck: true,
	}).Verify(ctx, raw)
	if errors.Is(keys.err, ErrIssuer) {
		return nil, nil, keys.err
	}
	if err != nil {
		return nil, nil, unproven("%w", brief(err))
	}
	var payload rawClaims
	if err := token.Claims(&payload); err != nil {
		return nil, nil, unproven("%w", brief(err))
	}
	c, err := parseClaims(payload)
	if err == nil {
		err = errors.Join(c.madeFor(i.Issuer, i.ClientID), c.inTime(now))
	}
	return token, c, err
}

// rawClaims are claims as they stand in a token.
type rawClaims []byte

func (r *rawClaims) UnmarshalJSON(text []byte) error {
	*r = append((*r)[:0], text...)
	return nil
}

func algorithmNames() (names []string) {
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	return names
}

// heard keeps why keys cannot be had, which the verifier's error forgets.
type heard struct {
	oidc.KeySet
	err error
}

func (h *heard) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	payload, err := h.KeySet.VerifySignature(ctx, raw)
	h.err = err
	return payload, err
}

// fits checks that an ID token is of this errand (OpenID Connect Core 1.0,
// section 3.1.3.7) and of the access token beside it (section 3.1.3.8).
func fits(token *oidc.IDToken, c claims, e Errand, access string) error {
	nonce, err := c.text("nonce")
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(e.Nonce)) != 1 {
		return unproven("its nonce is not of this sign-in")
	}
	if _, said := c["at_hash"]; !said {
		return nil
	}
	if err := token.VerifyAccessToken(access); err != nil {
		return unproven("at_hash: %w", err)
	}
	return nil
}

// described are the claims at the userinfo endpoint, asked only for what the
// ID token leaves out (OpenID Connect Core 1.0, section 5.3).
func (i *Issuer) described(ctx context.Context, p *provider, c claims, tokens *oauth2.Token) (claims, error) {
	_, name := c[i.Name]
	_, groups := c[i.Groups]
	if p.UserInfoEndpoint() == "" || name && (groups || i.Groups == "") {
		return nil, nil
	}
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, fmt.Errorf("%w: userinfo: %w", ErrIssuer, brief(err))
	}
	var payload rawClaims
	if err := info.Claims(&payload); err != nil {
		return nil, fmt.Errorf("%w: userinfo: %w", ErrIssuer, brief(err))
	}
	more, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if sub, _ := more.text("sub"); sub == "" || sub != c["sub"] {
		return nil, unproven("userinfo is about %q", clip(sub))
	}
	return more, nil
}

// person is whom the claims name, of the ID token first.
func (i *Issuer) person(realm string, c, more claims) (who Identity, evidence, err error) {
	from := func(name string) claims {
		if _, there := c[name]; there || more == nil {
			return c
		}
		return more
	}
	named := from(i.Name)
	name, err := named.text(i.Name)
	if err != nil {
		return who, nil, err
	}
	if v := named["email_verified"]; i.Name == "email" && v != true && v != "true" {
		return who, nil, unproven("the issuer does not say that it verified the email")
	}
	who = Identity{source: i.ID}
	if who.subject, err = newPerson(identity.IssuedBy(realm, i.Issuer), name); err != nil {
		return Identity{}, nil, unproven("%s: %w", i.Name, err)
	}
	e, evidence := c.evidence(i.Issuer)
	who.evidence = &e
	if i.Groups != "" {
		who.groups, err = from(i.Groups).groups(i.Groups)
	}
	return who, evidence, err
}
