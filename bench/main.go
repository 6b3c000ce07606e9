//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

const (
	connections = 32
	sliceLength = 300 * time.Millisecond
	warmUp      = time.Second
)

// options are the command's flags.
type options struct {
	pairs   int
	profile string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == upstreamRole {
		fmt.Fprintln(os.Stderr, serveUpstream(os.Args[2]))
		os.Exit(1)
	}
	runtime.LockOSThread() // the children die with the thread that started them
	var o options
	quick := flag.Bool("quick", false, "a few slices only, to see that everything runs")
	flag.IntVar(&o.pairs, "pairs", 80, "slices of each variant")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the proxy with Stepgate to this `file`")
	flag.Parse()
	if *quick {
		o.pairs = 2
	}
	if o.pairs < 1 {
		fmt.Fprintln(os.Stderr, "bench: -pairs must be at least 1")
		os.Exit(2)
	}
	if err := run(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run starts everything, measures, prints, and stops everything.
func run(out io.Writer, o options) error {
	b, err := newSetup()
	if err != nil {
		return err
	}
	defer b.stop()
	b.stopOnInterrupt()
	if err := b.start(); err != nil {
		return err
	}
	defer b.close()
	for _, v := range b.variants() {
		if _, err := b.slice(v, warmUp); err != nil {
			return err
		}
	}
	results, err := b.measure(o.pairs)
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := b.countHeap(r); err != nil {
			return err
		}
	}
	ceiling, err := b.slice(b.direct, warmUp)
	if err != nil {
		return err
	}
	results = append(results, &series{variant: b.direct, slices: []slice{ceiling}})
	if err := report(out, b.binary, results); err != nil || o.profile == "" {
		return err
	}
	return b.takeProfile(o.profile)
}

// measure lets the variants take turns, each slice between two of bare Caddy.
func (b *setup) measure(pairs int) ([]*series, error) {
	bare := &series{variant: b.bare}
	others := []*series{{variant: b.control}, {variant: b.stepgate}, {variant: b.beside}}
	before, err := b.slice(b.bare, sliceLength)
	if err != nil {
		return nil, err
	}
	for i := range pairs * len(others) {
		s := others[(i+i/len(others))%len(others)] // another order each time
		between, err := b.slice(s.variant, sliceLength)
		if err != nil {
			return nil, err
		}
		after, err := b.slice(b.bare, sliceLength)
		if err != nil {
			return nil, err
		}
		s.slices, bare.slices = append(s.slices, between), append(bare.slices, after)
		s.compare(between, before, after)
		before = after
	}
	return append([]*series{bare}, others...), nil
}

// countHeap counts what a variant allocates for a request, apart from the
// turns: variants may share a process.
func (b *setup) countHeap(r *series) error {
	before, err := r.proxy.heap()
	if err != nil {
		return err
	}
	s, err := b.slice(r.variant, warmUp)
	if err != nil {
		return err
	}
	after, err := r.proxy.heap()
	n := float64(s.requests)
	r.heap = heap{(after.objects - before.objects) / n, (after.bytes - before.bytes) / n, (after.collections - before.collections) / n}
	return err
}
