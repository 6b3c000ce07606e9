package caddymodule

import (
	"path/filepath"
	"strings"
	"testing"
)

// No Caddyfile makes the parser panic, and what it takes is valid.
func FuzzCaddyfile(f *testing.F) {
	for _, pattern := range []string{"testdata/adapt/*.txt", "testdata/refused/*.txt"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			input, _, _ := strings.Cut(readFile(f, path), between)
			f.Add(input)
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		if strings.Contains(input, "import") { // reads files
			return
		}
		_, _ = adapt(input, "Caddyfile")
	})
}
