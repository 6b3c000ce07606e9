package firstfactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/stepgate/stepgate/match"
)

// bodyKind is how a body holds fields.
type bodyKind uint8

const (
	otherBody bodyKind = iota // no console finds fields in it, unless told to
	formBody
	jsonBody
)

// fields are all that a request carries by name.
type fields struct {
	query []url.Values
	form  url.Values
	files url.Values // of a multipart form: whether they count as fields too, consoles differ
	json  any
	kind  bodyKind
	size  int64 // of the body, as far as it was looked at
}

// readFields reads a request's fields, of a body up to most bytes. What might
// hold fields of these rules and cannot be read in only one way is refused.
func readFields(q *match.Request, rules []*Login, most int64) (*fields, error) {
	f := &fields{query: q.Queries()}
	if q.Body == nil || q.Body == http.NoBody {
		return f, nil
	}
	kind, params, err := contentType(q.Header)
	if err != nil {
		return nil, err
	}
	f.kind, f.size = kindOf(kind), announced(q.Request)
	wanted := slices.ContainsFunc(rules, func(l *Login) bool { return l.Username.kind() == f.kind })
	if !wanted || q.Method == http.MethodConnect {
		return f, nil // not read: a stream may wait for its answer first
	}
	body, whole, err := peek(q.Request, most)
	if f.size = int64(len(body)); err != nil {
		return nil, err
	}
	if err := check(q.Request, params, whole); err != nil {
		return nil, err
	}
	return f, f.parse(kind, params, body)
}

// contentType reads a body's kind, if it can be read in only one way.
func contentType(h http.Header) (kind string, params map[string]string, err error) {
	kind, params, err = mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && h.Get("Content-Type") != "" {
		return "", nil, fmt.Errorf("%w: content type: %w", ErrLogin, err) // consoles read more of them than we do
	}
	if len(h["Content-Type"]) > 1 {
		return "", nil, fmt.Errorf("%w: two content types", ErrLogin)
	}
	return kind, params, nil
}

// announced is a body's size as its head says it, 1 when it does not.
func announced(r *http.Request) int64 {
	if r.ContentLength < 0 {
		return 1
	}
	return r.ContentLength
}

func kindOf(mediaType string) bodyKind {
	switch {
	case mediaType == "application/x-www-form-urlencoded" || mediaType == "multipart/form-data":
		return formBody
	case isJSON(mediaType):
		return jsonBody
	default:
		return otherBody
	}
}

func isJSON(kind string) bool {
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// peek reads the body up to most bytes and puts it back in front of the rest.
func peek(r *http.Request, most int64) (body []byte, whole bool, err error) {
	body, err = io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, false, fmt.Errorf("%w: reading the request: %w", ErrLogin, err)
	}
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	return body, int64(len(body)) <= most, nil
}

func check(r *http.Request, params map[string]string, whole bool) error {
	charset, contentType := strings.ToLower(params["charset"]), r.Header.Get("Content-Type")
	switch {
	case !whole:
		return fmt.Errorf("%w: the body is too large to look for credentials in it", ErrLogin)
	case r.Header.Get("Content-Encoding") != "":
		return fmt.Errorf("%w: the body is compressed", ErrLogin)
	case charset != "" && charset != "utf-8":
		return fmt.Errorf("%w: charset %q", ErrLogin, charset)
	case strings.HasPrefix(strings.ToLower(contentType), "multipart/") && !partsType.MatchString(contentType):
		return fmt.Errorf("%w: %w", ErrLogin, errParts)
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
