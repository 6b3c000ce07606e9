//go:build linux

package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// person signs in as a browser would. The standard library's cookie jar does
// not send Secure cookies to a loopback address, browsers do.
type person struct {
	base    string
	client  http.Client
	cookies []string // NAME=VALUE
}

// signIn goes the way of a person: the console's login, the binding of an
// authenticator with two codes. It returns the Cookie header of the browser
// that is verified then.
func signIn(base string) (string, error) {
	p := &person{base: base, client: http.Client{Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	login := url.Values{"user": {"alice"}, "password": {"secret"}}
	if _, err := p.send(http.MethodPost, "/login", login, http.StatusSeeOther); err != nil {
		return "", err
	}
	shown, err := p.send(http.MethodGet, "/.stepgate/challenge", nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	codes, err := bothCodes(shown, time.Now())
	if err != nil {
		return "", err
	}
	if _, err := p.send(http.MethodPost, "/.stepgate/challenge", codes, http.StatusSeeOther); err != nil {
		return "", err
	}
	_, err = p.send(http.MethodGet, "/whoami", nil, http.StatusOK)
	return strings.Join(p.cookies, "; "), err
}

// send sends a request and takes the cookies of the answer.
func (p *person) send(method, path string, form url.Values, want int) (string, error) {
	r, err := http.NewRequest(method, p.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Cookie", strings.Join(p.cookies, "; "))
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s instead of %d", method, path, res.Status, want)
	}
	for _, ck := range res.Cookies() {
		p.keep(ck.Name+"=", ck.Value)
	}
	return string(body), err
}

func (p *person) keep(name, value string) {
	p.cookies = slices.DeleteFunc(p.cookies, func(c string) bool { return strings.HasPrefix(c, name) })
	p.cookies = append(p.cookies, name+value)
}

var (
	keyURL      = regexp.MustCompile(`otpauth://totp/[^"]*`)
	challengeID = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
)

// bothCodes fills in the page that binds an authenticator: the code of now,
// and the one after it.
func bothCodes(page string, now time.Time) (url.Values, error) {
	id := challengeID.FindStringSubmatch(page)
	key, err := url.Parse(html.UnescapeString(keyURL.FindString(page)))
	if id == nil || err != nil {
		return nil, fmt.Errorf("the page asks for no authenticator: %w\n%s", err, page)
	}
	secret := key.Query().Get("secret")
	first, err := totp.GenerateCode(secret, now)
	if err != nil {
		return nil, err
	}
	second, err := totp.GenerateCode(secret, now.Add(30*time.Second))
	return url.Values{"challenge": {id[1]}, "code1": {first}, "code2": {second}}, err
}
