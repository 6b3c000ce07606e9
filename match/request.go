package match

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// ErrMalformed: the request cannot be one. It is answered with 400.
var ErrMalformed = errors.New("malformed request")

// Request is a request in all its readings.
type Request struct {
	*http.Request
	methods []string
	paths   []string // distinct; the first is the plain decoded path
	queries []url.Values
	rawQs   []string
	room    struct{ methods, paths, rawQs [1]string } // for the plain case: nothing more to allocate
}

// Overrides are the headers by which frameworks let a client replace the
// method (Rails, Symfony, ASP.NET, Express' method-override).
var Overrides = NewNames("X-Http-Method-Override", "X-Http-Method", "X-Method-Override")

// Read reads r. received is the URL before any rewrite; nil if there was none.
func Read(r *http.Request, received *url.URL) (*Request, error) {
	q := new(Request)
	if err := q.Read(r, received, true); err != nil {
		return nil, err
	}
	return q, nil
}

// Read is the other Read in place. overrides says whether a header of r may be
// one of Overrides.
func (q *Request) Read(r *http.Request, received *url.URL, overrides bool) error {
	*q = Request{Request: r}
	if r.Method == http.MethodTrace {
		return ErrMalformed // it would show the client what we add for the console
	}
	q.paths, q.rawQs = q.room.paths[:0], append(q.room.rawQs[:0], r.URL.RawQuery)
	err := q.addPath(r.URL)
	if received != nil && *received != *r.URL {
		err = errors.Join(err, q.addPath(received))
		if received.RawQuery != r.URL.RawQuery {
			q.rawQs = append(q.rawQs, received.RawQuery)
		}
	}
	if err == nil {
		q.addMethods(overrides)
	}
	return err
}

// addMethods adds the method as sent and as overridden. An extended CONNECT
// (RFC 8441) is a WebSocket's GET in HTTP/2 and 3.
func (q *Request) addMethods(overrides bool) {
	m := q.Method
	if m == http.MethodConnect && (q.Header.Get(":protocol") != "" || q.ProtoMajor >= 2) {
		m = http.MethodGet
	}
	q.methods = append(q.room.methods[:0], m)
	if overrides {
		q.addOverrides()
	}
	if !slices.ContainsFunc(q.rawQs, mayOverride) {
		return
	}
	for _, fields := range q.Queries() {
		q.override(valuesOf(fields, "_method"))
	}
}

func (q *Request) addOverrides() {
	for name, values := range q.Header {
		if Overrides.Has(name) {
			q.override(values)
		}
	}
}

func (q *Request) override(values []string) {
	for _, v := range values {
		q.methods = append(q.methods, strings.ToUpper(strings.TrimSpace(v)))
	}
}

// mayOverride spares most requests the parsing of their query.
func mayOverride(rawQuery string) bool {
	return strings.Contains(rawQuery, "method") || strings.Contains(rawQuery, "%")
}

// addPath adds the readings of one URL's path: raw, decoded, decoded twice,
// and each of them without parameters, dots, doubled or back slashes.
func (q *Request) addPath(u *url.URL) error {
	if plain(u.Path) && u.RawPath == "" {
		q.add(u.Path)
		return nil
	}
	readings := []string{u.Path, u.EscapedPath()}
	if strings.ContainsRune(u.Path, '%') {
		readings = append(readings, unescape(u.Path))
	}
	for _, p := range readings {
		if strings.ContainsFunc(p, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return ErrMalformed
		}
		q.add(p)
		q.add(simple(p))
		q.add(simple(withoutParameters(p)))
	}
	return nil
}

func (q *Request) add(p string) {
	if !slices.Contains(q.paths, p) {
		q.paths = append(q.paths, p)
	}
}

// Plain tells that a URL's path has only one reading, which is its Path.
func Plain(u *url.URL) bool {
	var q Request
	return q.addPath(u) == nil && len(q.paths) == 1 && q.paths[0] == u.Path
}

// plain is the fast answer for most paths: true is certain, false is not.
func plain(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for i := range len(p) {
		switch c := p[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '~', c == '@', c == ':':
		case c == '/', c == '.':
			if i > 0 && (p[i-1] == '/' || c == '.' && p[i-1] == '.') {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// simple resolves dots, doubled and back slashes; a final slash stays.
func simple(p string) string {
	p = "/" + strings.ReplaceAll(p, `\`, "/")
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// withoutParameters removes ";x=y" from each segment, as servlet containers do.
func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// Safe tells that the request reads as GET or HEAD, whatever overrides it.
func (q *Request) Safe() bool {
	return !slices.ContainsFunc(q.methods, func(m string) bool {
		return m != http.MethodGet && m != http.MethodHead
	})
}

// Under tells whether any reading of the path lies under a folder.
func (q *Request) Under(folder string) bool {
	return slices.ContainsFunc(q.paths, func(p string) bool {
		return len(p) >= len(folder) && strings.EqualFold(p[:len(folder)], folder) &&
			(len(p) == len(folder) || p[len(folder)] == '/')
	})
}

// Queries are the readings of the query's fields: of the URL as received and
// as rewritten, and with or without `;` as a separator.
func (q *Request) Queries() []url.Values {
	if q.queries == nil {
		for _, raw := range q.rawQs {
			q.queries = append(q.queries, parseQuery(raw))
			if strings.ContainsRune(raw, ';') {
				q.queries = append(q.queries, parseQuery(strings.ReplaceAll(raw, ";", "&")))
			}
		}
	}
	return q.queries
}

// Says tells whether the address holds a text, be it escaped as an address in
// an address in an address.
func (q *Request) Says(text string) bool {
	for _, at := range slices.Concat(q.rawQs, q.paths) {
		for range 4 {
			if strings.Contains(at, text) {
				return true
			}
			at = unescape(strings.ReplaceAll(at, "+", " "))
		}
	}
	return false
}

// parseQuery keeps fields with bad escapes, as PHP does: what it left out, a
// console could still find.
func parseQuery(raw string) url.Values {
	fields := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(pair, "+", " "), "=")
		fields.Add(unescape(name), unescape(value))
	}
	return fields
}
