//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// mostDenial is two seconds, and half a second for a machine of two cores that runs the load, the gateways, the
	// stores and the console.
	mostDenial = 2500 * time.Millisecond
	// mostDeaf is one second, and the same margin.
	mostDeaf = 1500 * time.Millisecond
	// mostRecovery is from the end of a fault.
	mostRecovery = 10 * time.Second
	// leastRequests are counted during each fault.
	leastRequests = 10_000
	leastFault    = 2000 * time.Millisecond
	// faultWorkers send requests of all kinds, most of which wait; quickWorkers those that wait for no store.
	faultWorkers, quickWorkers = 128, 8
)

// trial is one fault.
type trial struct {
	name       string
	closed     func(node int) bool // where no protected request passes from a second after it began
	early      bool                // the load comes when it has begun
	forgets    bool                // sessions from before are gone
	begin, end func()
}

func all(int) bool  { return true }
func none(int) bool { return false }

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

// ordeal is a trial under way.
type ordeal struct {
	*testing.T
	*cast
	trial
	estate *Estate
	tally  *Tally

	serial atomic.Int64
	said   atomic.Int64
	begun  atomic.Bool
	mu     sync.Mutex
	sent   map[string]request
	ends   map[string]time.Time // when a logout of a session was confirmed, by its cookie
	guess  map[string]int       // wrong codes that were compared, by person
	passes map[string]int       // by code of a person, and by challenge
	tried  map[string]int       // wrong codes that were sent
}

// request is what may become of a request for the protected page.
type request struct {
	user    string // as whom it may reach the console; "" is not at all
	session string
	node    int
}

// try puts the estate through a trial.
func (e *Estate) try(t *testing.T, f trial) {
	t.Helper()
	c := assemble(t, e.URLs(), f.name)
	c.thieves("__Host-stepgate-desk=" + strings.Repeat("A", 120))
	r := newOrdeal(t, c, f, e)
	for range guesses {
		for _, p := range c.guessers {
			r.guessing(p, 0)
		}
	}
	began, ended := r.during(f)
	r.report(began, ended)
	r.recover(ended)
	r.afterwards()
	r.judge(began, ended)
}

func newOrdeal(t *testing.T, c *cast, f trial, e *Estate) *ordeal {
	return &ordeal{T: t, cast: c, trial: f, estate: e, tally: &Tally{}, sent: map[string]request{}, ends: map[string]time.Time{},
		guess: map[string]int{}, passes: map[string]int{}, tried: map[string]int{}}
}

