//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	nodes = 3
	// watchers ask each other node at once for a session that ends: their
	// requests lie a fraction of a request's time apart.
	watchers = 4
)

// cluster is three gateways on the same stores, under load. The third hears
// of Redis through a wire that can be cut.
type cluster struct {
	nodes  []*proxy
	wire   *wire
	load   []client
	people []*person
}

// ending is what was seen of one session that ended on the first node.
type ending struct {
	sent     time.Duration // a request sent so long after the logout was sent still passed
	answered time.Duration // the same after its answer, from when on anybody relies on it
}

// measureRevocation ends sessions at one node, and watches the others.
func (l *lab) measureRevocation() error {
	count, cuts := 300, 20
	if l.quick {
		count, cuts = 8, 2
	}
	if err := l.fresh(); err != nil {
		return err
	}
	c, err := l.startCluster(count + 3*cuts)
	if err != nil {
		return err
	}
	defer c.wire.close()
	stop := c.underLoad()
	found := make(map[string][]ending)
	for _, s := range c.scenarios(l, count, cuts) {
		say("%s, %d times", s.name, s.times)
		if found[s.name], err = c.endings(s); err != nil {
			break
		}
	}
	requests, loadErr := stop()
	if err := errors.Join(err, loadErr); err != nil {
		return err
	}
	err = l.publish("revocation", func(out io.Writer) { l.reportRevocation(out, requests, found) })
	if err != nil {
		return err
	}
	return l.keep("performance-revocation.svg", func(out io.Writer) { drawRevocation(out, found) })
}

func (l *lab) startCluster(n int) (c *cluster, err error) {
	c = &cluster{}
	if c.wire, err = newWire(l.stores.address); err != nil {
		return nil, err
	}
	for i := range nodes {
		reach := *l.stores
		if i == nodes-1 {
			reach.address = c.wire.address
		}
		p, err := l.startProxy(fmt.Sprintf("node%d", i+1), l.binary, reach.options(), protection)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, p)
	}
	say("%d people sign in", n+connections)
	c.people = crowd("alice", "http://"+c.nodes[0].sites[0].http, n+connections)
	cookies, err := enrollAll(c.people)
	if err != nil {
		return nil, err
	}
	c.people = c.people[connections:]
	return c, c.dialLoad(turns(cookies[:connections]))
}

func (c *cluster) dialLoad(next func(int) func() string) error {
	for i := range connections {
		conn, err := dial1(c.nodes[i%nodes].sites[0].http, next(i))
		if err != nil {
			return err
		}
		c.load = append(c.load, conn)
	}
	return nil
}

// underLoad sends as much as goes to all nodes until it is stopped, and tells
// how much in a second that was.
func (c *cluster) underLoad() (stop func() (float64, error)) {
	over := make(chan struct{})
	counts, errs := make([]int, len(c.load)), make([]error, len(c.load))
	var all sync.WaitGroup
	for i, conn := range c.load {
		all.Go(func() { counts[i], errs[i] = loadUntil(conn, over) })
	}
	began := time.Now()
	return func() (float64, error) {
		close(over)
		all.Wait()
		sum := 0
		for i, n := range counts {
			sum += n
			_ = c.load[i].Close()
		}
		return float64(sum) / time.Since(began).Seconds(), errors.Join(errs...)
	}
}

func loadUntil(conn client, over <-chan struct{}) (n int, err error) {
	for {
		select {
		case <-over:
			return n, nil
		default:
		}
		if err := conn.exchange(); err != nil {
			return n, err
		}
		n++
	}
}

// scenario is a way to disturb the nodes before each ending.
type scenario struct {
	name    string
	times   int
	before  func() error
	after   func()
	between time.Duration // for what was disturbed to be whole again
}

const (
	allHear   = "all nodes hear"
	killed    = "subscriptions killed (`CLIENT KILL TYPE pubsub`)"
	blackhole = "subscription in a black hole"
)

func (c *cluster) scenarios(l *lab, count, cuts int) []scenario {
	nothing := func() error { return nil }
	return []scenario{
		{allHear, count, nothing, func() {}, 0},
		{killed, cuts, func() error {
			return l.stores.redis.Do(context.Background(), "CLIENT", "KILL", "TYPE", "pubsub").Err()
		}, func() {}, 2 * time.Second},
		{blackhole, cuts, func() error { c.wire.cut.Store(true); return nil }, func() { c.wire.cut.Store(false) }, 4 * time.Second},
	}
}

// endings ends one session after the other.
func (c *cluster) endings(s scenario) (all []ending, err error) {
	for range s.times {
		who := c.people[0]
		c.people = c.people[1:]
		e, err := c.end(who, s.before)
		s.after()
		if err != nil {
			return all, err
		}
		all = append(all, e)
		time.Sleep(s.between)
	}
	return all, nil
}

// end watches a session on the other nodes, and ends it at the first one.
func (c *cluster) end(who *person, disturb func() error) (e ending, err error) {
	w := &watch{cookies: who.header()}
	for _, node := range c.nodes[1:] {
		for range watchers {
			if err := w.start(node.sites[0].http); err != nil {
				return e, err
			}
		}
	}
	w.alive.Wait()
	if err := disturb(); err != nil {
		return e, err
	}
	sent := time.Now()
	_, err = who.send(http.MethodPost, "/logout", nil, http.StatusSeeOther)
	answered := time.Now()
	w.all.Wait()
	return ending{max(0, w.last.Sub(sent)), max(0, w.last.Sub(answered))}, errors.Join(append(w.errs, err)...)
}
