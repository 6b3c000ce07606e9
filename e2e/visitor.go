//go:build e2e

package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is a person's browser without a screen: it keeps cookies for localhost whatever the port, so that it can
// turn to any node, and follows no redirect.
type visitor struct {
	t       testing.TB
	name    string
	key     string // of the authenticator app
	cookies map[string]string
	client  *http.Client
}

func newVisitor(t testing.TB, name string) *visitor {
	transport := &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, name, "", map[string]string{}, &http.Client{Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// copy is the same browser's next tab: what one learns from now on, the other does not.
func (v *visitor) copy() *visitor {
	twin := *v
	twin.cookies = maps.Clone(v.cookies)
	return &twin
}

// try sends a request, as a navigation.
func (v *visitor) try(base, method, path string, form url.Values) (Answer, error) {
	r, err := http.NewRequest(method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", v.jar())
	res, err := v.client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return Answer{res, string(text)}, err
}

func (v *visitor) jar() string {
	var pairs []string
	for name, value := range v.cookies {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// send is try, and keeps the cookies.
func (v *visitor) send(base, method, path string, form url.Values) Answer {
	v.t.Helper()
	a, err := v.try(base, method, path, form)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, ck := range a.Cookies() {
		v.cookies[ck.Name] = ck.Value
		if ck.MaxAge < 0 {
			delete(v.cookies, ck.Name)
		}
	}
	return a
}

// signIn passes the console's own form and stands before the challenge.
func (v *visitor) signIn(base string) {
	v.t.Helper()
	a := v.send(base, http.MethodPost, "/login", url.Values{"user": {v.name}, "password": {"open"}})
	if a.StatusCode != http.StatusSeeOther || !strings.HasSuffix(a.Header.Get("Location"), "/.stepgate/challenge") {
		v.t.Fatalf("%s signs in: %s to %q\n%s", v.name, a.Status, a.Header.Get("Location"), a.Text)
	}
}

// challenge opens the challenge, and takes the key if one is shown.
func (v *visitor) challenge(base string) (id string) {
	v.t.Helper()
	page := v.send(base, http.MethodGet, "/.stepgate/challenge", nil)
	found := challengePattern.FindStringSubmatch(page.Text)
	if found == nil {
		v.t.Fatalf("%s stands before no challenge: %s\n%s", v.name, page.Status, page.Text)
	}
	if key := keyPattern.FindStringSubmatch(page.Text); key != nil {
		v.key = key[1]
	}
	return found[1]
}

// codes are the answer to a challenge: two codes if a key was shown for it, the later one of the step that lies so
// many steps from now.
func (v *visitor) codes(id string, step int, binding bool) url.Values {
	v.t.Helper()
	at := time.Now().Add(time.Duration(step) * period)
	form := url.Values{"challenge": {id}}
	if !binding {
		form.Set("code", Oathtool(v.t, v.key, at))
		return form
	}
	form.Set("code1", Oathtool(v.t, v.key, at.Add(-period)))
	form.Set("code2", Oathtool(v.t, v.key, at))
	return form
}

// enroll signs in for the first time, with codes of steps that leave those of this one and the next to pass with.
func (v *visitor) enroll(login, show, pass string) {
	v.t.Helper()
	settle()
	v.signIn(login)
	id := v.challenge(show)
	v.mustPass(v.send(pass, http.MethodPost, "/.stepgate/challenge", v.codes(id, -1, true)))
}

// pass signs in again.
func (v *visitor) pass(login, show, pass string, step int) {
	v.t.Helper()
	settle()
	v.signIn(login)
	id := v.challenge(show)
	v.mustPass(v.send(pass, http.MethodPost, "/.stepgate/challenge", v.codes(id, step, false)))
}

func (v *visitor) mustPass(a Answer) {
	v.t.Helper()
	if !passed(a) {
		v.t.Fatalf("%s does not pass: %s\n%s", v.name, a.Status, a.Text)
	}
}

// passed: the browser is led where the console wanted, or shown it.
func passed(a Answer) bool {
	_, ok := a.Set("console_session")
	return ok && a.StatusCode < 400
}

// sees asks the console who is signed in.
func (v *visitor) sees(base string) bool {
	a, err := v.try(base, http.MethodGet, "/whoami", nil)
	return err == nil && a.StatusCode == http.StatusOK && strings.Contains(a.Text, `"`+v.name+`"`)
}

func (v *visitor) mustSee(base string) {
	v.t.Helper()
	if a := v.send(base, http.MethodGet, "/whoami", nil); a.StatusCode != http.StatusOK || !strings.Contains(a.Text, `"`+v.name+`"`) {
		v.t.Fatalf("%s does not see the console at %s: %s\n%s", v.name, base, a.Status, a.Text)
	}
}

func (v *visitor) signOut(base string) {
	v.t.Helper()
	if a := v.send(base, http.MethodPost, "/logout", nil); a.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("%s signs out: %s\n%s", v.name, a.Status, a.Text)
	}
}
