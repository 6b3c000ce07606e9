//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The numbers to reach.
const (
	mostBytes  = 600.0 // for a session in Redis
	mostGrowth = 1.05  // a verified request's CPU at the last size, of the first's
)

// grown is what was measured at one size.
type grown struct {
	sessions     int
	bytes        float64 // of Redis, for each session
	usage        float64 // of the session's own key, by MEMORY USAGE
	idle, loaded float64 // the gateway's memory after its start, and after all loads
	near         *series // requests of few sessions, beside bare Caddy's
	spread       slice   // requests of all sessions
	first        slice   // right after a restart, all read from Redis
	restart      time.Duration
	logins       slice // by people who have an authenticator
	loginCPU     time.Duration
}

// crop is a gateway whose stores grow.
type crop struct {
	*lab
	proxy   *proxy
	bare    *proxy
	empty   float64  // Redis's memory before the first session
	cookies []string // of all live sessions that were made
	fresh   int      // the next person who has not signed in yet
}

// measureGrowth fills the stores, and measures at each size.
func (l *lab) measureGrowth() error {
	c, err := l.plant()
	if err != nil {
		return err
	}
	var all []grown
	for _, n := range l.sizes {
		g, err := c.grow(n)
		if err != nil {
			return fmt.Errorf("at %d sessions: %w", n, err)
		}
		all = append(all, g)
	}
	if err := l.publish("growth", func(out io.Writer) { l.reportGrowth(out, all) }); err != nil {
		return err
	}
	return l.keep("performance-growth.svg", func(out io.Writer) { drawGrowth(out, all) })
}

// plant starts a gateway with one person, of whom the store's ways are copied.
func (l *lab) plant() (*crop, error) {
	if err := l.fresh(); err != nil {
		return nil, err
	}
	p, err := l.startProxy("gateway", l.binary, l.stores.options(), protection)
	if err != nil {
		return nil, err
	}
	bare, err := l.startProxy("bare", l.binary, "", "")
	if err != nil {
		return nil, err
	}
	if _, err := enrollAll(crowd("alice", "http://"+p.sites[0].http, 1)); err != nil {
		return nil, err
	}
	// Connections and scripts are not the sessions'.
	if _, err := l.stores.mintSessions(9_000_000, 100); err != nil {
		return nil, err
	}
	c := &crop{lab: l, proxy: p, bare: bare}
	c.empty, err = l.stores.usedMemory()
	return c, err
}

// fill brings sessions and accounts to n.
func (c *crop) fill(n int) error {
	have := len(c.cookies)
	say("%d sessions and accounts", n)
	if err := c.stores.mintAccounts(have, n-have); err != nil {
		return err
	}
	cookies, err := c.stores.mintSessions(have, n-have)
	c.cookies = append(c.cookies, cookies...)
	return err
}

// grow measures at one size.
func (c *crop) grow(n int) (g grown, err error) {
	if err := c.fill(n); err != nil {
		return g, err
	}
	g.sessions = n
	for _, step := range []func(*grown) error{c.weigh, c.restartAll, c.request, c.logIn} {
		if err := step(&g); err != nil {
			return g, err
		}
	}
	g.loaded, err = c.proxy.resident()
	return g, err
}

// weigh asks Redis what sessions take: all its memory, and the keys whose
// value is one session.
func (c *crop) weigh(g *grown) error {
	used, err := c.stores.usedMemory()
	if err != nil {
		return err
	}
	g.bytes = (used - c.empty) / float64(len(c.cookies))
	g.usage, err = c.stores.usageOfSessions()
	return err
}

// usageOfSessions is the mean size of a hundred sessions' keys.
func (s *stores) usageOfSessions() (float64, error) {
	ctx, sum, n := context.Background(), 0.0, 0.0
	for range 1000 {
		key, err := s.redis.RandomKey(ctx).Result()
		if err != nil {
			return 0, err
		}
		if !strings.HasPrefix(key, "stepgate:s:") {
			continue
		}
		size, err := s.redis.MemoryUsage(ctx, key, 0).Result()
		if err != nil {
			return 0, err
		}
		sum, n = sum+float64(size), n+1
	}
	return sum / n, nil
}

// restartAll restarts the gateway: how long it takes, and what the first
// requests take, for which nothing is near.
func (c *crop) restartAll(g *grown) (err error) {
	began := time.Now()
	if err := c.proxy.restart(c.lab); err != nil {
		return err
	}
	g.restart = time.Since(began)
	if g.idle, err = c.proxy.resident(); err != nil {
		return err
	}
	g.first, err = c.load(c.cookies, time.Second/4)
	return err
}

// request loads with few sessions, which are near, and with all.
func (c *crop) request(g *grown) (err error) {
	length := 10 * time.Second
	if c.quick {
		length = time.Second
	}
	if g.near, err = c.near(int(length / sliceLength)); err != nil {
		return err
	}
	g.spread, err = c.load(c.cookies, length)
	return err
}

// near takes turns with bare Caddy.
func (c *crop) near(pairs int) (*series, error) {
	few := c.cookies[:min(people, len(c.cookies))]
	beside := &variant{name: "bare Caddy", proxy: c.bare, site: c.bare.sites[0], cookies: few}
	near := &variant{name: "gateway", proxy: c.proxy, site: c.proxy.sites[0], cookies: few}
	for _, v := range []*variant{beside, near} {
		if err := v.dial(dial1, v.site.http); err != nil {
			return nil, err
		}
		defer v.close()
		if _, err := c.slice(v, warmUp); err != nil {
			return nil, err
		}
	}
	of, s := &series{variant: beside}, &series{variant: near}
	before, err := c.slice(beside, sliceLength)
	for range pairs {
		if err != nil {
			return nil, err
		}
		before, err = c.pair(of, s, before)
	}
	return s, err
}

// load sends requests of sessions chosen by chance.
func (c *crop) load(cookies []string, length time.Duration) (slice, error) {
	v := &variant{name: "gateway", proxy: c.proxy}
	defer v.close()
	for i := range connections {
		random := rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))
		conn, err := dial1(c.proxy.sites[0].http, func() string { return cookies[random.IntN(len(cookies))] })
		if err != nil {
			return slice{}, err
		}
		v.conns = append(v.conns, conn)
	}
	s, err := c.slice(v, length)
	slices.Sort(s.took)
	return s, err
}

// logIn lets people sign in who have an authenticator: the console's login,
// the page, the code.
func (c *crop) logIn(g *grown) error {
	n := min(2000, len(c.cookies)/5)
	people := crowdOf("http://"+c.proxy.sites[0].http, c.next(n), n)
	before, err := c.proxy.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := inParallel(connections, people, (*person).signIn); err != nil {
		return err
	}
	g.logins = slice{requests: n, wall: time.Since(began)}
	for _, p := range people {
		g.logins.took = append(g.logins.took, p.steps...)
	}
	slices.Sort(g.logins.took)
	after, err := c.proxy.cpu()
	g.loginCPU = (after - before) / time.Duration(n)
	return err
}

// next is the first of n people who have not signed in yet: a code is good
// for one login.
func (c *crop) next(n int) int {
	first := c.fresh
	c.fresh += n
	return first
}

// crowdOf is n of the people whose accounts were made.
func crowdOf(base string, from, n int) []*person {
	people := make([]*person, n)
	for i := range people {
		people[i] = &person{name: minted(from + i).Name, base: base, secret: authenticator}
	}
	return people
}
