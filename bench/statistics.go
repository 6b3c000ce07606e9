//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"slices"
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
		percentile(s.took, 0.50).Seconds(), percentile(s.took, 0.99).Seconds()}
}

// percentile of sorted times: the smallest that so many are not above.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(math.Ceil(p*float64(len(sorted))))-1]
}

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
