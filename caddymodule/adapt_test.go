package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// update rewrites the goldens; read the difference before you commit it.
var update = flag.Bool("update", false, "write what comes out into the golden files")

// between parts the input of a golden file from what must come out.
const between = "----------\n"

func adapt(text, name string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": name})
	return config, err
}

// goldens calls produce with the input of each golden file and compares.
func goldens(t *testing.T, pattern string, produce func(t *testing.T, input string) string) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files in %s (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(text), between)
			got := produce(t, input)
			if *update {
				if err := os.WriteFile(path, []byte(input+between+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Point 10: what a Caddyfile means in JSON.
func TestCaddyfileAdapts(t *testing.T) {
	goldens(t, "testdata/adapt/*.txt", func(t *testing.T, input string) string {
		if formatted := string(caddyfile.Format([]byte(input))); formatted != input {
			t.Errorf("caddy fmt makes of it\n%s", formatted)
		}
		config, err := adapt(input, "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		return indented(t, config)
	})
}

func indented(t *testing.T, config []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

// Point 10: each mistake is refused with file, line and remedy.
func TestCaddyfileRefused(t *testing.T) {
	goldens(t, "testdata/refused/*.txt", func(t *testing.T, input string) string {
		config, err := adapt(input, "Caddyfile")
		if err == nil {
			t.Fatalf("it was taken for\n%s", config)
		}
		return err.Error() + "\n"
	})
}
