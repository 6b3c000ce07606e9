//go:build linux

package main

import (
	"fmt"
	"io"
)

func (l *lab) reportGrowth(out io.Writer, all []grown) {
	fmt.Fprintf(out, "## Growth\n\n")
	l.versions(out)
	header := []string{""}
	for _, g := range all {
		header = append(header, thousands(g.sessions))
	}
	t := table{header}
	line := func(name string, value func(grown) string) {
		row := []string{name}
		for _, g := range all {
			row = append(row, value(g))
		}
		t = append(t, row)
	}
	each := func(s slice) string { return fmt.Sprintf("%.1f µs", s.cpuEach()*1e6) }
	latency := func(s slice) string {
		return milliseconds(percentile(s.took, 0.5)) + ", " + milliseconds(percentile(s.took, 0.99))
	}
	line("bytes of Redis's memory for a session", func(g grown) string { return fmt.Sprintf("%.0f", g.bytes) })
	line("of that its own key (`MEMORY USAGE`)", func(g grown) string { return fmt.Sprintf("%.0f", g.usage) })
	line("gateway's memory after its start", func(g grown) string { return megabytes(g.idle) })
	line("gateway's memory after all loads", func(g grown) string { return megabytes(g.loaded) })
	line("start of the gateway", func(g grown) string { return milliseconds(g.restart) })
	line("first requests after it: p50, p99", func(g grown) string { return latency(g.first) })
	line(fmt.Sprintf("requests of %d sessions: p50, p99", people), func(g grown) string { return latency(g.near.total()) })
	line("gateway's CPU for each", func(g grown) string { return each(g.near.total()) })
	line("the same, of bare Caddy's", func(g grown) string {
		low, high := interval(g.near.ratios[0])
		return fmt.Sprintf("%.3f (%.3f to %.3f)", g.ratio(), low, high)
	})
	line("requests spread over all sessions: p50, p99", func(g grown) string { return latency(g.spread) })
	line("gateway's CPU for each", func(g grown) string { return each(g.spread) })
	line("logins a second", func(g grown) string { return fmt.Sprintf("%.0f", float64(g.logins.requests)/g.logins.wall.Seconds()) })
	line("each of a login's three requests: p50, p99", func(g grown) string { return latency(g.logins) })
	line("gateway's CPU for a login", func(g grown) string { return milliseconds(g.loginCPU) })
	line("challenges a second and core of the gateway", func(g grown) string { return fmt.Sprintf("%.0f", 1/g.loginCPU.Seconds()) })
	t.write(out)
	growthReached(all).write(out)
}

// ratio is a near request's CPU of bare Caddy's.
func (g grown) ratio() float64 { return quantile(g.near.ratios[0], 0.5) }

// cpuEach is the proxy's CPU for a request, in seconds.
func (s slice) cpuEach() float64 { return s.proxy.Seconds() / float64(s.requests) }

func growthReached(all []grown) (t table) {
	first, last := all[0], all[len(all)-1]
	ratio := last.ratio() / first.ratio()
	t.row("to reach", "bound", "measured", "")
	t.row("bytes a session in Redis", "≤ 600", fmt.Sprintf("%.0f", last.bytes), verdict(last.bytes <= mostBytes))
	t.row(fmt.Sprintf("verified request's CPU with %s sessions, of that with %s, each of bare Caddy's meanwhile", thousands(last.sessions), thousands(first.sessions)),
		"≤ 1.05", fmt.Sprintf("%.3f", ratio), verdict(ratio <= mostGrowth))
	return t
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.0f MB", bytes/1e6) }

// thousands writes 100000 as 100,000.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
