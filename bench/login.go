//go:build linux

package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"
)

// person signs in as a browser would. The standard library's cookie jar does
// not send Secure cookies to a loopback address, browsers do.
type person struct {
	name    string
	base    string
	cookies []string // NAME=VALUE
	secret  string   // of the authenticator, base32
	bound   time.Time
	steps   []time.Duration // how long each request took
}

// browser is one for all people: they differ in their cookies.
var browser = http.Client{
	Timeout:       30 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// header is the Cookie header of the person's browser.
func (p *person) header() string { return strings.Join(p.cookies, "; ") }

// begin goes as far as the console's login and the page that asks for more.
func (p *person) begin() (page string, err error) {
	p.cookies, p.steps = nil, nil
	login := url.Values{"user": {p.name}, "password": {"secret"}}
	if _, err := p.send(http.MethodPost, "/login", login, http.StatusSeeOther); err != nil {
		return "", err
	}
	return p.send(http.MethodGet, "/.stepgate/challenge", nil, http.StatusOK)
}

// enroll signs in for the first time: the console's login, the binding of an
// authenticator with two codes.
func (p *person) enroll() error {
	shown, err := p.begin()
	if err != nil {
		return err
	}
	p.bound = time.Now()
	codes, err := p.bothCodes(shown)
	if err != nil {
		return err
	}
	return p.finish(codes)
}

// signIn signs in with one code of the authenticator.
func (p *person) signIn() error {
	shown, err := p.begin()
	if err != nil {
		return err
	}
	id := challengeID.FindStringSubmatch(shown)
	if id == nil {
		return fmt.Errorf("%s is asked for no code:\n%s", p.name, shown)
	}
	code, err := totp.GenerateCode(p.secret, time.Now())
	if err != nil {
		return err
	}
	return p.finish(url.Values{"challenge": {id[1]}, "code": {code}})
}

// finish passes the challenge.
func (p *person) finish(answer url.Values) error {
	_, err := p.send(http.MethodPost, "/.stepgate/challenge", answer, http.StatusSeeOther)
	return err
}

// send sends a request and takes the cookies of the answer.
func (p *person) send(method, path string, form url.Values, want int) (string, error) {
	r, err := http.NewRequest(method, p.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Cookie", p.header())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("User-Agent", userAgent)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	res, err := browser.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	p.steps = append(p.steps, time.Since(began))
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
func (p *person) bothCodes(page string) (url.Values, error) {
	id := challengeID.FindStringSubmatch(page)
	key, err := url.Parse(html.UnescapeString(keyURL.FindString(page)))
	if id == nil || err != nil {
		return nil, fmt.Errorf("the page asks for no authenticator: %w\n%s", err, page)
	}
	p.secret = key.Query().Get("secret")
	first, err := totp.GenerateCode(p.secret, p.bound)
	if err != nil {
		return nil, err
	}
	second, err := totp.GenerateCode(p.secret, p.bound.Add(30*time.Second))
	return url.Values{"challenge": {id[1]}, "code1": {first}, "code2": {second}}, err
}

// crowd is n people, named by prefix and number, who are new to the site.
func crowd(prefix, base string, n int) []*person {
	people := make([]*person, n)
	for i := range people {
		people[i] = &person{name: fmt.Sprintf("%s%06d", prefix, i), base: base}
	}
	return people
}

// enrollAll lets new people sign in, a few at a time, and returns the Cookie
// headers of their browsers, each of which the console has known.
func enrollAll(people []*person) ([]string, error) {
	err := inParallel(16, people, func(p *person) error {
		if err := p.enroll(); err != nil {
			return err
		}
		said, err := p.send(http.MethodGet, "/whoami", nil, http.StatusOK)
		if err == nil && !strings.Contains(said, p.name) {
			err = fmt.Errorf("the console takes %s for %s", p.name, said)
		}
		return err
	})
	cookies := make([]string, len(people))
	for i, p := range people {
		cookies[i] = p.header()
	}
	return cookies, err
}

// inParallel does something with each item, n at a time, up to the first
// error.
func inParallel[T any](n int, items []T, do func(T) error) error {
	todo := make(chan T)
	errs := make(chan error, n)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for item := range todo {
				if err := do(item); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	err := hand(items, todo, errs)
	close(todo)
	all.Wait()
	close(errs)
	for late := range errs {
		err = errors.Join(err, late)
	}
	return err
}

func hand[T any](items []T, todo chan<- T, errs <-chan error) error {
	for _, item := range items {
		select {
		case todo <- item:
		case err := <-errs:
			return err
		}
	}
	return nil
}
