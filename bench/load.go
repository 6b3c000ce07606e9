//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// client is a connection that asks for the page.
type client interface {
	exchange() error
	Close() error
}

// variant is one way for a request to take.
type variant struct {
	name    string
	proxy   *proxy
	site    addresses
	cookies []string // Cookie headers that its gateway knows
	every   int      // takes part in each round, or in each fourth
	conns   []client
}

// dial opens the connections of a variant, which stay open over all slices.
func (v *variant) dial(open func(string, func() string) (client, error), address string) error {
	next := turns(v.cookies)
	for i := range connections {
		c, err := open(address, next(i))
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		v.conns = append(v.conns, c)
	}
	return nil
}

func (v *variant) close() {
	for _, c := range v.conns {
		_ = c.Close()
	}
}

// slice is what one variant did in a short time.
type slice struct {
	requests         int
	wall             time.Duration
	took             []time.Duration // unsorted
	proxy, load, all time.Duration   // CPU: the proxy's, our own, everything's
}

// slice loads a variant from all connections at once.
func (l *lab) slice(v *variant, length time.Duration) (s slice, err error) {
	before, err := l.clocks(v)
	if err != nil {
		return s, err
	}
	began := time.Now()
	if s.took, err = runAll(v.conns, began.Add(length)); err != nil {
		return s, fmt.Errorf("%s: %w", v.name, err)
	}
	s.wall, s.requests = time.Since(began), len(s.took)
	after, err := l.clocks(v)
	s.proxy, s.load, s.all = after.proxy-before.proxy, after.load-before.load, after.all-before.all
	return s, err
}

// runAll sends requests on all connections until the deadline, and returns
// how long each took.
func runAll(conns []client, deadline time.Time) ([]time.Duration, error) {
	took, errs := make([][]time.Duration, len(conns)), make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { took[i], errs[i] = runOne(c, deadline) })
	}
	all.Wait()
	var joined []time.Duration
	for _, t := range took {
		joined = append(joined, t...)
	}
	return joined, errors.Join(errs...)
}

func runOne(c client, deadline time.Time) (took []time.Duration, err error) {
	for began := time.Now(); began.Before(deadline); {
		if err := c.exchange(); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, now.Sub(began))
		began = now
	}
	return took, nil
}

type clocks struct{ proxy, load, all time.Duration }

func (l *lab) clocks(v *variant) (c clocks, err error) {
	if c.load, err = cpuOf(os.Getpid()); err != nil {
		return c, err
	}
	c.all = c.load
	for _, p := range l.processes {
		used, err := p.cpu()
		if err != nil {
			return c, err
		}
		c.all += used
		if p == v.proxy.process {
			c.proxy = used
		}
	}
	return c, nil
}
