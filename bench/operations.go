//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// mostOperations of the stores for 1,000 verified requests.
const mostOperations = 1.0

// operations are what the stores were asked during a time.
type operations struct {
	requests, transactions int
	calls                  map[string]int // of Redis, by command
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
	before, err := l.stores.transactions()
	if err != nil {
		return o, err
	}
	stop, err := l.stores.listen()
	if err != nil {
		return o, err
	}
	s, loadErr := l.slice(v, length)
	o.requests, o.wall = s.requests, s.wall
	o.calls, err = stop()
	if err := errors.Join(loadErr, err); err != nil {
		return o, err
	}
	time.Sleep(warmUp)
	after, err := l.stores.transactions()
	o.transactions = after - before
	return o, err
}

// asked is how many operations the gateway asked for.
func (o operations) asked() (n int) {
	for name, calls := range o.calls {
		if !strings.HasPrefix(name, "in scripts") {
			n += calls
		}
	}
	return n + o.transactions
}

func (l *lab) reportOperations(out io.Writer, o operations) {
	fmt.Fprintf(out, "## Store operations\n\n")
	l.versions(out)
	fmt.Fprintf(out, "%d verified requests of %d sessions in %v\n\n", o.requests, people, o.wall.Round(time.Second))
	var t table
	t.row("operation", "calls", "in a second", "for 1,000 requests")
	each := func(n int) float64 { return 1000 * float64(n) / float64(o.requests) }
	line := func(name string, n int) {
		t.row(name, fmt.Sprint(n), fmt.Sprintf("%.1f", float64(n)/o.wall.Seconds()), fmt.Sprintf("%.3f", each(n)))
	}
	for _, name := range slices.Sorted(maps.Keys(o.calls)) {
		line("Redis, "+name, o.calls[name])
	}
	line("PostgreSQL, transactions", o.transactions)
	line("all but those in scripts", o.asked())
	t.write(out)
	measured := each(o.asked())
	var r table
	r.row("to reach", "bound", "measured", "")
	r.row("store operations for 1,000 verified requests", "≤ 1", fmt.Sprintf("%.3f", measured), verdict(measured <= mostOperations))
	r.write(out)
}
