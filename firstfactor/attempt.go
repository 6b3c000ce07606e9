package firstfactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/stepgate/stepgate/match"
)

// maxLogin is the largest login request in bytes.
const maxLogin = 64 << 10

// ErrLogin is wrapped when a request is a login and cannot be read in only
// one way: doubled fields, odd charsets, compressed or oversized bodies.
var ErrLogin = errors.New("malformed login")

// Attempt is a request that is a login.
type Attempt struct {
	Rule  *Login
	Typed string // the name as the person typed it
}

// Attempt tells whether a request is a login, by any rule. It returns nil if
// it is none, and leaves the body as it was either way. strict is for
// requests that would not be forwarded otherwise: what cannot be read is
// refused instead of passed on.
func (c *Console) Attempt(q *match.Request, strict bool) (*Attempt, error) {
	var f *fields
	for i := range c.Logins {
		rule := &c.Logins[i]
		if !rule.Match.Any(q) {
			continue
		}
		if f == nil {
			var err error
			if f, err = readFields(q, strict); err != nil {
				return nil, err
			}
		}
		typed, ok, err := f.username(rule.Username)
		if err != nil {
			return nil, err
		}
		if ok {
			return &Attempt{Rule: rule, Typed: typed}, nil
		}
	}
	return nil, nil
}

// fields are all that a request carries by name.
type fields struct {
	query []url.Values
	form  url.Values
	files url.Values // of a multipart form: whether they count as fields too, consoles differ
	json  any
	// oversized or unreadable, in a request that would pass anyway
	unread bool
}

func readFields(q *match.Request, strict bool) (*fields, error) {
	f := &fields{query: q.Queries()}
	if q.Body == nil || q.Body == http.NoBody {
		return f, nil
	}
	kind, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil && strict && q.Header.Get("Content-Type") != "" {
		return nil, fmt.Errorf("%w: content type: %w", ErrLogin, err) // consoles read more of them than we do
	}
	if !readable(kind) || !strict && kind == "multipart/form-data" {
		return f, nil // no console finds fields in it; uploads are watched by their answer
	}
	body, whole, err := peek(q.Request)
	if err != nil {
		return nil, err
	}
	err = check(q.Request, params, whole)
	if err == nil {
		err = f.parse(kind, params, body)
	}
	if err != nil && strict {
		return nil, err
	}
	f.unread = err != nil
	return f, nil
}

func readable(kind string) bool {
	return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data" || isJSON(kind)
}

func isJSON(kind string) bool {
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// peek reads the body up to maxLogin and puts it back in front of the rest.
func peek(r *http.Request) (body []byte, whole bool, err error) {
	body, err = io.ReadAll(io.LimitReader(r.Body, maxLogin+1))
	if err != nil {
		return nil, false, fmt.Errorf("%w: reading the body: %w", ErrLogin, err)
	}
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	return body, len(body) <= maxLogin, nil
}

func check(r *http.Request, params map[string]string, whole bool) error {
	charset := strings.ToLower(params["charset"])
	switch {
	case !whole:
		return fmt.Errorf("%w: the body is over 64 KiB", ErrLogin)
	case r.Header.Get("Content-Encoding") != "":
		return fmt.Errorf("%w: the body is compressed", ErrLogin)
	case charset != "" && charset != "utf-8":
		return fmt.Errorf("%w: charset %q", ErrLogin, charset)
	case len(r.Header["Content-Type"]) > 1:
		return fmt.Errorf("%w: two content types", ErrLogin)
	}
	return nil
}

func (f *fields) parse(kind string, params map[string]string, body []byte) (err error) {
	switch {
	case isJSON(kind):
		f.json, err = parseJSON(body, foldKey)
	case kind == "multipart/form-data":
		err = f.parseMultipart(body, params["boundary"])
	default:
		f.form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return nil
}

func (f *fields) parseMultipart(body []byte, boundary string) error {
	f.form, f.files = make(url.Values), make(url.Values)
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if part.FormName() == "" || part.Header.Get("Content-Transfer-Encoding") != "" {
			return errors.New("a part without one plain name and encoding")
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return err
		}
		if strings.Contains(strings.ToLower(part.Header.Get("Content-Disposition")), "filename") {
			f.files.Add(part.FormName(), "")
		} else {
			f.form.Add(part.FormName(), string(value))
		}
	}
}

// parseJSON refuses duplicate keys (RFC 8259, section 4 leaves to the reader
// which of two counts), after fold.
func parseJSON(body []byte, fold func(string) string) (any, error) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return v, uniqueKeys(json.NewDecoder(bytes.NewReader(body)), fold)
}

