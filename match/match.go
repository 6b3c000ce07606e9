package match

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Match is one rule: all of its parts must hold. In a Caddyfile it is
// `[METHOD…] /path…`, `*`, or a named matcher.
type Match struct {
	// Methods, upper case. Empty: GET and HEAD where the rule opens a door,
	// any where it closes one.
	Methods []string `json:"methods,omitempty"`
	// Paths of which one must match; `*` stands for any characters, slashes
	// too. Empty: any path.
	Paths []string `json:"paths,omitempty"`
	// Query fields that must be there, each with a value that matches.
	Query map[string]string `json:"query,omitempty"`
	// Matcher is a matcher set of the server that embeds this package, which
	// compiles it into Func.
	Matcher map[string]json.RawMessage `json:"matcher,omitempty"`
	Func    Func                       `json:"-"`
}

// Func asks a foreign matcher about one reading of a request.
type Func func(*http.Request) (bool, error)

// Validate reports what can never match or is not meant.
func (m Match) Validate() error {
	for _, p := range m.Paths {
		switch {
		case strings.ContainsRune(p, '?'):
			return fmt.Errorf("%q: a path has no query; use a named matcher with `query`", p)
		case !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*"):
			return fmt.Errorf("%q: a path begins with / or *", p)
		}
	}
	for _, method := range m.Methods {
		if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return fmt.Errorf("%q: a method is a word in upper case", method)
		}
	}
	if len(m.Matcher) == 0 && len(m.Paths)+len(m.Query) == 0 {
		return errors.New("the rule matches everything; write `*` if that is meant")
	}
	return nil
}

// Any tells whether the rule matches under any reading. For what closes a
// door; a matcher that fails counts as a match.
func (m Match) Any(q *Request) bool {
	return m.method(q, false) && m.query(q, false) &&
		m.path(q, slices.ContainsFunc[[]string], strings.ToLower) &&
		m.foreign(q, false)
}

// All tells whether the rule matches under every reading. For what opens a
// door; a matcher that fails does not match. GET and HEAD unless the rule, or
// its matcher, names methods.
func (m Match) All(q *Request) bool {
	_, declared := m.Matcher["method"]
	return (len(m.Methods) > 0 || declared || q.Safe()) && m.Every(q)
}

// Every is All for whatever method the rule does not rule out. For doors that
// are open to a machine and not to the public.
func (m Match) Every(q *Request) bool {
	return m.method(q, true) && m.query(q, true) &&
		m.path(q, all, func(s string) string { return s }) &&
		m.foreign(q, true)
}

func all(paths []string, holds func(string) bool) bool {
	return !slices.ContainsFunc(paths, func(p string) bool { return !holds(p) })
}

func (m Match) method(q *Request, strict bool) bool {
	if len(m.Methods) == 0 {
		return true
	}
	listed := func(s string) bool { return slices.Contains(m.Methods, s) }
	if strict {
		return all(q.methods, listed)
	}
	return slices.ContainsFunc(q.methods, listed)
}

func (m Match) path(q *Request, quantify func([]string, func(string) bool) bool, fold func(string) string) bool {
	if len(m.Paths) == 0 {
		return true
	}
	return quantify(q.paths, func(p string) bool {
		return slices.ContainsFunc(m.Paths, func(pattern string) bool {
			return Glob(fold(pattern), fold(p))
		})
	})
}

// query, when strict, wants every value of a field to match, as received and
// as rewritten: consoles differ in which of two they take.
func (m Match) query(q *Request, strict bool) bool {
	for name, pattern := range m.Query {
		var values []string
		for _, fields := range q.Queries() {
			found := valuesOf(fields, name)
			if strict && len(found) == 0 {
				return false
			}
			values = append(values, found...)
		}
		hit := func(v string) bool { return Glob(pattern, v) }
		if len(values) == 0 || strict && !all(values, hit) || !strict && !slices.ContainsFunc(values, hit) {
			return false
		}
	}
	return true
}

func valuesOf(fields url.Values, name string) (values []string) {
	for key, vs := range fields {
		if FoldName(key) == name {
			values = append(values, vs...)
		}
	}
	return values
}

// foreign asks a named matcher about each reading, as a request of its own.
func (m Match) foreign(q *Request, strict bool) bool {
	if m.Func == nil {
		return len(m.Matcher) == 0 || !strict // not compiled: a fault
	}
	for r := range q.each {
		ok, err := m.Func(r)
		if err != nil || ok != strict {
			return !strict
		}
	}
	return strict
}

// each yields the request once for each combination of readings.
func (q *Request) each(yield func(*http.Request) bool) {
	for _, p := range q.paths {
		for _, method := range q.methods {
			for _, rawQuery := range q.rawQs {
				if !yield(q.as(method, p, rawQuery)) {
					return
				}
			}
		}
	}
}

func (q *Request) as(method, path, rawQuery string) *http.Request {
	if method == q.Method && path == q.URL.Path && rawQuery == q.URL.RawQuery {
		return q.Request
	}
	r := *q.Request
	u := *q.URL
	u.Path, u.RawPath, u.RawQuery = path, "", rawQuery
	r.Method, r.URL = method, &u
	return &r
}

// Matches is a list of rules, of which one suffices.
type Matches []Match

// Any tells whether a rule matches under any reading.
func (ms Matches) Any(q *Request) bool {
	for i := range ms {
		if ms[i].Any(q) {
			return true
		}
	}
	return false
}

// All tells whether one rule matches under every reading.
func (ms Matches) All(q *Request) bool {
	for i := range ms {
		if ms[i].All(q) {
			return true
		}
	}
	return false
}
