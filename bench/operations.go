//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// mostOperations of the stores for 1,000 verified requests.
const mostOperations = 1.0

// operations are what the stores were asked during a time.
type operations struct {
	requests, transactions int
	calls                  map[string]int // by Redis's commands, those inside of scripts too
	wall                   time.Duration
}

// countOperations counts over one minute, the time in which each session that
// is in use is noted once.
func (l *lab) countOperations() error {
	f, err := l.prepare()
	if err != nil {
		return err
	}
	v := f.variants()[shared]
	if err := v.dial(dial1, v.site.http); err != nil {
		return err
	}
	defer v.close()
	length := time.Minute
	if l.quick {
		length = 3 * time.Second
	}
	o, err := l.count(v, length)
	if err != nil {
		return err
	}
	return l.publish("operations", func(out io.Writer) { l.reportOperations(out, o) })
}

func (l *lab) count(v *variant, length time.Duration) (o operations, err error) {
	if _, err := l.slice(v, warmUp); err != nil { // what is read for the first time is read now
		return o, err
	}
	time.Sleep(warmUp) // PostgreSQL's statistics come late
	before, transactions, err := l.stores.counters()
	if err != nil {
		return o, err
	}
	s, err := l.slice(v, length)
	if err != nil {
		return o, err
	}
	o.requests, o.wall = s.requests, s.wall
	calls, after, err := l.stores.counters()
	o.calls, o.transactions = calls, after-transactions
	for name := range calls {
		if calls[name] -= before[name]; calls[name] == 0 {
			delete(calls, name)
		}
	}
	return o, err
}

func (s *stores) counters() (calls map[string]int, transactions int, err error) {
	if transactions, err = s.transactions(); err != nil {
		return nil, 0, err
	}
	calls, err = s.commands()
	return calls, transactions, err
}

func (l *lab) reportOperations(out io.Writer, o operations) {
	fmt.Fprintf(out, "## Store operations\n\n")
	l.versions(out)
	fmt.Fprintf(out, "%d verified requests of %d sessions in %v; a script counts as one, and each command in it as another\n\n",
		o.requests, people, o.wall.Round(time.Second))
	var t table
	t.row("command", "calls", "in a second", "for 1,000 requests")
	sum := 0
	line := func(name string, n int) {
		t.row(name, fmt.Sprint(n), fmt.Sprintf("%.1f", float64(n)/o.wall.Seconds()), fmt.Sprintf("%.3f", 1000*float64(n)/float64(o.requests)))
		sum += n
	}
	for _, name := range slices.Sorted(maps.Keys(o.calls)) {
		line("Redis: "+name, o.calls[name])
	}
	line("PostgreSQL: transactions", o.transactions)
	all := sum
	line("all", all)
	t.write(out)
	measured := 1000 * float64(all) / float64(o.requests)
	var r table
	r.row("to reach", "bound", "measured", "")
	r.row("store operations for 1,000 verified requests", "≤ 1", fmt.Sprintf("%.3f", measured), verdict(measured <= mostOperations))
	r.write(out)
}
