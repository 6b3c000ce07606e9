package firstfactor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/stepgate/stepgate/match"
)

// OwnFields refuses a request that carries, in a field by which the console
// would know a person, anything else than a token that bound vouches for.
// bound is nil below level verified. The body stays as it was.
func (c *Console) OwnFields(q *match.Request, bound func(token string) bool) error {
	if len(c.SessionFields) == 0 {
		return nil
	}
	f := &fields{query: q.Queries()}
	inBody, err := c.bodyTokens(q, f, limit(bound != nil))
	if err != nil {
		return err
	}
	for _, name := range c.SessionFields {
		values, err := f.values(name)
		if err != nil {
			return err
		}
		inBody = append(inBody, values...)
	}
	return onlyOwn(inBody, bound)
}

// OwnMessage does the same for one message that was sent over a WebSocket.
func (c *Console) OwnMessage(text []byte, bound func(token string) bool) error {
	tokens, err := members(text, c.SessionMessages)
	if err != nil {
		return err
	}
	return onlyOwn(tokens, bound)
}

func onlyOwn(tokens []string, bound func(string) bool) error {
	for _, token := range tokens {
		if bound == nil || !bound(token) {
			return fmt.Errorf("%w: a token that this session's login did not bring", ErrElsewhere)
		}
	}
	return nil
}

// bodyTokens reads a form's fields into f, and returns what stands in the
// members of a JSON body.
func (c *Console) bodyTokens(q *match.Request, f *fields, most int64) ([]string, error) {
	if q.Body == nil || q.Body == http.NoBody || q.Method == http.MethodConnect {
		return nil, nil
	}
	kind, params, err := contentType(q.Header)
	if err != nil || kindOf(kind) == otherBody {
		return nil, err
	}
	body, whole, err := peek(q.Request, most)
	if err == nil {
		err = check(q.Request, params, whole)
	}
	switch {
	case err != nil || len(body) == 0:
		return nil, err
	case kindOf(kind) == jsonBody:
		return members(body, c.SessionFields)
	}
	return nil, f.parse(kind, params, body)
}

// members are the values of these members of a JSON object, however often they
// stand and however their case is written. What is no text comes as it is
// written: a script makes text of it where it likes, as of ["token"].
func members(text []byte, names []string) (values []string, err error) {
	if !json.Valid(text) {
		return nil, fmt.Errorf("%w: no JSON", ErrLogin)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(names, func(name string) bool { return foldKey(name) == foldKey(key.(string)) }) {
			values = append(values, asText(value))
		}
	}
	return values, nil
}

func asText(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return string(value)
	}
	return s
}
