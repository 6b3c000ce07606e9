//go:build linux

package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// series is all that was measured of one variant.
type series struct {
	*variant
	slices []slice
	ratios [figureCount][]float64 // to bare Caddy, one of each pair
	heap   heap                   // for each request
}

// What is compared, in the order of print.
const figureCount = 5

var figureNames = [figureCount]string{"proxy's CPU", "all CPU", "throughput", "p50", "p99"}

// figures of a slice, for each request where that makes sense.
func (s slice) figures() [figureCount]float64 {
	slices.Sort(s.took)
	n := float64(s.requests)
	return [figureCount]float64{s.proxy.Seconds() / n, s.all.Seconds() / n, n / s.wall.Seconds(),
		s.percentile(0.50).Seconds(), s.percentile(0.99).Seconds()}
}

// percentile of the sorted times.
func (s slice) percentile(p float64) time.Duration { return s.took[int(p*float64(len(s.took)-1))] }

// compare notes the ratio of a slice to the mean of those around it.
func (r *series) compare(s, before, after slice) {
	of, a, b := s.figures(), before.figures(), after.figures()
	for i := range of {
		r.ratios[i] = append(r.ratios[i], of[i]/((a[i]+b[i])/2))
	}
}

// total is all slices as one.
func (r *series) total() (t slice) {
	for _, s := range r.slices {
		t.requests += s.requests
		t.wall += s.wall
		t.proxy += s.proxy
		t.load += s.load
		t.all += s.all
		t.took = append(t.took, s.took...)
	}
	slices.Sort(t.took)
	return t
}

// report prints what was measured.
func report(out io.Writer, binary string, results []*series) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/caddyserver/caddy/v2" {
			fmt.Fprintf(out, "Caddy %s, ", m.Version)
		}
	}
	fmt.Fprintf(out, "%s, %s/%s, %d processors, %d connections, GOGC=%s; %d pairs of slices of %v\n\n", info.GoVersion,
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), connections, gogc, len(results[1].slices), sliceLength)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	printTotals(t, results)
	fmt.Fprint(t, "\n\n")
	printRatios(t, results)
	return t.Flush()
}

// printTotals prints the plain figures; CPU is in milliseconds for 10,000
// requests, allocations for one.
func printTotals(out io.Writer, results []*series) {
	fmt.Fprintln(out, "\trequests/s\tp50\tp99\tproxy's CPU\tall CPU\tload's CPU\tallocations\tbytes\tcollections/10,000\t")
	for _, r := range results {
		t := r.total()
		each := func(d time.Duration) float64 { return d.Seconds() * 1000 * 10_000 / float64(t.requests) }
		fmt.Fprintf(out, "%s\t%.0f\t%v\t%v\t%.0f ms\t%.0f ms\t%.0f ms\t%.1f\t%.0f\t%.1f\t\n", r.name,
			float64(t.requests)/t.wall.Seconds(), t.percentile(0.50).Round(time.Microsecond), t.percentile(0.99).Round(time.Microsecond),
			each(t.proxy), each(t.all), each(t.load), r.heap.objects, r.heap.bytes, r.heap.collections*10_000)
	}
}

// printRatios prints medians of the pairs' ratios with their 95 % interval,
// and the quartiles of the pairs themselves.
func printRatios(out io.Writer, results []*series) {
	for i, name := range figureNames {
		fmt.Fprintf(out, "%s, of bare Caddy's\tmedian\t95 %% interval\tquartiles\t\n", name)
		for _, r := range results {
			if len(r.ratios[i]) == 0 {
				continue
			}
			low, high := interval(r.ratios[i])
			q1, q3 := quantile(r.ratios[i], 0.25), quantile(r.ratios[i], 0.75)
			fmt.Fprintf(out, "%s\t%.3f\t%.3f to %.3f\t%.3f to %.3f\t\n", r.name, quantile(r.ratios[i], 0.5), low, high, q1, q3)
		}
	}
}

func quantile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := p * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// interval is the 95 % bootstrap interval of the median.
func interval(values []float64) (low, high float64) {
	random := rand.New(rand.NewPCG(1, 2)) // the same figures from the same measurement
	medians := make([]float64, 2000)
	sample := make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[random.IntN(len(values))]
		}
		medians[i] = quantile(sample, 0.5)
	}
	return quantile(medians, 0.025), quantile(medians, 0.975)
}
