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
	json  any
	// oversized or unreadable, in a request that would pass anyway
	unread bool
}

func readFields(q *match.Request, strict bool) (*fields, error) {
	f := &fields{query: q.Queries()}
	if q.Body == nil || q.Body == http.NoBody {
		return f, nil
	}
	kind, params, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
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
		f.json, err = parseJSON(body)
	case kind == "multipart/form-data":
		f.form, err = parseMultipart(body, params["boundary"])
	default:
		f.form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return nil
}

func parseMultipart(body []byte, boundary string) (url.Values, error) {
	form := make(url.Values)
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(value))
	}
}

// parseJSON refuses duplicate keys (RFC 8259, section 4 leaves to the reader
// which of two counts).
func parseJSON(body []byte) (any, error) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return v, uniqueKeys(json.NewDecoder(bytes.NewReader(body)))
}

func uniqueKeys(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, nested := t.(json.Delim)
	if !nested {
		return nil
	}
	seen := make(map[any]bool)
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil || seen[key] {
				return errors.Join(err, fmt.Errorf("key %q stands twice", key))
			}
			seen[key] = true
		}
		if err := uniqueKeys(d); err != nil {
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
		name, ok := pointer(f.json, want.JSON).(string)
		return name, ok, nil
	}
	var found []string
	for _, fields := range append(slices.Clone(f.query), f.form) {
		for name, values := range fields {
			if match.FoldName(name) != want.Form {
				continue
			}
			if name != want.Form {
				return "", false, fmt.Errorf("%w: the field %q is spelled %q", ErrLogin, want.Form, name)
			}
			found = append(found, values...)
		}
	}
	if len(found) > 1 {
		return "", false, fmt.Errorf("%w: the field %q stands twice", ErrLogin, want.Form)
	}
	if len(found) == 1 {
		return found[0], true, f.single()
	}
	return "", false, nil
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
