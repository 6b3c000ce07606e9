package firstfactor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stepgate/stepgate/match"
)

// maxLogin is the largest login request in bytes.
const maxLogin = 64 << 10

// maxForm is the largest form that a verified person can send where a login
// might hide in it. It is read into memory, once.
const maxForm = 16 << 20

// ErrLogin is wrapped when a request is a login, or might be one, and cannot
// be read in only one way: doubled fields, odd charsets, compressed or
// oversized bodies, paths that consoles read differently.
var ErrLogin = errors.New("malformed login")

// ErrElsewhere: a request carries credentials that the console would take, and
// is not the login. Whatever else it asks for would be done before any second
// factor, so nobody may send it, verified or not.
var ErrElsewhere = errors.New("credentials outside of the login")

var errTwoWays = fmt.Errorf("%w: the path or method reads in two ways", ErrLogin)

// Attempt is a request that is a login.
type Attempt struct {
	Rule    *Login
	Typed   string // the name as the person typed it
	InQuery bool   // and it stands in the address
	Basic   string // the Authorization header's value without its scheme, if the name stands there
	fields  *fields

	state string   // of an issuer's answer
	start *Start   // that it answers
	local []string // fields that it must not have, in no disguise
}

// Attempt tells whether a request is a login, by any rule. It returns nil if
// it is none, and leaves the body as it was either way. verified is for people
// who may send more than logins.
func (c *Console) Attempt(q *match.Request, verified bool) (*Attempt, error) {
	here := c.rulesFor(q)
	if len(here) == 0 {
		return nil, nil
	}
	f, err := readFields(q, here, limit(verified))
	if err == nil {
		err = f.expected(q, here)
	}
	if err != nil {
		return nil, err
	}
	a, err := f.first(q, here)
	if err == nil && a != nil && a.Callback() {
		err = c.alone(a)
	}
	return a, err
}

// first finds the rule by which the fields are a login. Credentials are
// elsewhere only if no rule makes a login of them.
func (f *fields) first(q *match.Request, rules []*Login) (*Attempt, error) {
	var elsewhere error
	for _, rule := range rules {
		attempt, err := f.attempt(q, rule)
		switch {
		case errors.Is(err, ErrElsewhere):
			elsewhere = err
		case attempt != nil || err != nil:
			return attempt, err
		}
	}
	return nil, elsewhere
}

func limit(verified bool) int64 {
	if verified {
		return maxForm
	}
	return maxLogin
}

// rulesFor are the rules whose fields must be looked for: of this path under
// any reading, and those of consoles that take their credentials anywhere.
func (c *Console) rulesFor(q *match.Request) (here []*Login) {
	for i := range c.Logins {
		if rule := &c.Logins[i]; !rule.Username.Basic && (rule.Username.Anywhere || rule.mayBeAt(q)) {
			here = append(here, rule)
		}
	}
	return here
}

// attempt tells whether the fields make the request a login by this rule. To
// be forwarded as one it must match under every reading.
func (f *fields) attempt(q *match.Request, rule *Login) (*Attempt, error) {
	if rule.Federated != nil {
		return f.callback(q, rule)
	}
	typed, inQuery, found, err := f.username(rule.Username)
	if err != nil || !found {
		return nil, err
	}
	at, err := f.hold(rule.Fields)
	if err != nil {
		return nil, err
	}
	switch at = at && rule.Match.Any(q); {
	case !at && rule.Username.Anywhere:
		return nil, ErrElsewhere
	case !at:
		return nil, nil
	case !rule.Match.Every(q):
		return nil, errTwoWays
	case f.size > maxLogin:
		return nil, fmt.Errorf("%w: the body is over 64 KiB", ErrLogin)
	}
	return &Attempt{Rule: rule, Typed: typed, InQuery: inQuery, fields: f}, nil
}

// expected refuses a body at a login's own path of a kind that its rules do
// not speak of: the console might find the fields where we do not.
func (f *fields) expected(q *match.Request, here []*Login) error {
	if f.size == 0 || q.Safe() {
		return nil
	}
	own := slices.DeleteFunc(slices.Clone(here), func(l *Login) bool {
		return slices.Contains(l.Match.Paths, "*") || !l.Match.Any(q)
	})
	if len(own) == 0 || slices.ContainsFunc(own, func(l *Login) bool { return f.kind == l.Username.kind() }) {
		return nil
	}
	return fmt.Errorf("%w: content type %q", ErrLogin, q.Header.Get("Content-Type"))
}

// kind is the kind of body that a field stands in.
func (f Field) kind() bodyKind {
	if f.JSON != "" {
		return jsonBody
	}
	return formBody
}
