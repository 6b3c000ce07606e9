package selfservice

import (
	"crypto/subtle"
	"encoding/base64"

	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
)

// digest binds something to a session: to its family, which a step-up leaves as
// it is, so that forms of a page that was open before are still good.
func digest(key []byte, live *sessions.Session, what ...string) string {
	parts := append([]string{live.Site, string(live.Family[:]), live.Subject.String()}, what...)
	return base64.RawURLEncoding.EncodeToString(seal.Digest(key, parts...)[:18])
}

// Token proves that what holds it was written for this session: a form of ours,
// or an address that we made. what says for which use.
func (s *Service) Token(live *sessions.Session, what ...string) string {
	return digest(s.Ring.Derive("form")[0], live, what...)
}

// Ours tells whether a token is this session's, for this use.
func (s *Service) Ours(live *sessions.Session, token string, what ...string) bool {
	for _, key := range s.Ring.Derive("form") {
		if subtle.ConstantTimeCompare([]byte(digest(key, live, what...)), []byte(token)) == 1 {
			return true
		}
	}
	return false
}
