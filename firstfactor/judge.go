package firstfactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/match"
)

// Outcome is how a login went.
type Outcome uint8

// The outcomes. The zero value is withheld.
const (
	Unclear Outcome = iota
	Failure
	Success
)

// String is the word in logs and metrics.
func (o Outcome) String() string { return [...]string{"unclear", "failure", "success"}[o] }

// Verdict is what an answer to a login means.
type Verdict struct {
	Outcome Outcome
	// Identity is the person, on Success.
	Identity Identity
	// Credentials are the session credentials that the answer sets.
	Credentials []Credential
	Hold        Hold
	// Differs says what an unclear answer lacks, for the operator.
	Differs string
}

// Prober asks the console for a path, with credentials and nothing else of
// the browser's.
type Prober func(ctx context.Context, path string, with []Credential) (escrow.Answer, error)

// Judge judges an answer. attempt is nil for an answer that sets a session
// credential to a request that no rule calls a login: it may still be a
// success of some rule. realm is whom the name belongs to.
func (c *Console) Judge(ctx context.Context, realm string, attempt *Attempt, a escrow.Answer, probe Prober, now time.Time) Verdict {
	e := &exchange{console: c, answer: a, changes: c.Changes(a.Header, now), probe: probe}
	v := Verdict{Credentials: e.credentials()}
	if attempt != nil && len(v.Credentials) == 0 && e.holds(ctx, attempt.Rule.Failure) == nil {
		if e.holds(ctx, attempt.Rule.Success) != nil {
			v.Outcome = Failure
			return v
		}
		v.Differs = "the answer looks like a success and sets no session credential"
		return v
	}
	rule, err := e.succeeds(ctx, attempt)
	if err == nil && len(v.Credentials) == 0 {
		err = errors.New("no session credential is set")
	}
	if err == nil {
		v.Hold = rule.Hold
		v.Identity, err = e.identity(ctx, realm, attempt)
	}
	if err != nil {
		v.Differs = err.Error()
		return v
	}
	v.Outcome = Success
	return v
}

// Identify names the person that credentials stand for, when a verified
// session's answer changes them. ok is false if the answer names nobody.
func (c *Console) Identify(ctx context.Context, realm string, h http.Header, probe Prober, now time.Time) (id Identity, ok bool) {
	e := &exchange{console: c, answer: escrow.Answer{Status: http.StatusOK, Header: h}, changes: c.Changes(h, now), probe: probe}
	id, err := e.identity(ctx, realm, nil)
	return id, err == nil
}

// exchange is one answer being judged.
type exchange struct {
	console *Console
	answer  escrow.Answer
	changes Changes
	probe   Prober
	basic   string // the credentials that were proven
	json    any    // the body, parsed when first needed
}

func (e *exchange) credentials() []Credential {
	all := slices.Clone(e.changes.Set)
	if e.basic != "" {
		all = append(all, Credential{Value: e.basic, Basic: true})
	}
	for _, p := range e.console.SessionTokens {
		if token, ok := pointer(e.body(), p).(string); ok && token != "" {
			all = append(all, Credential{Value: token})
		}
	}
	return all
}

// succeeds returns the rule whose success holds.
func (e *exchange) succeeds(ctx context.Context, attempt *Attempt) (*Login, error) {
	if attempt != nil {
		return attempt.Rule, e.holds(ctx, attempt.Rule.Success)
	}
	var errs []error
	for i := range e.console.Logins {
		err := e.holds(ctx, e.console.Logins[i].Success)
		if err == nil {
			return &e.console.Logins[i], nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// holds says what differs, nil if the condition holds whole.
func (e *exchange) holds(ctx context.Context, c Condition) error {
	if len(c.Status) > 0 && !slices.Contains(c.Status, e.answer.Status) {
		return fmt.Errorf("status %d", e.answer.Status)
	}
	if at := e.answer.Header.Get("Location"); c.Location != "" && !match.Glob(c.Location, at) {
		return fmt.Errorf("location %q", withoutQuery(at))
	}
	for _, pattern := range c.SetCookies {
		if !slices.ContainsFunc(e.changes.Set, func(s Credential) bool {
			return match.NameGlob(pattern, s.Cookie) && e.changes.Left(s)
		}) {
			return fmt.Errorf("cookie %s is not set", pattern)
		}
	}
	for name, pattern := range c.Headers {
		if value := e.answer.Header.Get(name); !match.Glob(pattern, value) {
			return fmt.Errorf("header %s does not match %q", name, pattern)
		}
	}
	return errors.Join(e.bodyHolds(c), e.probeHolds(ctx, c.Probe))
}

// withoutQuery keeps tokens out of logs and of the audit trail.
func withoutQuery(location string) string {
	path, _, _ := strings.Cut(location, "?")
	path, _, _ = strings.Cut(path, "#")
	return path
}

func (e *exchange) bodyHolds(c Condition) error {
	if c.Body != "" && !match.Glob(c.Body, strings.TrimSpace(string(e.answer.Body))) {
		return fmt.Errorf("the body does not match %q", c.Body)
	}
	for p, pattern := range c.JSON {
		if value, ok := text(pointer(e.body(), p)); !ok || !match.Glob(pattern, value) {
			return fmt.Errorf("json %s does not match %q", p, pattern)
		}
	}
	return nil
}

func (e *exchange) probeHolds(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	a, err := e.probe(ctx, path, e.credentials())
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("probe %s: status %d", path, a.Status)
	}
	return err
}

func (e *exchange) body() any {
	if e.json == nil {
		e.json, _ = parseJSON(e.answer.Body, asIs) // not JSON: nothing is found in it
	}
	return e.json
}

// pointer is RFC 6901 evaluation; nil if there is nothing.
func pointer(v any, p string) any { return pointerBy(v, p, asIs) }

// pointerBy takes names for equal that fold makes equal.
func pointerBy(v any, p string, fold func(string) string) any {
	if p == "" {
		return v
	}
	for _, step := range strings.Split(p, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch node := v.(type) {
		case map[string]any:
			v = member(node, step, fold)
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

func member(object map[string]any, name string, fold func(string) string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for key, v := range object {
		if fold(key) == fold(name) {
			return v
		}
	}
	return nil
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case nil:
		return "", false
	default:
		raw, err := json.Marshal(v)
		return string(raw), err == nil
	}
}
