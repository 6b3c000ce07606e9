package firstfactor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
)

// errNobody: the answer does not name a person, or names two.
var errNobody = errors.New("the answer names nobody")

// identity learns who signed in, by the console's own word.
func (e *exchange) identity(ctx context.Context, realm string, attempt *Attempt) (Identity, error) {
	name, err := e.name(ctx, attempt)
	if err != nil {
		return Identity{}, err
	}
	subject, err := identity.NewSubject(realm, name)
	source, evidence := attempt.provedBy()
	return Identity{subject: subject, source: source, evidence: evidence}, err
}

func (e *exchange) name(ctx context.Context, attempt *Attempt) (string, error) {
	s := e.console.Subject
	switch {
	case s.Cookie != "":
		return s.one(e.cookies(s.Cookie))
	case s.Header != "":
		return s.one(e.answer.Header.Values(s.Header))
	case s.Probe != "":
		return e.probed(ctx, s)
	case s.JSON != "":
		return s.pointed(e.body())
	case s.Typed && attempt != nil:
		return attempt.Typed, nil
	}
	return "", errNobody
}

func (e *exchange) cookies(pattern string) (values []string) {
	for _, set := range e.changes.Set {
		if match.NameGlob(pattern, set.Cookie) && e.changes.Left(set) {
			values = append(values, set.Value)
		}
	}
	return values
}

func (e *exchange) probed(ctx context.Context, s *Subject) (string, error) {
	a, err := e.probe(ctx, s.Probe, e.credentials())
	if err != nil {
		return "", fmt.Errorf("probe %s: %w", s.Probe, err)
	}
	if a.Status != http.StatusOK {
		return "", fmt.Errorf("probe %s: status %d", s.Probe, a.Status)
	}
	if s.JSON == "" {
		return s.one([]string{string(a.Body)})
	}
	body, err := parseJSON(a.Body, asIs)
	if err != nil {
		return "", fmt.Errorf("probe %s: %w", s.Probe, err)
	}
	return s.pointed(body)
}

func (s *Subject) pointed(body any) (string, error) {
	value, ok := pointer(body, s.JSON).(string)
	if !ok {
		return "", fmt.Errorf("%w at %s", errNobody, s.JSON)
	}
	return s.one([]string{value})
}

// one reads the name from values that must all agree: two names are a denial.
func (s *Subject) one(values []string) (string, error) {
	if len(values) == 0 {
		return "", errNobody
	}
	var name string
	for i, value := range values {
		read, err := s.read(value)
		if err != nil {
			return "", err
		}
		if i > 0 && read != name {
			return "", fmt.Errorf("%w, or two: %q and %q", errNobody, name, read)
		}
		name = read
	}
	return name, nil
}

func (s *Subject) read(value string) (string, error) {
	value, err := decode(value, s.Decode)
	if err != nil || s.pattern == nil {
		return value, err
	}
	groups := s.pattern.FindAllStringSubmatch(value, 2)
	if len(groups) != 1 {
		return "", fmt.Errorf("%w: the pattern matches %d times", errNobody, len(groups))
	}
	return decode(groups[0][1], s.DecodeName)
}

func decode(value string, steps []string) (string, error) {
	for _, step := range steps {
		var err error
		if step == "url" {
			value, err = url.QueryUnescape(value)
		} else {
			var raw []byte
			raw, err = base64.StdEncoding.DecodeString(value)
			value = string(raw)
		}
		if err != nil {
			return "", fmt.Errorf("decode %s: %w", step, err)
		}
	}
	return value, nil
}
