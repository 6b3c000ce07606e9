//go:build linux

package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// table is one of Markdown, aligned to be read as it is too.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) write(out io.Writer) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range t {
		for j, cell := range row {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
		if i == 0 {
			fmt.Fprintln(out, strings.Repeat("| --- ", len(row))+"|")
		}
	}
	fmt.Fprintln(out)
}

// versions says what was measured, and on what.
func (l *lab) versions(out io.Writer) {
	caddy, compiler := "", runtime.Version()
	if info, err := buildinfo.ReadFile(l.binary); err == nil {
		compiler = info.GoVersion
		if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "github.com/caddyserver/caddy/v2" }); i >= 0 {
			caddy = info.Deps[i].Version
		}
	}
	fmt.Fprintf(out, "Caddy %s, %s, %s/%s, Linux %s, %s, %d processors (%s), GOGC=%s\n\n", caddy, compiler, runtime.GOOS, runtime.GOARCH,
		kernel(), l.storeVersions(), runtime.NumCPU(), processor(), gogc)
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	release := unix.ByteSliceToString(u.Release[:])
	return strings.Join(strings.SplitN(release, ".", 3)[:2], ".")
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "?"
	}
	_, rest, _ := strings.Cut(string(text), "model name\t: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

// verdict says whether a number that is to be reached was.
func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "**not reached**"
}
