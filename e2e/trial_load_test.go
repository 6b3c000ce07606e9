//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// request is what may become of a request for the protected page.
type request struct {
	user    string // as whom it may reach the console; "" is not at all
	session string
	node    int
}

// quick asks without a session.
func (r *ordeal) quick(worker, n int) { r.visit("without session", (worker+n)%len(r.nodes), "", "") }

// mixed sends one request of a kind that is due.
func (r *ordeal) mixed(worker, n int) {
	node := rand.IntN(len(r.nodes))
	switch due := (worker + n) % 12; due {
	case 0, 1, 2:
		p := pick(r.workers)
		r.visit("verified", node, p.Jar(), p.Name)
	case 3:
		p := pick(r.leaving)
		if r.begun.Load() && rand.IntN(5) == 0 {
			r.leave(p, node)
			return
		}
		r.visit("leaving", node, p.Jar(), p.Name)
	case 4, 5, 6:
		r.visit("without session", node, "", "")
	case 7:
		r.visit("ended", node, pick(r.ended).Jar(), "")
	case 8:
		r.visit("stolen", node, pick(r.stolen), "")
	case 9:
		r.visit("half", node, pick(r.half).Jar(), "")
	case 10:
		p := pick(r.logins)
		reply, err := ask(http.MethodPost, r.nodes[node]+"/login", "", url.Values{"user": {p.Name}, "password": {DeskPassword}}, true)
		r.count("login", reply, err)
	case 11:
		if rand.IntN(3) == 0 {
			r.guessing(pick(r.guessers), node)
		} else {
			r.spend("code", pick(r.spenders), node, 0)
		}
	}
}

func pick[T any](from []T) T { return from[rand.IntN(len(from))] }

// visit asks for the protected page, half the time as a script.
func (r *ordeal) visit(kind string, node int, cookies, user string) Reply {
	id := fmt.Sprintf("%s %d", r.name, r.serial.Add(1))
	r.mu.Lock()
	r.sent[id] = request{user, cookies, node}
	r.mu.Unlock()
	reply, err := ask(http.MethodGet, r.nodes[node]+"/work?id="+url.QueryEscape(id), cookies, nil, rand.IntN(2) == 0)
	r.count(kind, reply, err)
	return reply
}

// leave logs out. Only what was confirmed has to be so.
func (r *ordeal) leave(p *Person, node int) {
	reply, err := ask(http.MethodPost, r.nodes[node]+"/logout", p.Jar(), url.Values{}, true)
	r.count("logout", reply, err)
	if err == nil && reply.Status == http.StatusSeeOther && reply.Header.Get("Location") == "/login" {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.ends[p.Jar()].IsZero() {
			r.ends[p.Jar()] = time.Now()
		}
	}
}

// guessing submits a code that is wrong.
func (r *ordeal) guessing(p *Person, node int) Reply {
	r.mu.Lock()
	n := r.tried[p.Name]
	r.tried[p.Name]++
	r.mu.Unlock()
	reply, err := p.Answer(r.nodes[node], p.Wrong(n%50))
	r.count("wrong code", reply, err)
	if reply.Status == http.StatusUnprocessableEntity {
		r.mu.Lock()
		r.guess[p.Name]++
		r.mu.Unlock()
	}
	return reply
}

// spend submits a code that is good once.
func (r *ordeal) spend(kind string, p *Person, node, step int) {
	reply, err := p.Answer(r.nodes[node], p.CodeAt(step))
	r.count(kind, reply, err)
	if err == nil && strings.Contains(strings.Join(reply.Header["Set-Cookie"], "\n"), DeskCookie+"=") {
		r.mu.Lock()
		r.passes[fmt.Sprintf("the code %d of %s", step, p.Name)]++
		r.passes["the challenge "+p.Challenge+" of "+p.Name]++
		r.mu.Unlock()
	}
}

var (
	allowed = map[int]bool{200: true, 303: true, 401: true, 403: true, 422: true, 429: true, 503: true}
	leaks   = regexp.MustCompile(`127\.0\.0\.1|localhost|redis|Redis|postgres|pgx|SQLSTATE|dial|i/o timeout|goroutine|LOADING|READONLY|WRONGPASS|OOM|secret`)
)

// amiss fails the test, and says so a few times.
func (r *ordeal) amiss(format string, args ...any) {
	if r.said.Add(1) <= 10 {
		r.Errorf(format, args...)
	} else {
		r.Fail()
	}
}

// count counts an answer and looks at what it says.
func (r *ordeal) count(kind string, reply Reply, err error) {
	r.tally.Add(kind, reply, err)
	switch {
	case err != nil:
		r.amiss("%s: no answer: %v", kind, err)
	case !allowed[reply.Status]:
		r.amiss("%s: %d: %s", kind, reply.Status, reply.Text)
	case reply.Status == http.StatusServiceUnavailable:
		r.mustBeFault(kind, reply)
	}
}

func (r *ordeal) mustBeFault(kind string, reply Reply) {
	kindOf := reply.Header.Get("Content-Type")
	if reply.Header.Get("Retry-After") == "" || !strings.HasPrefix(kindOf, "application/problem+json") && !strings.HasPrefix(kindOf, "text/html") {
		r.amiss("%s: a fault is told with %v\n%s", kind, reply.Header, reply.Text)
	}
	if found := leaks.FindString(reply.Text); found != "" {
		r.amiss("%s: a fault tells %q:\n%s", kind, found, reply.Text)
	}
}
