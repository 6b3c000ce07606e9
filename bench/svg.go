//go:build linux

package main

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// canvas is a drawing that is readable on light and dark pages. Positions are
// in pixels.
type canvas struct {
	width, height float64
	body          strings.Builder
}

// style has the two looks: an image in a page follows the reader's
// preference, not the page's colors.
const style = `<style>
:root { color: #1f2328; --ours: #0969da; --other: #8c959f; --bound: #cf222e; --faint: #d1d9e0; --on: #ffffff }
@media (prefers-color-scheme: dark) { :root { color: #f0f6fc; --ours: #4493f8; --other: #9198a1; --bound: #f85149; --faint: #3d444d; --on: #0d1117 } }
text { font: 13px system-ui, sans-serif; fill: currentColor }
.title { font-weight: 600; font-size: 14px }
.small { font-size: 11px } .on { fill: var(--on) }
.ours { fill: var(--ours) } .other { fill: var(--other) }
.faint { stroke: var(--faint) } .bound { stroke: var(--bound); stroke-dasharray: 4 3 } .whisker { stroke: currentColor; stroke-width: 1.5 }
.limit { fill: var(--bound); font-size: 11px }
.curve { fill: none; stroke-width: 2 } .curve.a { stroke: var(--ours) } .curve.b { stroke: var(--other) } .curve.c { stroke: currentColor; stroke-dasharray: 2 3 }
</style>`

func (c *canvas) write(out io.Writer, label string) {
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n%s\n%s</svg>\n",
		c.width, c.height, c.width, c.height, html.EscapeString(label), style, c.body.String())
}

// text is anchored at its start, middle or end.
func (c *canvas) text(class, anchor string, x, y float64, format string, args ...any) {
	fmt.Fprintf(&c.body, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`+"\n",
		class, anchor, x, y, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (c *canvas) rect(class string, x, y, width, height float64) {
	fmt.Fprintf(&c.body, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`+"\n", class, x, y, width, height)
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.body, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

// curve goes through points.
func (c *canvas) curve(class string, points [][2]float64) {
	fmt.Fprintf(&c.body, `<polyline class="curve %s" points="`, class)
	for _, p := range points {
		fmt.Fprintf(&c.body, "%.1f,%.1f ", p[0], p[1])
	}
	fmt.Fprintln(&c.body, `"/>`)
}

// columns is one small chart of bars side by side.
type columns struct {
	title, format string
	labels        []string
	values        []float64
	bound         float64 // 0: none
}

// draw draws it with the upper left corner at x, y.
func (k columns) draw(c *canvas, x, y, width, height float64) {
	most := k.bound
	for _, v := range k.values {
		most = max(most, v)
	}
	floor, room := y+height-20, height-64
	c.text("title", "start", x, y+14, "%s", k.title)
	each := width / float64(len(k.values))
	for i, v := range k.values {
		h := room * v / most
		middle := x + each*(float64(i)+0.5)
		c.rect("ours", middle-each*0.3, floor-h, each*0.6, h)
		if h > 24 {
			c.text("on", "middle", middle, floor-8, k.format, v)
		} else {
			c.text("", "middle", middle, floor-h-5, k.format, v)
		}
		c.text("small", "middle", middle, floor+15, "%s", k.labels[i])
	}
	c.line("faint", x, floor, x+width, floor)
	if k.bound > 0 {
		at := floor - room*k.bound/most
		c.line("bound", x, at, x+width, at)
		c.text("limit", "end", x+width, at-5, "at most "+k.format, k.bound)
	}
}
