package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// catalogue is the texts of one language by key. Texts are plain text, never
// markup; {name} stands for what the page fills in.
type catalogue map[string]string

// Keys of texts that no page shows: titles for answers to programs. The titles
// of notices, "notice.KIND.title", serve there as well.
const ProblemSecondFactor = "problem.second_factor_needed"

// ProblemReload tells a person of a page whose script got that problem how to
// go on.
const ProblemReload = "problem.reload"

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// loadCatalogue reads the embedded texts and lays the overlay's over them.
func loadCatalogue(files layers, name string) (catalogue, error) {
	texts := catalogue{}
	if err := json.Unmarshal(files.own(name), &texts); err != nil {
		return nil, fmt.Errorf("templates: %s: %w", name, err)
	}
	data, path, err := files.overlay(name)
	if errors.Is(err, fs.ErrNotExist) {
		return texts, nil
	}
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return texts, texts.override(data, path)
}

// override replaces texts; each has to exist and to keep its placeholders.
func (c catalogue) override(data []byte, path string) error {
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("templates: %s:%d: %w", path, lineOf(data, err), err)
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		line := 1 + bytes.Count(data[:max(0, bytes.Index(data, []byte(`"`+key+`"`)))], []byte("\n"))
		own, ok := c[key]
		if !ok {
			return fmt.Errorf("templates: %s:%d: no page has a text %q", path, line, key)
		}
		if want, got := placeholders(own), placeholders(texts[key]); !slices.Equal(want, got) {
			return fmt.Errorf("templates: %s:%d: text %q has the placeholders %v, it needs %v", path, line, key, got, want)
		}
		c[key] = texts[key]
	}
	return nil
}

// lineOf is the line of a JSON error.
func lineOf(data []byte, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(0)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}

func placeholders(text string) []string {
	all := placeholder.FindAllString(text, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// Text is one text of the catalogue in the language of the request, as plain
// text. args are pairs of a placeholder's name and its value. A key that does
// not exist is its own text.
func (s *Set) Text(r *http.Request, key string, args ...any) string {
	text, ok := s.speech(r).texts[key]
	if !ok {
		return key
	}
	return fill(text, args, func(v any) string { return fmt.Sprint(v) })
}

// html is a text as markup: everything is escaped but arguments that already
// are template.HTML. Unlike Text it refuses what does not fit, so that a page
// with a wrong key or a forgotten value does not survive New.
func (c catalogue) html(key string, args ...any) (template.HTML, error) {
	text, ok := c[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	filled := fill(template.HTMLEscapeString(text), args, escape)
	given := make([]string, 0, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		given = append(given, fmt.Sprintf("{%v}", args[i]))
	}
	slices.Sort(given)
	if want := placeholders(text); !slices.Equal(want, given) {
		return "", fmt.Errorf("text %q needs %v, got %v", key, want, given)
	}
	return template.HTML(filled), nil
}

func escape(v any) string {
	if h, ok := v.(template.HTML); ok {
		return string(h)
	}
	return template.HTMLEscapeString(fmt.Sprint(v))
}

// fill replaces all placeholders in one pass, so that a value which looks like
// a placeholder stays what it is.
func fill(text string, args []any, show func(any) string) string {
	var pairs []string
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", args[i]), show(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
