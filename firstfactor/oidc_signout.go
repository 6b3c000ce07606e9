package firstfactor

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Issued is what an issuer calls a sign-in, for the day when it, or the
// person, ends it.
type Issued struct {
	Source  string // the source's ID
	Issuer  string
	Client  string
	Subject string // sub
	Session string // sid, "" if the issuer does not say
	Token   string // the ID token itself
}

// Issued is what the issuer calls this sign-in; nil if there is none to be
// told of its end.
func (i Identity) Issued() *Issued { return i.issued }

// Leave is where a person who signed out of ours also signs out of the
// issuer's (OpenID Connect RP-Initiated Logout 1.0, section 2), "" if the
// issuer has no such page. back is where it may lead afterwards.
func (i *Issuer) Leave(ctx context.Context, token, back string) (string, error) {
	p, err := i.published.get(ctx)
	if err != nil || p.EndSession == "" {
		return "", err
	}
	to, err := url.Parse(p.EndSession)
	if err != nil {
		return "", err
	}
	query := to.Query()
	query.Set("client_id", i.ClientID)
	query.Set("post_logout_redirect_uri", back)
	if token != "" {
		query.Set("id_token_hint", token)
	}
	to.RawQuery = query.Encode()
	return to.String(), nil
}

// Ended is what a logout token says to have ended: a session, or all of a
// subject.
type Ended struct {
	Subject string // sub, "" if only the session is named
	Session string // sid, "" if all of the subject
	ID      string // jti
	Expires time.Time
}

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutToken is the largest logout token that is read, in bytes.
	maxLogoutToken = 16 << 10
)

// Ended checks a logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.6), but for its being used once, which is for the caller.
func (i *Issuer) Ended(ctx context.Context, raw string, now time.Time) (out Ended, err error) {
	if len(raw) > maxLogoutToken {
		return out, unproven("a logout token of %d bytes", len(raw))
	}
	if err := logoutType(raw); err != nil {
		return out, err
	}
	p, err := i.published.get(ctx)
	if err != nil {
		return out, err
	}
	_, c, err := i.verify(oidc.ClientContext(ctx, i.client), p, raw, now)
	if err != nil {
		return out, err
	}
	if err := c.logoutEvent(); err != nil {
		return out, err
	}
	return c.ended()
}

// logoutType refuses tokens that say themselves that they are something else.
func logoutType(raw string) error {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return unproven("%w", brief(err))
	}
	kind, said := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	name, _ := kind.(string)
	name = strings.TrimPrefix(strings.ToLower(name), "application/")
	if said && name != "logout+jwt" && name != "jwt" {
		return unproven("its type is %q", clip(name))
	}
	return nil
}

// logoutEvent tells a logout token from an ID token, which has a nonce and no
// events.
func (c claims) logoutEvent() error {
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return unproven("events does not say that it is a logout")
	}
	if _, said := c["nonce"]; said {
		return unproven("a logout token has no nonce")
	}
	return nil
}

func (c claims) ended() (out Ended, err error) {
	for name, into := range map[string]*string{"sub": &out.Subject, "sid": &out.Session, "jti": &out.ID} {
		if *into, err = c.text(name); err != nil {
			return Ended{}, err
		}
	}
	if out.Expires, err = c.moment("exp"); err != nil {
		return Ended{}, err
	}
	if out.ID == "" || out.Subject == "" && out.Session == "" {
		return Ended{}, unproven("it has no jti, or neither sub nor sid")
	}
	return out, nil
}
