package firstfactor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stepgate/stepgate/match"
)

// Asserter proves people by what each of their requests carries. It is asked
// about every request, so that nobody else can go on in a person's session.
type Asserter interface {
	// ID names the source, among all of its site.
	ID() string
	// Realm is whose people it names.
	Realm() string
	// Assert is who sends a request. It needs the request as it arrived, with
	// the headers that only a source may say.
	Assert(ctx context.Context, r *http.Request) (Assertion, error)
	// Headers are those by which the source learns it. A console may heed them
	// too, so that it must not see those that prove nobody.
	Headers() []string
	// Withhold removes whatever else does, from a request that the console
	// gets as nobody's.
	Withhold(h http.Header)
}

// Assertion is a person whom one request proves.
type Assertion struct {
	Identity
	Key string // equal for equal assertions
}

var (
	// ErrNoAssertion: the request carries none.
	ErrNoAssertion = errors.New("the request asserts nobody")
	// ErrAssertion is wrapped where there is one that does not hold. Any other
	// error of an Asserter says that it cannot be told now.
	ErrAssertion = errors.New("the assertion does not hold")
)

func unproven(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAssertion}, args...)...)
}

// header is one by which a source learns who sends a request.
type header struct {
	name      string // as net/http writes it
	spellings *match.Names
}

func newHeader(name string) header {
	return header{name: http.CanonicalHeaderKey(name), spellings: match.NewNames(name)}
}

// only is the header's one line. A second line, another spelling that a
// console could fold into it, a trailer of that name, and a Connection that
// would have it removed on the way (RFC 9110, section 7.6.1) are refused.
func (h header) only(r *http.Request) (value string, err error) {
	for name, values := range r.Header {
		if h.spellings.Has(name) && (name != h.name || len(values) != 1) {
			return "", unproven("%s stands twice, or as %q", h.name, name)
		}
	}
	for name := range r.Trailer {
		if h.spellings.Has(name) {
			return "", unproven("%s is announced as a trailer", h.name)
		}
	}
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if h.spellings.Has(strings.TrimSpace(name)) {
				return "", unproven("%s is named in Connection", h.name)
			}
		}
	}
	values, present := r.Header[h.name]
	if !present {
		return "", ErrNoAssertion
	}
	return values[0], nil
}

// validName tells whether a header or cookie can be called so, in the signs
// that all servers pass on.
func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
}