// foldKey makes one key of all that a console without regard to case takes
// for one (Go's own decoder does).
func foldKey(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, key)
}

func asIs(key string) string { return key }

func uniqueKeys(d *json.Decoder, fold func(string) string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, nested := t.(json.Delim)
	if !nested {
		return nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			name, _ := key.(string)
			if name = fold(name); err != nil || seen[name] {
				return errors.Join(err, fmt.Errorf("key %q stands twice", name))
			}
			seen[name] = true
		}
		if err := uniqueKeys(d, fold); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// username finds the credential field. It must stand once, in one place, and
// under its own name rather than one that a lenient console folds into it.
func (f *fields) username(want Field) (string, bool, error) {
	if want.JSON != "" {
		return f.jsonName(want.JSON)
	}
	for name := range f.files {
		if sameField(name, want.Form) {
			return "", false, fmt.Errorf("%w: the field %q is a file", ErrLogin, want.Form)
		}
	}
	var typed string
	found := 0
	for _, query := range f.query {
		values, err := valuesOf(want.Form, query, f.form)
		if err != nil {
			return "", false, err
		}
		if len(values) > 1 || found > 0 && len(values) == 1 && values[0] != typed {
			return "", false, fmt.Errorf("%w: the field %q stands twice", ErrLogin, want.Form)
		}
		if len(values) == 1 {
			typed, found = values[0], found+1
		}
	}
	if found == 0 {
		return "", false, nil
	}
	return typed, true, f.single()
}

// valuesOf are the values under a name, in all places.
func valuesOf(want string, places ...url.Values) (found []string, err error) {
	for _, fields := range places {
		for name, values := range fields {
			switch {
			case name == want:
				found = append(found, values...)
			case sameField(name, want):
				return nil, fmt.Errorf("%w: the field %q is spelled %q", ErrLogin, want, name)
			}
		}
	}
	return found, nil
}

// sameField tells whether a console may read one name as the other. Of a name
// like `user[login]` the index counts as well.
func sameField(name, want string) bool {
	base, index, array := strings.Cut(want, "[")
	if !array {
		return match.FoldName(name) == match.FoldName(want)
	}
	otherBase, otherIndex, array := strings.Cut(name, "[")
	return array && match.FoldName(otherBase) == match.FoldName(base) &&
		strings.TrimSpace(otherIndex) == strings.TrimSpace(index)
}

func (f *fields) jsonName(at string) (string, bool, error) {
	name, ok := pointer(f.json, at).(string)
	if _, folded := pointerBy(f.json, at, foldKey).(string); folded && !ok {
		return "", false, fmt.Errorf("%w: the field %q is spelled in another way", ErrLogin, at)
	}
	return name, ok, nil
}

// single refuses a login with a field that stands twice in its query or in
// its body: which one counts is the console's guess and ours. A field in both
// is how some consoles write their own forms (DokuWiki's `id`).
func (f *fields) single() error {
	for _, fields := range append(slices.Clone(f.query), f.form) {
		for name, values := range fields {
			if len(values) > 1 && !strings.HasSuffix(name, "[]") {
				return fmt.Errorf("%w: the field %q stands twice", ErrLogin, name)
			}
		}
	}
	return nil
}
