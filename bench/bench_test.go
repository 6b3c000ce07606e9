//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"time"
)

// TestPercentile: of 300 endings, the p99 is the fourth worst.
func TestPercentile(t *testing.T) {
	var sorted []time.Duration
	for i := range 300 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0.5: 150, 0.99: 297, 1: 300} {
		if got := percentile(sorted, p); got != want {
			t.Errorf("%v: got %d, want %d", p, got, want)
		}
	}
	if percentile(nil, 0.5) != 0 {
		t.Error("nothing has a percentile")
	}
}

// TestIntervalHoldsTheMedian: and is narrow where values are alike.
func TestIntervalHoldsTheMedian(t *testing.T) {
	var values []float64
	for i := range 201 {
		values = append(values, 1+float64(i%7)/1000)
	}
	low, high := interval(values)
	if median := quantile(values, 0.5); low > median || high < median || high-low > 0.002 {
		t.Errorf("%v to %v around %v", low, high, median)
	}
}

// TestTurnsShareOut: all connections together go over all cookies.
func TestTurnsShareOut(t *testing.T) {
	cookies := strings.Split(strings.Repeat("x", 99), "")
	for i := range cookies {
		cookies[i] = string(rune('a' + i))
	}
	seen := make(map[string]bool)
	for c := range connections {
		next := turns(cookies)(c)
		for range 4 {
			seen[next()] = true
		}
	}
	if len(seen) != len(cookies) {
		t.Errorf("%d of %d were used", len(seen), len(cookies))
	}
}

// TestCountLines: a script counts as what the gateway asked, what it does
// apart.
func TestCountLines(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() {
		_, _ = io.WriteString(theirs, "+OK\r\n"+
			"+1339518083.107412 [0 127.0.0.1:60866] \"EVALSHA\" \"abc\" \"[0 lua] \"\r\n"+
			"+1339518083.107413 [0 lua] \"hget\" \"key\"\r\n"+
			"+1339518083.107414 [0 lua] \"hget\" \"key\"\r\n"+
			"+1339518083.107415 [0 unix:/run/redis] \"get\" \"key\"\r\n")
		_ = theirs.Close()
	}()
	calls := make(map[string]int)
	if err := countLines(ours, calls); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	want := map[string]int{"evalsha": 1, "in scripts: hget": 2, "get": 1}
	if !maps.Equal(calls, want) {
		t.Errorf("got %v", calls)
	}
	if n := (operations{calls: calls, transactions: 3}).asked(); n != 5 {
		t.Errorf("%d operations instead of 5", n)
	}
}

// TestChartsAreXML, with names that hold what XML means something by.
func TestChartsAreXML(t *testing.T) {
	s := &series{variant: &variant{name: `<"&`}, slices: []slice{{}}}
	for i := range s.ratios {
		s.ratios[i] = []float64{0.9, 1, 1.1}
	}
	took := []time.Duration{time.Millisecond}
	near := &series{variant: &variant{}, slices: []slice{{requests: 1, took: took}}}
	near.ratios[0] = []float64{1}
	g := grown{sessions: 1000, bytes: 500, near: near, spread: slice{requests: 1, proxy: 1, took: took},
		first: slice{took: took}, logins: slice{requests: 1, wall: time.Second}}
	for name, draw := range map[string]func(io.Writer){
		"requests":   func(w io.Writer) { drawRatios(w, "<&>", []*series{s, s}) },
		"revocation": func(w io.Writer) { drawRevocation(w, map[string][]ending{allHear: {{sent: time.Millisecond}}}) },
		"growth":     func(w io.Writer) { drawGrowth(w, []grown{g, g}) },
	} {
		var out bytes.Buffer
		draw(&out)
		d := xml.NewDecoder(&out)
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		if strings.Contains(out.String(), "NaN") {
			t.Errorf("%s has no number somewhere", name)
		}
	}
}

// TestThousands: as people write them.
func TestThousands(t *testing.T) {
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
