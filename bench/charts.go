//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"time"
)

// drawRatios shows CPU and throughput of each variant beside bare Caddy's.
func drawRatios(out io.Writer, about string, results []*series) {
	const row = 30
	c := &canvas{width: 860, height: 90 + row*float64(len(results))}
	c.text("title", "start", 10, 20, "What a verified request costs, of bare Caddy's: %s", about)
	others := results[1:]
	for i, r := range others {
		c.text("", "end", 185, 85+row*float64(i), "%s", r.name)
	}
	bars{195, 300, "proxy's CPU for a request", 0, mostCPU}.draw(c, others, row)
	bars{530, 300, "throughput", 2, leastThroughput}.draw(c, others, row)
	c.text("small", "start", 195, c.height-12, "Medians of pairs of slices, with their 95 %% intervals; dashed: the number to reach.")
	c.write(out, "CPU and throughput of each variant, of bare Caddy's")
}

// bars is a chart of one figure, a row for each variant.
type bars struct {
	x, width float64
	title    string
	figure   int
	bound    float64
}

func (b bars) draw(c *canvas, others []*series, row float64) {
	most := b.bound
	for _, r := range others {
		_, high := interval(r.ratios[b.figure])
		most = max(most, high)
	}
	scale := (b.width - 46) / most
	c.text("small", "start", b.x, 52, "%s", b.title)
	for i, r := range others {
		y := 70 + row*float64(i)
		low, high := interval(r.ratios[b.figure])
		median := quantile(r.ratios[b.figure], 0.5)
		c.rect(classOf(r.name), b.x, y, median*scale, row-10)
		c.line("whisker", b.x+low*scale, y+10, b.x+high*scale, y+10)
		c.text("", "end", b.x+b.width, y+15, "%.3f", median)
	}
	bottom := 66 + row*float64(len(others))
	c.line("bound", b.x+b.bound*scale, 58, b.x+b.bound*scale, bottom)
	c.text("limit", "middle", b.x+b.bound*scale, bottom+12, "%.2f", b.bound)
}

func classOf(name string) string {
	if name == sharedName || name == embeddedName {
		return "ours"
	}
	return "other"
}

// drawRevocation shows for how many endings it was over after which time.
func drawRevocation(out io.Writer, found map[string][]ending) {
	c := &canvas{width: 760, height: 330}
	c.text("title", "start", 10, 20, "How long a session that ended still passes on other nodes")
	p := plot{left: 60, right: 740, top: 60, bottom: 270}
	p.grid(c)
	for i, name := range []string{allHear, killed, blackhole} {
		class := string(rune('a' + i))
		c.curve(class, p.curve(afterSending(found[name])))
		c.curve(class, [][2]float64{{60 + 230*float64(i), 42}, {85 + 230*float64(i), 42}})
		c.text("small", "start", 90+230*float64(i), 46, "%s", shortName(name))
	}
	for _, bound := range []time.Duration{mostRevocation, mostDeaf} {
		c.line("bound", p.x(bound), p.top, p.x(bound), p.bottom)
	}
	c.text("small", "middle", 400, 318, "after the logout was sent; dashed red: the bounds, 20 ms for 99 %% of the first, 1 s for the others")
	c.write(out, "Share of endings that every node had seen, by time")
}

func shortName(name string) string {
	switch name {
	case killed:
		return "subscriptions killed"
	default:
		return name
	}
}

// plot is a plane of time (logarithmic, 0.1 ms to 10 s) and share.
type plot struct{ left, right, top, bottom float64 }

func (p plot) x(d time.Duration) float64 {
	decades := math.Log10(max(d.Seconds()*1000, 0.1)) + 1
	return p.left + (p.right-p.left)*decades/5
}

func (p plot) y(share float64) float64 { return p.bottom - (p.bottom-p.top)*share }

func (p plot) grid(c *canvas) {
	for d, name := 100*time.Microsecond, 0; d <= 10*time.Second; d, name = d*10, name+1 {
		c.line("faint", p.x(d), p.top, p.x(d), p.bottom)
		c.text("small", "middle", p.x(d), p.bottom+16, "%v", d)
	}
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		c.line("faint", p.left, p.y(share), p.right, p.y(share))
		c.text("small", "end", p.left-6, p.y(share)+4, "%.0f %%", share*100)
	}
}

// curve goes up one step for each ending.
func (p plot) curve(sorted []time.Duration) (points [][2]float64) {
	for i, d := range sorted {
		points = append(points, [2]float64{p.x(d), p.y(float64(i) / float64(len(sorted)))},
			[2]float64{p.x(d), p.y(float64(i+1) / float64(len(sorted)))})
	}
	if len(sorted) > 0 {
		points = append(points, [2]float64{p.right, p.y(1)})
	}
	return points
}

// drawGrowth shows what changes with the number of sessions.
func drawGrowth(out io.Writer, all []grown) {
	var labels []string
	figures := make([][]float64, 6)
	for _, g := range all {
		labels = append(labels, thousands(g.sessions))
		for i, v := range []float64{g.bytes, g.ratio(), g.spread.cpuEach() * 1e6, g.loaded / 1e6,
			percentile(g.first.took, 0.99).Seconds() * 1000, float64(g.logins.requests) / g.logins.wall.Seconds()} {
			figures[i] = append(figures[i], v)
		}
	}
	c := &canvas{width: 860, height: 470}
	c.text("title", "start", 10, 20, "With so many live sessions and as many accounts")
	for i, k := range []columns{
		{"bytes of Redis a session", "%.0f", labels, figures[0], mostBytes},
		{fmt.Sprintf("CPU of bare Caddy's, %d in use", people), "%.3f", labels, figures[1], mostGrowth * figures[1][0]},
		{"µs of CPU a request, all in use", "%.0f", labels, figures[2], 0},
		{"gateway's memory, MB", "%.0f", labels, figures[3], 0},
		{"p99 of the first requests, ms", "%.1f", labels, figures[4], 0},
		{"logins a second", "%.0f", labels, figures[5], 0},
	} {
		k.draw(c, 15+285*float64(i%3), 40+215*float64(i/3), 250, 200)
	}
	c.write(out, "Figures at each number of live sessions")
}
