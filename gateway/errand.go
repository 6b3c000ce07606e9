package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/sessions"
)

const (
	// errandLife is how long a person may take to sign in at an issuer.
	errandLife = 10 * time.Minute
	// maxErrands is how many tabs of a browser may be there at once.
	maxErrands = 8
)

// errand is one sending of this browser to an issuer. It lies in a cookie of
// the browser's, sealed, and nowhere else.
type errand struct {
	firstfactor.Errand
	Source string // the source's id
	Issuer string
	Return string // the local page that was wanted
	At     time.Time

	cookie string
}

// errandPrefix begins the names of such cookies; no site's name holds a dot,
// so that none is taken for a session's.
func (g *Gateway) errandPrefix() string { return sessions.CookieName(g.site.Name) + ".signin." }

func (g *Gateway) errandCookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return g.errandPrefix() + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// send gives the browser an errand, and takes those that are over.
func (g *Gateway) giveErrand(v *visit, e errand) error {
	e.At = g.svc.Now()
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	name := g.errandCookie(e.State)
	sealed := g.svc.Flow.Ring.Seal("errand", text, g.site.Name, name)
	g.takeErrands(v)
	http.SetCookie(v.w, errandLine(name, base64.RawURLEncoding.EncodeToString(sealed), int(errandLife/time.Second)))
	return nil
}

func errandLine(name, value string, age int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// takeErrands removes those that are over, and the oldest beyond a number.
func (g *Gateway) takeErrands(v *visit) {
	var open []errand
	for _, ck := range v.Cookies() {
		if !strings.HasPrefix(ck.Name, g.errandPrefix()) {
			continue
		}
		if e, ok := g.openErrand(ck); ok {
			open = append(open, e)
		} else {
			http.SetCookie(v.w, errandLine(ck.Name, "", -1))
		}
	}
	slices.SortFunc(open, func(a, b errand) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	for i := maxErrands - 1; i < len(open); i++ {
		http.SetCookie(v.w, errandLine(open[i].cookie, "", -1))
	}
}

// errandOf is the errand that a callback of this state ends. There is none in
// another browser, for a state that was made up, or after its time.
func (g *Gateway) errandOf(v *visit, state string) (errand, bool) {
	cookies := v.CookiesNamed(g.errandCookie(state))
	if state == "" || len(cookies) != 1 {
		return errand{}, false
	}
	e, ok := g.openErrand(cookies[0])
	return e, ok && e.State == state
}

func (g *Gateway) openErrand(ck *http.Cookie) (e errand, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(ck.Value)
	if err != nil {
		return e, false
	}
	text, err := g.svc.Flow.Ring.Open("errand", sealed, g.site.Name, ck.Name)
	if err != nil || json.Unmarshal(text, &e) != nil {
		return e, false
	}
	e.cookie = ck.Name
	age := g.svc.Now().Sub(e.At)
	return e, age < errandLife && age > -time.Minute
}

// spent is the errand among the ids that are spent.
func (e errand) spent() string {
	sum := sha256.Sum256([]byte(e.State))
	return "errand/" + base64.RawURLEncoding.EncodeToString(sum[:])
}
