//go:build e2e

package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// Person has an account at a desk, an authenticator and a browser. The standard library's cookie jar does not send
// Secure cookies to loopback addresses; browsers do.
type Person struct {
	Name      string
	Secret    string // of the authenticator, base32
	Bound     time.Time
	Challenge string // the one that was shown last

	cookies []string
	near    map[string]bool
}

// Jar is the Cookie header of the person's browser.
func (p *Person) Jar() string { return strings.Join(p.cookies, "; ") }

// OtherBrowser is the same person in a browser that was never used.
func (p *Person) OtherBrowser() *Person {
	return &Person{Name: p.Name, Secret: p.Secret, Bound: p.Bound, near: p.near}
}

// Send sends a request to a node as a page load, takes the cookies of the answer, and fails on another status.
func (p *Person) Send(node, method, path string, form url.Values, want int) (Reply, error) {
	r, err := ask(method, node+path, p.Jar(), form, true)
	if err != nil {
		return r, err
	}
	p.keep(r.Header)
	if r.Status != want {
		err = fmt.Errorf("%s: %s %s: %d instead of %d\n%s", p.Name, method, path, r.Status, want, r.Text)
	}
	return r, err
}

func (p *Person) keep(h http.Header) {
	for _, ck := range (&http.Response{Header: h}).Cookies() {
		p.cookies = slices.DeleteFunc(p.cookies, func(c string) bool { return strings.HasPrefix(c, ck.Name+"=") })
		if ck.MaxAge >= 0 {
			p.cookies = append(p.cookies, ck.Name+"="+ck.Value)
		}
	}
}

// SignIn gives the console the password, and goes as far as the page that asks for more.
func (p *Person) SignIn(node string) (page string, err error) {
	login := url.Values{"user": {p.Name}, "password": {DeskPassword}}
	if _, err := p.Send(node, http.MethodPost, "/login", login, http.StatusSeeOther); err != nil {
		return "", err
	}
	r, err := p.Send(node, http.MethodGet, "/.stepgate/challenge", nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	id := shownChallenge.FindStringSubmatch(r.Text)
	if id == nil {
		return "", fmt.Errorf("%s is asked for nothing:\n%s", p.Name, r.Text)
	}
	p.Challenge = id[1]
	return r.Text, nil
}

// Enroll signs in for the first time and binds an authenticator with the codes of two steps ago and of the last one, so
// that those of now and of the next are good once.
func (p *Person) Enroll(node string) error {
	page, err := p.SignIn(node)
	if err != nil {
		return err
	}
	key, err := url.Parse(html.UnescapeString(keyURL.FindString(page)))
	if err != nil {
		return err
	}
	p.Secret, p.Bound = key.Query().Get("secret"), time.Now()
	p.remember()
	form := url.Values{"challenge": {p.Challenge}, "code1": {p.CodeAt(-2)}, "code2": {p.CodeAt(-1)}}
	_, err = p.Send(node, http.MethodPost, "/.stepgate/challenge", form, http.StatusSeeOther)
	return err
}

var (
	keyURL         = regexp.MustCompile(`otpauth://totp/[^"]*`)
	shownChallenge = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
)

// CodeAt is the code of the step that lies so many steps after that of the binding.
func (p *Person) CodeAt(step int) string {
	code, err := totp.GenerateCode(p.Secret, p.Bound.Add(time.Duration(step)*30*time.Second))
	if err != nil {
		panic(err) // the secret is none: Enroll failed
	}
	return code
}

// Wrong is the n-th of codes that are right at no step near the binding's.
func (p *Person) Wrong(n int) string {
	for guess := 0; ; guess++ {
		code := fmt.Sprintf("%06d", guess)
		if p.near[code] {
			continue
		}
		if n == 0 {
			return code
		}
		n--
	}
}

// remember notes the codes that are right at some step near the binding's.
func (p *Person) remember() {
	p.near = make(map[string]bool)
	for step := -30; step <= 30; step++ {
		p.near[p.CodeAt(step)] = true
	}
}

// Answer submits a code for the person's challenge.
func (p *Person) Answer(node, code string) (Reply, error) {
	return ask(http.MethodPost, node+"/.stepgate/challenge", p.Jar(), url.Values{"challenge": {p.Challenge}, "code": {code}}, true)
}
