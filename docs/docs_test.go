// Package docs_test holds the documentation to the code.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
)

const root = ".."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// find lists files by the end of their names, as paths from the root.
func find(t *testing.T, suffix string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != root {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, suffix) {
			rel, err := filepath.Rel(root, path)
			paths = append(paths, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func all(re, text string) (found []string) {
	for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestEveryNamedTestExists(t *testing.T) {
	exists := make(map[string]bool)
	for _, path := range find(t, "_test.go") {
		for _, name := range all(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`, read(t, path)) {
			exists[name] = true
		}
	}
	for _, path := range find(t, ".md") {
		for _, name := range all("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)", read(t, path)) {
			if !exists[name] {
				t.Errorf("%s names %s, and there is no such test", path, name)
			}
		}
	}
}

func TestEveryLinkLeadsToAFile(t *testing.T) {
	for _, path := range find(t, ".md") {
		for _, target := range all(`(?:\]\(|srcset="|src=")([^)"]+)[)"]`, read(t, path)) {
			file, anchor, _ := strings.Cut(target, "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", path, target)
			}
		}
	}
}

// anchors are the headings as links name them.
func anchors(text string) (names []string) {
	for _, heading := range all(`(?m)^#+ (.+)$`, text) {
		kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), "")
		names = append(names, strings.ReplaceAll(kept, " ", "-"))
	}
	return names
}

// constants are the values of a file's string constants of one type.
func constants(t *testing.T, path, kind string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || !strings.HasSuffix(name(spec.Type), kind) {
			return true
		}
		for _, v := range spec.Values {
			if value, err := strconv.Unquote(v.(*ast.BasicLit).Value); err == nil && value != "" {
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestProblemsExplainWhatThereIs compares each table of problems.md with the
// constants of the code: nothing is missing, and nothing is left over.
func TestProblemsExplainWhatThereIs(t *testing.T) {
	text := read(t, "docs/problems.md")
	for section, want := range map[string][]string{
		"Types":                         slices.Concat(constants(t, "templates/views.go", "NoticeKind"), constants(t, "gateway/refuse.go", "NoticeKind")),
		"Messages on the pages":         constants(t, "templates/views.go", "MessageKind"),
		"Reasons":                       constants(t, "policy/policy.go", "Code"),
		"Steps of a passkey's ceremony": constants(t, "challenge/passkey/errors.go", "Kind"),
		"Events of the audit trail":     constants(t, "audit/audit.go", "Event"),
	} {
		_, part, _ := strings.Cut(text, "\n## "+section+"\n")
		part, _, _ = strings.Cut(part, "\n## ")
		var got []string
		for _, cell := range all("(?m)^\\| (`[^|]+) \\|", part) {
			got = append(got, all("`([^`]+)`", cell)...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(want) < 3 || !slices.Equal(got, want) {
			t.Errorf("%s: problems.md explains\n%q, the code has\n%q", section, got, want)
		}
	}
}

// TestEveryEventIsWritten: an event that is explained and never comes would
// have an operator wait for it.
func TestEveryEventIsWritten(t *testing.T) {
	var source strings.Builder
	for _, path := range find(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			source.WriteString(read(t, path))
		}
	}
	names := all(`(?m)^\t(\w+) +Event = "`, read(t, "audit/audit.go"))
	if len(names) < 20 {
		t.Fatalf("only %q are found", names)
	}
	for _, name := range names {
		if !regexp.MustCompile(`audit\.` + name + `\b`).MatchString(source.String()) {
			t.Errorf("nothing writes %s", name)
		}
	}
}

func TestEveryDependencyHasALine(t *testing.T) {
	text := read(t, "docs/dependencies.md")
	want, required := make(map[string]bool), read(t, "go.mod")
	for line := range strings.Lines(required) {
		if m := regexp.MustCompile(`^\t(\S+) v\S+\s*$`).FindStringSubmatch(line); m != nil {
			want[m[1]] = true
		}
	}
	if len(want) < 5 {
		t.Fatalf("go.mod was not understood: %v", want)
	}
	got := all("(?m)^\\| `([^`]+\\.[^`]+)` \\|", text)
	for _, path := range got {
		if !strings.Contains(required, "\t"+path+" v") {
			t.Errorf("dependencies.md explains %s, which go.mod does not require", path)
		}
		delete(want, path)
	}
	for path := range maps.Keys(want) {
		t.Errorf("dependencies.md has no line for %s", path)
	}
}

func TestPresetsAreListed(t *testing.T) {
	text := read(t, "docs/presets.md")
	for _, preset := range firstfactor.Presets() {
		c, err := firstfactor.Console{Preset: preset}.WithPreset()
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range c.Tested {
			if !regexp.MustCompile("\\| `" + preset + "` \\|.*" + regexp.QuoteMeta(version)).MatchString(text) {
				t.Errorf("presets.md does not say that %s was tested with %s", preset, version)
			}
		}
	}
}

// TestPresetExample loads the preset that presets.md arrives at.
func TestPresetExample(t *testing.T) {
	examples := all("(?s)```json\n(.*?)```", read(t, "docs/presets.md"))
	if len(examples) == 0 {
		t.Fatal("presets.md has no example")
	}
	for _, example := range examples {
		path := filepath.Join(t.TempDir(), "example.json")
		if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := firstfactor.Console{Preset: path}.WithPreset()
		if err == nil {
			err = c.Prepare()
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, example)
		}
	}
}

// TestArchitectureNamesEveryPackage also holds the core to knowing no Caddy.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text := read(t, "docs/architecture.md")
	for _, path := range find(t, ".go") {
		folder := filepath.ToSlash(filepath.Dir(path))
		if folder == "docs" {
			continue
		}
		if !strings.Contains(text, folder) && !strings.HasPrefix(folder, "e2e/") {
			t.Errorf("architecture.md does not name %s", folder)
		}
		glue := slices.Contains([]string{"cmd", "caddymodule", "e2e", "bench"}, strings.Split(folder, "/")[0])
		if !glue && strings.Contains(read(t, path), `"github.com/caddyserver/`) {
			t.Errorf("%s knows Caddy", path)
		}
	}
}
