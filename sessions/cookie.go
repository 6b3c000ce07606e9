package sessions

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/gorilla/securecookie"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// Prefix begins the name of every cookie of ours. The __Host- prefix makes
// the browser itself refuse one from another host, path or plain HTTP (RFC
// 6265bis, section 4.1.3.2).
const Prefix = "__Host-stepgate-"

// BrowserCookie marks a browser in which somebody passed.
const BrowserCookie = Prefix + "browser"

// CookieName is the name of a site's session cookie.
func CookieName(site string) string { return Prefix + site }

const (
	tokenSize = 1 + 32 // the shard, and 256 random bits
	markSize  = 16
	tagSize   = 8
)

type token [tokenSize]byte

func (t token) id() (id ID) {
	hash := sha256.Sum256(t[:])
	id[0] = t[0]
	copy(id[1:], hash[:])
	return id
}

// claim is what a cookie states: a family, and a token unless the level is
// none.
type claim struct {
	family   Family
	token    token
	hasToken bool
}

var errCookie = errors.New("sessions: not a cookie of ours")

// codec authenticates cookies with every master key and signs with the
// sealing one.
type codec []securecookie.Codec

func newCodec(ring *seal.Ring) codec {
	var c codec
	for _, key := range ring.Derive("cookie-authentication") {
		sc := securecookie.New(key, nil)
		sc.MaxAge(0) // the record knows when it expires
		sc.SetSerializer(securecookie.NopEncoder{})
		c = append(c, sc)
	}
	return c
}

func (c codec) encode(name string, cl claim) (string, error) {
	payload := append([]byte{}, cl.family[:]...)
	if cl.hasToken {
		payload = append(payload, cl.token[:]...)
	}
	return securecookie.EncodeMulti(name, payload, c[0])
}

func (c codec) decode(name, value string) (claim, error) {
	payload, err := c.open(name, value)
	if err != nil {
		return claim{}, err
	}
	var cl claim
	switch len(payload) {
	case len(cl.family):
	case len(cl.family) + tokenSize:
		cl.hasToken = true
		copy(cl.token[:], payload[len(cl.family):])
	default:
		return claim{}, errCookie
	}
	copy(cl.family[:], payload)
	return cl, nil
}

// open authenticates a value in the one spelling that we gave it: base64 has
// bits that its decoder ignores, and a session is near under one value only.
func (c codec) open(name, value string) (payload []byte, err error) {
	raw, err := base64.URLEncoding.DecodeString(value)
	if err != nil || base64.URLEncoding.EncodeToString(raw) != value {
		return nil, errCookie
	}
	if err := securecookie.DecodeMulti(name, value, &payload, c...); err != nil {
		return nil, errCookie
	}
	return payload, nil
}

// newClaim is a claim of nobody: a new family.
func newClaim() (cl claim) {
	_, _ = rand.Read(cl.family[:]) // never fails since Go 1.24
	return cl
}

// withToken gives the claim a new token for a session of the subject.
func (cl claim) withToken(who identity.Subject) claim {
	_, _ = rand.Read(cl.token[:])
	cl.token[0], cl.hasToken = ShardOf(who), true
	return cl
}

// cookie has no Max-Age: the record says how long a session lives, and a
// browser that is closed forgets it sooner.
func cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
