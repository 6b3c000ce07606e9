//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// The numbers to reach.
const (
	mostRevocation = 20 * time.Millisecond // p99 under load
	mostDeaf       = time.Second           // the worst with the subscription cut
)

func (l *lab) reportRevocation(out io.Writer, requests float64, found map[string][]ending) {
	fmt.Fprintf(out, "## Revocation\n\n")
	l.versions(out)
	fmt.Fprintf(out, "%d gateways, %.0f requests/s over all of them. For each session that ended, the last request on another node "+
		"that still passed: how long after the logout it was sent, as %d watchers saw it.\n\n", nodes, requests, watchers*(nodes-1))
	var t table
	t.row("", "endings", "after the logout's answer: p50", "p99", "worst", "after the logout was sent: p50", "p99", "worst")
	for _, name := range []string{allHear, killed, blackhole} {
		row := []string{name, fmt.Sprint(len(found[name]))}
		for _, times := range [][]time.Duration{afterAnswer(found[name]), afterSending(found[name])} {
			for _, p := range []float64{0.5, 0.99, 1} {
				row = append(row, milliseconds(percentile(times, p)))
			}
		}
		t.row(row...)
	}
	t.write(out)
	revocationReached(found).write(out)
}

func revocationReached(found map[string][]ending) (t table) {
	t.row("to reach, after the logout's answer", "bound", "measured", "")
	p99 := percentile(afterAnswer(found[allHear]), 0.99)
	t.row("p99 under load", "≤ 20 ms", milliseconds(p99), verdict(p99 <= mostRevocation))
	for _, name := range []string{killed, blackhole} {
		worst := percentile(afterAnswer(found[name]), 1)
		t.row("worst: "+name, "≤ 1 s", milliseconds(worst), verdict(worst <= mostDeaf))
	}
	return t
}

func afterAnswer(all []ending) []time.Duration {
	return sorted(all, func(e ending) time.Duration { return e.answered })
}

func afterSending(all []ending) []time.Duration {
	return sorted(all, func(e ending) time.Duration { return e.sent })
}

func sorted(all []ending, figure func(ending) time.Duration) (times []time.Duration) {
	for _, e := range all {
		times = append(times, figure(e))
	}
	slices.Sort(times)
	return times
}
