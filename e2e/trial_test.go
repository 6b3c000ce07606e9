//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
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

func all(int) bool { return true }

func none(int) bool { return false }

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
