package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
)

// rows are the table's cells: way, counterpart, tests.
func firstFactorRows(t *testing.T) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(read(t, "docs/first-factors.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if strings.HasPrefix(line, "| `") && len(cells) == 3 {
			rows = append(rows, cells)
		}
	}
	if len(rows) < 6 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	return rows
}

// TestFirstFactorsAreProven: each way of signing in that a configuration can
// name has a row with tests that there are, and each preset one with the
// versions that it names.
func TestFirstFactorsAreProven(t *testing.T) {
	rows := firstFactorRows(t)
	has := func(cell int, holds func(string) bool) bool {
		for _, row := range rows {
			if holds(row[cell]) {
				return true
			}
		}
		return false
	}
	for _, kind := range kindsOfSources(t) {
		if !has(0, func(s string) bool { return strings.Contains(s, "`"+kind+"`") }) {
			t.Errorf("first-factors.md has no row for `first_factor %s`", kind)
		}
	}
	for _, preset := range firstfactor.Presets() {
		c, err := firstfactor.Console{Preset: preset}.WithPreset()
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range c.Tested {
			if !has(1, func(s string) bool {
				return strings.Contains(s, "`"+preset+"`") && strings.Contains(s, strings.Fields(version)[0])
			}) {
				t.Errorf("first-factors.md has no row for the preset %s with %s", preset, version)
			}
		}
	}
}

// kindsOfSources are the words after `first_factor`.
func kindsOfSources(t *testing.T) []string {
	t.Helper()
	_, source, found := strings.Cut(read(t, "caddymodule/source.go"), "type Source struct {")
	source, _, _ = strings.Cut(source, "\n}")
	kinds := all("(?m)^\t\\w+ +\\*firstfactor\\.\\w+ +`json:\"(\\w+),omitempty\"`", source)
	if !found || len(kinds) < 3 {
		t.Fatalf("the ways of signing in were not understood: %q", kinds)
	}
	return kinds
}

// TestFirstFactorsTestsExist: only what is in the tree stands in the table.
func TestFirstFactorsTestsExist(t *testing.T) {
	var code strings.Builder
	for _, path := range find(t, "_test.go") {
		code.WriteString(read(t, path))
	}
	for _, row := range firstFactorRows(t) {
		names := all("`(Test\\w+)`", row[2])
		if len(names) == 0 {
			t.Errorf("the row of %s names no test", row[0])
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^func ` + name + `\(t \*testing\.T\)`).MatchString(code.String()) {
				t.Errorf("the row of %s names %s, and there is no such test", row[0], name)
			}
		}
	}
}
