//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// measureStorm lets 10,000 people log in within a minute, at even distances,
// whether or not those before are done.
func (l *lab) measureStorm() error {
	n, within := 10_000, time.Minute
	if l.quick {
		n, within = 200, 2*time.Second
	}
	c, err := l.plant()
	if err != nil {
		return err
	}
	if err := c.fill(n); err != nil {
		return err
	}
	people := crowdOf("http://"+c.proxy.sites[0].http, 0, n)
	before, err := c.proxy.cpu()
	if err != nil {
		return err
	}
	say("they come")
	began := time.Now()
	errs := comeAll(people, within)
	lasted := time.Since(began)
	after, err := c.proxy.cpu()
	if err != nil {
		return err
	}
	memory, err := c.proxy.resident()
	if err != nil {
		return err
	}
	return l.publish("storm", func(out io.Writer) {
		reportStorm(out, people, errs, lasted)
		fmt.Fprintf(out, "%d people within %v, the last was in after %v. The gateway used %.0f %% of a core, and had %s in memory.\n\n",
			n, within, lasted.Round(time.Millisecond), 100*(after-before).Seconds()/lasted.Seconds(), megabytes(memory))
	})
}

// comeAll starts everybody's login at its time, and returns what failed.
func comeAll(people []*person, within time.Duration) []error {
	errs := make([]error, len(people))
	began := time.Now()
	var all sync.WaitGroup
	for i, p := range people {
		time.Sleep(time.Until(began.Add(within * time.Duration(i) / time.Duration(len(people)))))
		all.Go(func() { errs[i] = p.signIn() })
	}
	all.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func reportStorm(out io.Writer, people []*person, errs []error, lasted time.Duration) {
	fmt.Fprintf(out, "## A storm of logins\n\n")
	var t table
	t.row("", "p50", "p99", "worst")
	for i, name := range []string{"the console's login", "the page that asks for the code", "the code"} {
		var took []time.Duration
		for _, p := range people {
			if len(p.steps) == 3 {
				took = append(took, p.steps[i])
			}
		}
		slices.Sort(took)
		t.row(name, milliseconds(percentile(took, 0.5)), milliseconds(percentile(took, 0.99)), milliseconds(percentile(took, 1)))
	}
	t.write(out)
	fmt.Fprintf(out, "%d logins failed.\n\n", len(errs))
	for _, err := range errs[:min(3, len(errs))] {
		fmt.Fprintln(out, err)
	}
}

// measureChallenges leaves 100,000 logins half done.
func (l *lab) measureChallenges() error {
	n := 100_000
	if l.quick {
		n = 500
	}
	c, err := l.plant()
	if err != nil {
		return err
	}
	people := crowd("gone", "http://"+c.proxy.sites[0].http, n)
	if err := inParallel(connections, people[:n/100], halfLogin); err != nil { // connections and the heap have their size then
		return err
	}
	redis, gateway, err := c.memory()
	if err != nil {
		return err
	}
	say("%d people log in and leave", n)
	began := time.Now()
	if err := inParallel(connections, people[n/100:], halfLogin); err != nil {
		return err
	}
	wall := time.Since(began)
	redisAfter, gatewayAfter, err := c.memory()
	if err != nil {
		return err
	}
	left := float64(n - n/100)
	return l.publish("challenges", func(out io.Writer) {
		fmt.Fprintf(out, "## Half-open challenges\n\n")
		l.versions(out)
		var t table
		t.row(fmt.Sprintf("%s people typed their password and left", thousands(n)), "")
		t.row("passwords a second", fmt.Sprintf("%.0f", left/wall.Seconds()))
		t.row("Redis's memory for each", fmt.Sprintf("%.0f bytes", (redisAfter-redis)/left))
		t.row("Redis's memory for all", megabytes(redisAfter-redis))
		t.row("gateway's memory before, after", megabytes(gateway)+", "+megabytes(gatewayAfter))
		t.write(out)
	})
}

// halfLogin is the console's login with nothing after it.
func halfLogin(p *person) error {
	_, err := p.send(http.MethodPost, "/login", map[string][]string{"user": {p.name}, "password": {"secret"}}, http.StatusSeeOther)
	return err
}

func (c *crop) memory() (redis, gateway float64, err error) {
	if redis, err = c.stores.usedMemory(); err != nil {
		return 0, 0, err
	}
	gateway, err = c.proxy.resident()
	return redis, gateway, err
}
