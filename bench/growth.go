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

// sizes are how many sessions and accounts are live.
func (l *lab) sizes() []int {
	if l.quick {
		return []int{500, 1000, 2000}
	}
	return []int{1000, 100_000, 1_000_000}
}

// grown is what was measured at one size.
type grown struct {
	sessions      int
	bytes         float64 // of Redis, for each session
	usage         float64 // of the session's own key, by MEMORY USAGE
	idle, loaded  float64 // the gateway's memory after its start, and after all loads
	near, spread  slice   // requests of few sessions, and of all
	first         slice   // right after a restart, all read from Redis
	restart       time.Duration
	logins        slice // by people who have an authenticator
	loginCPU      time.Duration
	cookiesOfFill []string
}

// crop is a gateway whose stores grow.
type crop struct {
	*lab
	proxy   *proxy
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
	for _, n := range l.sizes() {
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
	if _, err := enrollAll(crowd("alice", "http://"+p.sites[0].http, 1)); err != nil {
		return nil, err
	}
	c := &crop{lab: l, proxy: p}
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
	few := c.cookies[:min(people, len(c.cookies))]
	if _, err := c.load(few, warmUp); err != nil {
		return err
	}
	if g.near, err = c.load(few, length); err != nil {
		return err
	}
	g.spread, err = c.load(c.cookies, length)
	return err
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

func (l *lab) reportGrowth(out io.Writer, all []grown) {
	fmt.Fprintf(out, "## Growth\n\n")
	l.versions(out)
	header := []string{""}
	for _, g := range all {
		header = append(header, thousands(g.sessions))
	}
	t := table{header}
	line := func(name string, value func(grown) string) {
		row := []string{name}
		for _, g := range all {
			row = append(row, value(g))
		}
		t = append(t, row)
	}
	each := func(s slice) string { return fmt.Sprintf("%.1f µs", s.proxy.Seconds()*1e6/float64(s.requests)) }
	latency := func(s slice) string {
		return milliseconds(percentile(s.took, 0.5)) + ", " + milliseconds(percentile(s.took, 0.99))
	}
	line("bytes of Redis's memory for a session", func(g grown) string { return fmt.Sprintf("%.0f", g.bytes) })
	line("of that its own key (`MEMORY USAGE`)", func(g grown) string { return fmt.Sprintf("%.0f", g.usage) })
	line("gateway's memory after its start", func(g grown) string { return megabytes(g.idle) })
	line("gateway's memory after all loads", func(g grown) string { return megabytes(g.loaded) })
	line("start of the gateway", func(g grown) string { return milliseconds(g.restart) })
	line("first requests after it: p50, p99", func(g grown) string { return latency(g.first) })
	line(fmt.Sprintf("requests of %d sessions: p50, p99", people), func(g grown) string { return latency(g.near) })
	line("gateway's CPU for each", func(g grown) string { return each(g.near) })
	line("requests spread over all sessions: p50, p99", func(g grown) string { return latency(g.spread) })
	line("gateway's CPU for each", func(g grown) string { return each(g.spread) })
	line("logins a second", func(g grown) string { return fmt.Sprintf("%.0f", float64(g.logins.requests)/g.logins.wall.Seconds()) })
	line("each of a login's three requests: p50, p99", func(g grown) string { return latency(g.logins) })
	line("gateway's CPU for a login", func(g grown) string { return milliseconds(g.loginCPU) })
	line("challenges a second and core of the gateway", func(g grown) string { return fmt.Sprintf("%.0f", 1/g.loginCPU.Seconds()) })
	t.write(out)
	growthReached(all).write(out)
}

func growthReached(all []grown) (t table) {
	first, last := all[0], all[len(all)-1]
	each := func(s slice) float64 { return s.proxy.Seconds() / float64(s.requests) }
	ratio := each(last.near) / each(first.near)
	t.row("to reach", "bound", "measured", "")
	t.row("bytes a session in Redis", "≤ 600", fmt.Sprintf("%.0f", last.bytes), verdict(last.bytes <= mostBytes))
	t.row(fmt.Sprintf("verified request's CPU with %s sessions, of that with %s", thousands(last.sessions), thousands(first.sessions)),
		"≤ 1.05", fmt.Sprintf("%.3f", ratio), verdict(ratio <= mostGrowth))
	return t
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.0f MB", bytes/1e6) }

// thousands writes 100000 as 100,000.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
