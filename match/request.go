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

// overrides are the headers by which frameworks let a client replace the
// method (Rails, Symfony, ASP.NET, Express' method-override).
var overrides = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// Read reads r. received is the URL before any rewrite; nil if there was none.
func Read(r *http.Request, received *url.URL) (*Request, error) {
	q := &Request{Request: r}
	q.methods = methods(q.room.methods[:0], r)
	q.paths, q.rawQs = q.room.paths[:0], append(q.room.rawQs[:0], r.URL.RawQuery)
	err := q.addPath(r.URL)
	if received != nil && *received != *r.URL {
		err = errors.Join(err, q.addPath(received))
		if received.RawQuery != r.URL.RawQuery {
			q.rawQs = append(q.rawQs, received.RawQuery)
		}
	}
	if err != nil {
		return nil, err
	}
	return q, nil
}

// methods appends the method as sent and as overridden. An extended CONNECT (RFC
// 8441) is a WebSocket's GET in HTTP/2 and 3.
func methods(all []string, r *http.Request) []string {
	m := r.Method
	if m == http.MethodConnect && (r.Header.Get(":protocol") != "" || r.ProtoMajor >= 2) {
		m = http.MethodGet
	}
	all = append(all, m)
	for _, name := range overrides {
		for _, v := range r.Header[name] {
			all = append(all, strings.ToUpper(strings.TrimSpace(v)))
		}
	}
	if i := strings.Index(r.URL.RawQuery, "_method="); i >= 0 {
		for _, v := range r.URL.Query()["_method"] {
			all = append(all, strings.ToUpper(strings.TrimSpace(v)))
		}
	}
	return all
}

// addPath adds the readings of one URL's path: raw, decoded, decoded twice,
// and each of them without parameters, dots, doubled or back slashes.
func (q *Request) addPath(u *url.URL) error {
	if plain(u.Path) && u.RawPath == "" {
		q.add(u.Path)
		return nil
	}
	readings := []string{u.Path, u.EscapedPath()}
	if twice, err := url.PathUnescape(u.Path); err == nil {
		readings = append(readings, twice)
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

// plain tells that a path has only one reading.
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

// Is tells whether every reading of the path is exactly p.
func (q *Request) Is(p string) bool { return len(q.paths) == 1 && q.paths[0] == p }

// Queries are the query's fields, of the URL as received and as rewritten.
// Bad escapes are kept out, as most consoles do.
func (q *Request) Queries() []url.Values {
	if q.queries == nil {
		for _, raw := range q.rawQs {
			v, _ := url.ParseQuery(strings.ReplaceAll(raw, ";", "&"))
			q.queries = append(q.queries, v)
		}
	}
	return q.queries
}
