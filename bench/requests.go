//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// people is how many sessions the load uses in turn.
const people = 256

// field is bare Caddy and what is compared with it, and what they start.
type field struct {
	bare, control, embedded, shared, forward, read *proxy

	cookies []string // of people who signed in at shared
	local   []string // at embedded
}

// prepare starts the field unless an earlier part did.
func (l *lab) prepare() (*field, error) {
	if l.field != nil {
		return l.field, nil
	}
	if err := l.fresh(); err != nil {
		return nil, err
	}
	f := &field{}
	if err := f.start(l); err != nil {
		return nil, err
	}
	if err := f.populate(l); err != nil {
		return nil, err
	}
	l.field = f
	return f, nil
}

func (f *field) start(l *lab) (err error) {
	authorizer, err := l.startServer("authorizer")
	if err != nil {
		return err
	}
	start := func(name, binary, global string, directives ...string) (p *proxy) {
		if err == nil {
			p, err = l.startProxy(name, binary, global, directives...)
		}
		return p
	}
	f.bare = start("bare", l.binary, "", "")
	f.control = start("control", l.binary, "", "")
	f.embedded = start("embedded", l.binary, "", protection, "")
	f.shared = start("shared", l.binary, l.stores.options(), protection)
	f.forward = start("forward", l.binary, "", fmt.Sprintf("\tforward_auth %s {\n\t\turi /authorize\n\t\tcopy_headers Remote-User\n\t}\n", authorizer))
	f.read = start("oneread", l.oneRead, "", fmt.Sprintf("\tone_read %s __Host-stepgate-%s\n", l.stores.address, site))
	return err
}

// populate signs people in, and fills Redis with sessions of others.
func (f *field) populate(l *lab) (err error) {
	say("%d people sign in at each gateway, %d more sessions are made", people, l.sessions-people)
	if f.cookies, err = enrollAll(crowd("alice", "http://"+f.shared.sites[0].http, people)); err != nil {
		return fmt.Errorf("signing in with Redis: %w", err)
	}
	if f.local, err = enrollAll(crowd("alice", "http://"+f.embedded.sites[0].http, people)); err != nil {
		return fmt.Errorf("signing in with embedded files: %w", err)
	}
	if _, err := l.stores.mintSessions(0, l.sessions-people); err != nil {
		return err
	}
	for _, c := range f.cookies {
		value := cookieValue(c, "__Host-stepgate-"+site)
		if err := l.stores.redis.Set(context.Background(), value, make([]byte, 300), 0).Err(); err != nil {
			return err
		}
	}
	return nil
}

// The variants over plain HTTP. The first is what the others are compared
// with.
const (
	bare = iota
	control
	embedded
	shared
)

// The names of what is ours; the second is held to the numbers to reach.
const (
	embeddedName = "Stepgate, embedded files"
	sharedName   = "Stepgate, Redis"
)

func (f *field) variants() []*variant {
	return []*variant{
		bare:     {name: "bare Caddy", proxy: f.bare, site: f.bare.sites[0], cookies: f.cookies},
		control:  {name: "control", proxy: f.control, site: f.control.sites[0], cookies: f.cookies, every: 1},
		embedded: {name: embeddedName, proxy: f.embedded, site: f.embedded.sites[0], cookies: f.local, every: 1},
		shared:   {name: sharedName, proxy: f.shared, site: f.shared.sites[0], cookies: f.cookies, every: 1},
		{name: "beside Stepgate", proxy: f.embedded, site: f.embedded.sites[1], cookies: f.local, every: 4},
		{name: "one Redis read", proxy: f.read, site: f.read.sites[0], cookies: f.cookies, every: 4},
		{name: "forward_auth", proxy: f.forward, site: f.forward.sites[0], cookies: f.cookies, every: 4},
	}
}

// measureRequests compares over HTTP/1.1.
func (l *lab) measureRequests() error {
	f, err := l.prepare()
	if err != nil {
		return err
	}
	variants := f.variants()
	for _, v := range variants {
		if err := v.dial(dial1, v.site.http); err != nil {
			return err
		}
	}
	return l.compare("requests", fmt.Sprintf("HTTP/1.1, %d connections with keep-alive", connections), variants)
}

// measureTLS compares over HTTP/2.
func (l *lab) measureTLS() error {
	f, err := l.prepare()
	if err != nil {
		return err
	}
	all := f.variants()
	variants := []*variant{all[bare], all[control], all[shared]}
	for _, v := range variants {
		if err := v.dial(dial2, v.site.https); err != nil {
			return err
		}
	}
	return l.compare("tls", fmt.Sprintf("TLS with HTTP/2, %d connections with one stream at a time", connections), variants)
}

// compare measures, counts, prints and draws.
func (l *lab) compare(name, about string, variants []*variant) error {
	for _, v := range variants {
		defer v.close()
		if _, err := l.slice(v, warmUp); err != nil {
			return err
		}
	}
	results, err := l.measure(variants)
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := l.countHeap(r); err != nil {
			return err
		}
	}
	if l.profile != "" && name == "requests" {
		err = variants[shared].takeProfile(l.profile)
	}
	return errors.Join(err, l.reportRequests(name, about, results))
}

// measure lets the variants take turns, each slice between two of bare Caddy.
func (l *lab) measure(variants []*variant) ([]*series, error) {
	var all []*series
	for _, v := range variants {
		all = append(all, &series{variant: v})
	}
	bare, others := all[0], all[1:]
	before, err := l.slice(bare.variant, sliceLength)
	if err != nil {
		return nil, err
	}
	for round := range l.pairs {
		for i := range others {
			s := others[(i+round)%len(others)] // another order each time
			if round%s.every != 0 {
				continue
			}
			if before, err = l.pair(bare, s, before); err != nil {
				return nil, err
			}
		}
		if round%20 == 19 {
			say("%d of %d pairs", round+1, l.pairs)
		}
	}
	return all, nil
}

// pair measures one slice, and the one of bare Caddy after it.
func (l *lab) pair(bare, s *series, before slice) (after slice, err error) {
	between, err := l.slice(s.variant, sliceLength)
	if err != nil {
		return after, err
	}
	if after, err = l.slice(bare.variant, sliceLength); err != nil {
		return after, err
	}
	s.slices, bare.slices = append(s.slices, between), append(bare.slices, after)
	s.compare(between, before, after)
	return after, nil
}

// countHeap counts what a variant allocates for a request, apart from the
// turns: variants may share a process.
func (l *lab) countHeap(r *series) error {
	before, err := r.proxy.heap()
	if err != nil {
		return err
	}
	s, err := l.slice(r.variant, time.Second)
	if err != nil {
		return err
	}
	after, err := r.proxy.heap()
	n := float64(s.requests)
	r.heap = heap{(after.objects - before.objects) / n, (after.bytes - before.bytes) / n, (after.collections - before.collections) / n}
	return err
}
