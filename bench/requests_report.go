//go:build linux

package main

import (
	"fmt"
	"io"
	"time"
)

// The numbers to reach, of bare Caddy's.
const (
	mostCPU         = 1.03
	leastThroughput = 0.98
)

// reportRequests prints and draws what a comparison found.
func (l *lab) reportRequests(name, about string, results []*series) error {
	err := l.publish(name, func(out io.Writer) {
		fmt.Fprintf(out, "## %s\n\n", about)
		l.versions(out)
		fmt.Fprintf(out, "%d pairs of slices of %v; %d live sessions in Redis, %d of them in use\n\n",
			l.pairs, sliceLength, l.sessions, people)
		totals(results).write(out)
		ratios(results).write(out)
		reached(results).write(out)
	})
	if err != nil {
		return err
	}
	return l.keep("performance-"+name+".svg", func(out io.Writer) { drawRatios(out, about, results) })
}

// totals are the plain figures; CPU and collections are for 10,000 requests,
// allocations for one.
func totals(results []*series) (t table) {
	t.row("", "requests/s", "p50", "p99", "proxy's CPU", "all CPU", "load's CPU", "allocations", "bytes", "collections")
	for _, r := range results {
		s := r.total()
		each := func(d time.Duration) string {
			return fmt.Sprintf("%.0f ms", d.Seconds()*1000*10_000/float64(s.requests))
		}
		t.row(r.name, fmt.Sprintf("%.0f", float64(s.requests)/s.wall.Seconds()),
			milliseconds(percentile(s.took, 0.50)), milliseconds(percentile(s.took, 0.99)),
			each(s.proxy), each(s.all), each(s.load), fmt.Sprintf("%.1f", r.heap.objects), fmt.Sprintf("%.0f", r.heap.bytes),
			fmt.Sprintf("%.1f", r.heap.collections*10_000))
	}
	return t
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// ratios are the medians of the pairs' ratios with their 95 % interval, and
// the quartiles of the pairs themselves for the one that counts most.
func ratios(results []*series) (t table) {
	t.row(append(append([]string{"of bare Caddy's"}, figureNames[:]...), "CPU's quartiles", "pairs")...)
	for _, r := range results[1:] {
		cells := []string{r.name}
		for _, values := range r.ratios {
			low, high := interval(values)
			cells = append(cells, fmt.Sprintf("%.3f (%.3f to %.3f)", quantile(values, 0.5), low, high))
		}
		cpu := r.ratios[0]
		t.row(append(cells, fmt.Sprintf("%.3f to %.3f", quantile(cpu, 0.25), quantile(cpu, 0.75)), fmt.Sprint(len(cpu)))...)
	}
	return t
}

// reached holds Stepgate with Redis to its numbers.
func reached(results []*series) (t table) {
	t.row("to reach, with Redis", "bound", "measured", "")
	for _, r := range results {
		if r.name != sharedName {
			continue
		}
		cpu, throughput := quantile(r.ratios[0], 0.5), quantile(r.ratios[2], 0.5)
		t.row("proxy's CPU, of bare Caddy's", fmt.Sprintf("≤ %.2f", mostCPU), fmt.Sprintf("%.3f", cpu), verdict(cpu <= mostCPU))
		t.row("throughput, of bare Caddy's", fmt.Sprintf("≥ %.2f", leastThroughput), fmt.Sprintf("%.3f", throughput), verdict(throughput >= leastThroughput))
	}
	return t
}