// during sends the load while the fault lasts: it begins in the middle of it.
func (r *ordeal) during(f trial) (began, ended time.Time) {
	over := make(chan struct{})
	if f.early {
		f.begin()
	}
	slow, quick := Work(faultWorkers, over, r.mixed), Work(quickWorkers, over, r.quick)
	time.Sleep(300 * time.Millisecond)
	r.tally.Reset() // what was before the fault does not count
	if !f.early {
		f.begin()
	}
	began = time.Now()
	r.begun.Store(true)
	for time.Since(began) < leastFault || r.tally.Total() < leastRequests && time.Since(began) < 40*time.Second {
		time.Sleep(50 * time.Millisecond)
	}
	close(over)
	slow.Wait()
	quick.Wait()
	ended = time.Now()
	f.end()
	return began, ended
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

// recover waits until everything goes again: sessions that were not lost, and logins.
func (r *ordeal) recover(ended time.Time) {
	for node := range r.nodes {
		for _, p := range r.workers[:4] {
			r.well(ended, node, func() error {
				if reply := r.visit("verified again", node, p.Jar(), p.Name); reply.Status != http.StatusOK && !r.forgets {
					return fmt.Errorf("%s gets %d", p.Name, reply.Status)
				}
				return nil
			})
		}
		r.well(ended, node, func() error {
			_, err := r.logins[0].OtherBrowser().SignIn(r.nodes[node])
			return err
		})
	}
	newcomer := &Person{Name: notLetters.ReplaceAllString(r.name, ".") + ".newcomer"}
	r.well(ended, 0, func() error { return newcomer.Enroll(r.nodes[0]) })
	for node := range r.nodes {
		r.well(ended, node, func() error { return r.near(newcomer, node) })
	}
	r.Logf("well again after %v", time.Since(ended).Round(time.Millisecond))
}

// near tells whether a verified session costs the store nothing.
func (r *ordeal) near(p *Person, node int) error {
	const visits = 300
	before := r.estate.commands()
	for range visits {
		if reply := r.visit("near", node, p.Jar(), p.Name); reply.Status != http.StatusOK {
			return fmt.Errorf("%s gets %d", p.Name, reply.Status)
		}
	}
	if n := r.estate.commands() - before; n > visits/5 {
		return fmt.Errorf("%d requests cost Redis %d commands", visits, n)
	}
	return nil
}

// well waits until something works again.
func (r *ordeal) well(ended time.Time, node int, works func() error) {
	for err := works(); err != nil; err = works() {
		if time.Since(ended) > mostRecovery {
			r.Fatalf("node %d does not recover within %v: %v", node, mostRecovery, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *ordeal) report(began, ended time.Time) {
	r.Logf("%s, %v\n%v", r.name, ended.Sub(began).Round(time.Millisecond), r.tally)
	if slowest := r.tally.Slowest(); slowest > mostDenial {
		r.amiss("the slowest answer took %v", slowest)
	}
	if n := r.tally.Total(); n < leastRequests {
		r.amiss("only %d requests", n)
	}
	if !r.forgets && r.tally.Count("login", "503") == 0 {
		r.amiss("it was no fault: every login was taken")
	}
}

// afterwards tries everything again, with fresh challenges where the old ones are gone.
func (r *ordeal) afterwards() {
	for i, p := range append(r.spenders, r.freshly(r.spenders)...) {
		for node := range r.nodes {
			r.spend("code again", p, (node+i)%len(r.nodes), 0)
			r.spend("code again", p, (node+i)%len(r.nodes), 1)
		}
	}
	for _, p := range r.guessers {
		r.guessOn(p)
	}
	for _, p := range r.ended {
		r.visit("ended", 0, p.Jar(), "")
		r.visit("ended", len(r.nodes)-1, p.Jar(), "")
	}
	time.Sleep(mostDeaf)
	for _, p := range r.leaving {
		r.visit("leaving", 0, p.Jar(), p.Name)
		r.visit("leaving", len(r.nodes)-1, p.Jar(), p.Name)
	}
}

// freshly are the same people before new challenges, but for those whom the fault cost all attempts: what was charged
// while a store failed stays charged.
func (r *ordeal) freshly(people []*Person) (fresh []*Person) {
	for i, p := range people {
		b := p.OtherBrowser()
		_, err := b.SignIn(r.nodes[i%len(r.nodes)])
		if err != nil && !strings.Contains(err.Error(), "429 instead of 200") {
			r.amiss("after the fault: %v", err)
		}
		if err != nil {
			continue
		}
		fresh = append(fresh, b)
	}
	return fresh
}

// guessOn guesses until the person is locked, at last.
func (r *ordeal) guessOn(p *Person) {
	for range 3 * mostGuess {
		fresh := r.freshly([]*Person{p})
		if len(fresh) == 0 {
			return
		}
		if r.guessing(fresh[0], rand.IntN(len(r.nodes))).Status == http.StatusTooManyRequests {
			return
		}
	}
	r.amiss("%s is never locked", p.Name)
}

// judge compares what reached the console with what may have.
func (r *ordeal) judge(began, ended time.Time) {
	visits := r.estate.Desk.Visits()
	for id, sent := range r.sent {
		visit, reached := visits[id]
		over := r.ends[sent.session]
		switch {
		case !reached:
		case visit.User != sent.user:
			r.amiss("a request that may pass as %q reached the console as %q", sent.user, visit.User)
		case !over.IsZero() && visit.At.After(over.Add(mostDeaf)):
			r.amiss("a session of %s passed %v after its logout", visit.User, visit.At.Sub(over))
		case r.closed(sent.node) && visit.At.After(began.Add(mostDeaf)) && visit.At.Before(ended):
			r.amiss("a session of %s passed %v after the fault began", visit.User, visit.At.Sub(began))
		}
	}
	for name, n := range r.passes {
		if n > 1 {
			r.amiss("%s passed %d times", name, n)
		}
	}
	for name, n := range r.guess {
		if n > mostGuess {
			r.amiss("%d wrong codes of %s were compared", n, name)
		}
	}
}
