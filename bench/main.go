//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	connections = 32
	sliceLength = 250 * time.Millisecond
	warmUp      = time.Second
)

// options are the command's flags.
type options struct {
	only     string
	quick    bool
	pairs    int
	sessions int
	sizes    []int // of the stores, as they grow
	redis    string
	postgres string
	out      string
	profile  string
}

// part is one measurement, which starts all that it needs by itself.
type part struct {
	name string
	run  func(*lab) error
}

// parts are in the order of print. The first three share what they start.
var parts = []part{
	{"requests", (*lab).measureRequests},
	{"tls", (*lab).measureTLS},
	{"operations", (*lab).countOperations},
	{"revocation", (*lab).measureRevocation},
	{"growth", (*lab).measureGrowth},
	{"storm", (*lab).measureStorm},
	{"challenges", (*lab).measureChallenges},
}

func main() {
	if len(os.Args) == 3 && servers[os.Args[1]] != nil {
		fmt.Fprintln(os.Stderr, serve(os.Args[2], servers[os.Args[1]]))
		os.Exit(1)
	}
	runtime.LockOSThread() // the children die with the thread that started them
	o := flags()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const allSizes = "1000,100000,1000000"

func flags() (o options) {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	flag.StringVar(&o.only, "only", strings.Join(names, ","), "`parts` to run")
	flag.BoolVar(&o.quick, "quick", false, "as little as shows that everything runs")
	flag.IntVar(&o.pairs, "pairs", 200, "slices of each variant")
	flag.IntVar(&o.sessions, "sessions", 100_000, "live sessions in Redis while requests are measured")
	sizes := flag.String("sizes", allSizes, "`numbers` of sessions and accounts that are measured as they grow")
	flag.StringVar(&o.redis, "redis", "", "`address` of an empty Redis that runs already, for one part or the first three")
	flag.StringVar(&o.postgres, "postgres", "", "`DSN` of an empty database that is there already, for the same")
	flag.StringVar(&o.out, "out", "", "`folder` for tables (Markdown) and charts (SVG)")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the proxy with Stepgate and Redis to this `file`")
	flag.Parse()
	for name := range strings.SplitSeq(o.only, ",") {
		if !slices.Contains(names, name) {
			fmt.Fprintf(os.Stderr, "bench: no part is called %q; there are %s\n", name, strings.Join(names, ", "))
			os.Exit(2)
		}
	}
	if o.quick {
		o.pairs, o.sessions = 2, 2000
		*sizes = strings.Replace(*sizes, allSizes, "500,1000,2000", 1)
	}
	if err := json.Unmarshal([]byte("["+*sizes+"]"), &o.sizes); err != nil || len(o.sizes) == 0 || !slices.IsSorted(o.sizes) {
		fmt.Fprintln(os.Stderr, "bench: -sizes takes numbers that grow, with commas between them")
		os.Exit(2)
	}
	if o.pairs < 1 || o.sessions < people || (o.redis == "") != (o.postgres == "") {
		fmt.Fprintln(os.Stderr, "bench: -pairs must be at least 1, -sessions 256, and -redis and -postgres stand together or not at all")
		os.Exit(2)
	}
	return o
}

func (o options) has(part string) bool { return slices.Contains(strings.Split(o.only, ","), part) }

// run runs the chosen parts one after the other, and stops what they started.
func run(o options) error {
	l, err := newLab(o)
	if err != nil {
		return err
	}
	defer l.close()
	l.stopOnInterrupt()
	if err := l.build(); err != nil {
		return err
	}
	for _, p := range parts {
		if !o.has(p.name) {
			continue
		}
		say("%s", p.name)
		if err := p.run(l); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// say tells how far it is, apart from the results.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// publish prints a part's report, and keeps it where the flag says.
func (l *lab) publish(name string, write func(io.Writer)) error {
	write(os.Stdout)
	return l.keep(name+".md", write)
}
