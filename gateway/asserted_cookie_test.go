package gateway_test

import (
	"strings"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
)

// TestJWTCookieInAnother: a console that separates cookies at commas or
// quotes would find a token there that nobody compared.
func TestJWTCookieInAnother(t *testing.T) {
	r := byToken(t, always, func(j *firstfactor.JWT) { j.Header, j.Cookie = "", "id_token" })
	alice, mallory := r.token("alice"), r.token("mallory")
	for _, cookie := range []string{`a="b, id_token=%"`, `a=b,id_token=%`, `=id_token=%`, `a=b id_token=%`, `ID_TOKEN=%`, `id.token=%`, `id_token[]=%`} {
		cookie = strings.ReplaceAll(cookie, "%", mallory)
		r.console.got()
		r.browser().fetch("/public/x", "Cookie: "+cookie)
		r.browser().fetch("/private", "Cookie: id_token="+alice+"; "+cookie)
		for _, q := range r.console.got() {
			if strings.Contains(q.Header.Get("Cookie"), mallory) {
				t.Errorf("%.20s: the console got it at %s", cookie, q.URL.Path)
			}
		}
	}
}
