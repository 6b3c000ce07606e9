package sessions

import (
	"crypto/hmac"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// BrowserLife is how long a browser stays known without being seen.
const BrowserLife = 180 * 24 * time.Hour

// maxMarks is how many people a browser knows at once; the one seen longest ago
// is forgotten.
const maxMarks = 8

// Browser is a browser with the marks that we gave it: one for each person who
// passed in it, and each site of its host. A mark says whose it is: one that
// somebody else got and planted here is never a person's. The zero value is a
// stranger.
type Browser struct{ marks []mark }

// mark is random bytes, and a digest that tells for whom it was made.
type mark [markSize + tagSize]byte

func newMark(site string, who identity.Subject) (m mark) {
	_, _ = rand.Read(m[:markSize]) // never fails since Go 1.24
	copy(m[markSize:], m.tag(site, who))
	return m
}

func (m mark) tag(site string, who identity.Subject) []byte {
	return seal.Digest(m[:markSize], "browser of", site, who.String())[:tagSize]
}

// Knows tells whether the browser carries a mark of a person at a site.
func (b Browser) Knows(site string, who identity.Subject) bool { return b.index(site, who) >= 0 }

func (b Browser) index(site string, who identity.Subject) int {
	return slices.IndexFunc(b.marks, func(m mark) bool { return hmac.Equal(m[markSize:], m.tag(site, who)) })
}

// BrowserOf reads the marks from a request.
func (s *Sessions) BrowserOf(r *http.Request) (b Browser) {
	cookies := r.CookiesNamed(BrowserCookie)
	if len(cookies) != 1 {
		return Browser{}
	}
	all, err := s.codec.open(BrowserCookie, cookies[0].Value)
	if err != nil || len(all)%len(mark{}) != 0 {
		return Browser{}
	}
	for one := range slices.Chunk(all, len(mark{})) {
		b.marks = append(b.marks, mark(one))
	}
	return b
}

// Mark gives a browser its mark of a person at a site, or renews the one it
// has. It is given only after a pass.
func (s *Sessions) Mark(b Browser, site string, who identity.Subject) (Browser, *http.Cookie, error) {
	first, others := newMark(site, who), slices.Clone(b.marks)
	if i := b.index(site, who); i >= 0 {
		first = others[i]
		others = slices.Delete(others, i, i+1)
	}
	b.marks = append([]mark{first}, others[:min(len(others), maxMarks-1)]...)
	var all []byte
	for _, m := range b.marks {
		all = append(all, m[:]...)
	}
	value, err := securecookie.EncodeMulti(BrowserCookie, all, s.codec[0])
	ck := cookie(BrowserCookie, value)
	ck.MaxAge = int(BrowserLife / time.Second)
	return b, ck, err
}

// Digest is how stores know a browser and a person at a site together; nil if
// it does not know them. The mark itself is nowhere. It does not depend on the
// master keys, whose rotation must not make every browser a stranger.
func (b Browser) Digest(site string, who identity.Subject) []byte {
	i := b.index(site, who)
	if i < 0 {
		return nil
	}
	return seal.Digest(b.marks[i][:markSize], "browser", site, who.String())
}
