package sessions

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// BrowserLife is how long a browser stays known without being seen.
const BrowserLife = 180 * 24 * time.Hour

// Browser is a browser that carries our mark. The zero value is a stranger.
type Browser struct{ mark []byte }

// Known tells whether it carries a mark of ours at all.
func (b Browser) Known() bool { return b.mark != nil }

// BrowserOf reads the mark from a request.
func (s *Sessions) BrowserOf(r *http.Request) Browser {
	cookies := r.CookiesNamed(BrowserCookie)
	if len(cookies) != 1 {
		return Browser{}
	}
	mark, err := s.codec.open(BrowserCookie, cookies[0].Value)
	if err != nil || len(mark) != browserSize {
		return Browser{}
	}
	return Browser{mark}
}

// Mark gives a browser its mark, or renews the one it has. It is given only
// after a pass.
func (s *Sessions) Mark(b Browser) (Browser, *http.Cookie, error) {
	if !b.Known() {
		b.mark = make([]byte, browserSize)
		_, _ = rand.Read(b.mark) // never fails since Go 1.24
	}
	value, err := securecookie.EncodeMulti(BrowserCookie, b.mark, s.codec[0])
	ck := cookie(BrowserCookie, value)
	ck.MaxAge = int(BrowserLife / time.Second)
	return b, ck, err
}

// Digest is how stores know a browser and a subject together: one browser of
// two people is two, and the mark itself is nowhere. It does not depend on
// the master keys, whose rotation must not make every browser a stranger.
func (b Browser) Digest(who identity.Subject) []byte {
	return seal.Digest(b.mark, "browser", who.String())
}
