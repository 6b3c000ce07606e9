//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// cast is who takes part in a trial. Each person has enrolled.
type cast struct {
	nodes    []string
	workers  []*Person // verified
	ended    []*Person // were verified, and have logged out
	leaving  []*Person // verified; log out during the fault
	half     []*Person // have given the password
	spenders []*Person // twice each: two browsers that hold a challenge each, and the same codes
	guessers []*Person // hold a challenge, and some wrong codes
	logins   []*Person // give their password again and again
	stolen   []string  // cookies that shall open nothing
}

const (
	guesses   = 4 // before the fault
	mostGuess = 10
)

var notLetters = regexp.MustCompile(`[^A-Za-z]+`)

// assemble enrolls everybody.
func assemble(t *testing.T, nodes []string, name string) *cast {
	t.Helper()
	c := &cast{nodes: nodes}
	var all sync.WaitGroup
	var mu sync.Mutex
	add := func(role string, count int, to *[]*Person, more func(p *Person) ([]*Person, error)) {
		for i := range count {
			all.Go(func() {
				p := &Person{Name: fmt.Sprintf("%s.%s.%d", strings.Trim(notLetters.ReplaceAllString(name, "."), "."), role, i)}
				err := p.Enroll(nodes[i%len(nodes)])
				cast := []*Person{p}
				if err == nil && more != nil {
					cast, err = more(p)
				}
				if err != nil {
					t.Errorf("%s %d: %v", role, i, err)
				}
				mu.Lock()
				*to = append(*to, cast...)
				mu.Unlock()
			})
		}
	}
	again := func(browsers int) func(p *Person) ([]*Person, error) {
		return func(p *Person) (all []*Person, err error) {
			for i := range browsers {
				b := p.OtherBrowser()
				if _, err := b.SignIn(nodes[i%len(nodes)]); err != nil {
					return nil, err
				}
				all = append(all, b)
			}
			return all, nil
		}
	}
	add("worker", 12, &c.workers, nil)
	add("leaving", 6, &c.leaving, nil)
	add("half", 4, &c.half, again(1))
	add("spender", 8, &c.spenders, again(2))
	add("guesser", 3, &c.guessers, again(1))
	add("login", 4, &c.logins, nil)
	add("ended", 6, &c.ended, func(p *Person) ([]*Person, error) {
		before := *p
		before.cookies = slices.Clone(p.cookies)
		_, err := p.Send(nodes[0], http.MethodPost, "/logout", url.Values{}, http.StatusSeeOther)
		return []*Person{&before}, err
	})
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// thieves collects what people's cookies are worth without the rest.
func (c *cast) thieves(forged string) {
	for _, p := range c.workers[:4] {
		for _, ck := range p.cookies {
			if strings.HasPrefix(ck, DeskCookie+"=") {
				c.stolen = append(c.stolen, ck, ck+"; "+forged, ck+"; "+own(c.ended[0]), ck+"; "+own(c.half[0]))
			}
		}
		c.stolen = append(c.stolen, DeskCookie+"="+p.Name+"-1")
	}
}

// own is a person's cookie of ours.
func own(p *Person) string {
	for _, ck := range p.cookies {
		if strings.HasPrefix(ck, "__Host-stepgate-desk=") {
			return ck
		}
	}
	return ""
}
