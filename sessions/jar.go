package sessions

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"
)

// newJar makes room for the cookies of clients that have none: who proves with
// each request who they are, as scripts with a bearer token do. What is
// dropped for want of room begins a session anew.
func newJar(size int) (*otter.Cache[string, string], error) {
	return otter.New(&otter.Options[string, string]{MaximumSize: size})
}

// PutBy keeps a session's cookie by an assertion, in this process only. The
// next request with an equal one finds it by CookieOf.
func (s *Sessions) PutBy(site, assertion, cookie string) {
	s.jar.Set(jarKey(site, assertion), cookie)
}

// CookieOf is the cookie that was kept by an assertion, "" if there is none.
// Whether its session still lives is for Find to say.
func (s *Sessions) CookieOf(site, assertion string) string {
	cookie, _ := s.jar.GetIfPresent(jarKey(site, assertion))
	return cookie
}

// jarKey is as long for every assertion, which may be a token of many kilobytes
// and is nobody's to find in memory. The name of a site has no zero byte.
func jarKey(site, assertion string) string {
	sum := sha256.Sum256([]byte(site + "\x00" + assertion))
	return string(sum[:])
}
