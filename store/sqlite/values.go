package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// nanos is how an instant is stored: nanoseconds since 1970, 0 for the zero
// time. What int64 cannot hold (the year 2262) becomes the last it can.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// at reads an instant.
type at struct{ t *time.Time }

func (a at) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%T is no instant", src)
	}
	*a.t = instant(n)
	return nil
}

// fixed reads bytes of a known length.
type fixed []byte

func (f fixed) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("not %d bytes", len(f))
	}
	copy(f, b)
	return nil
}

// list stores and reads a list as JSON; v is a pointer to it.
type list struct{ v any }

func (l list) Value() (driver.Value, error) {
	b, err := json.Marshal(l.v)
	return string(b), err
}

func (l list) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("%T is no list", src)
	}
	return json.Unmarshal([]byte(s), l.v)
}

// words stores and reads an ordered state as its word: a number would change
// its meaning with the order of the constants. A word that is not known is an
// error, never a state.
type words[T comparable] struct {
	v    *T
	word map[T]string
}

func (w words[T]) Value() (driver.Value, error) {
	word, ok := w.word[*w.v]
	if !ok {
		return nil, fmt.Errorf("%v cannot be stored", *w.v)
	}
	return word, nil
}

func (w words[T]) Scan(src any) error {
	for v, word := range w.word {
		if word == src {
			*w.v = v
			return nil
		}
	}
	return fmt.Errorf("unknown state %v", src)
}

func level(l *identity.Level) words[identity.Level] {
	return words[identity.Level]{l, map[identity.Level]string{
		identity.None:        identity.None.String(),
		identity.FirstFactor: identity.FirstFactor.String(),
		identity.Verified:    identity.Verified.String(),
	}}
}

func enrollment(e *identity.Enrollment) words[identity.Enrollment] {
	return words[identity.Enrollment]{e, map[identity.Enrollment]string{
		identity.NeverBound: "never_bound",
		identity.Bound:      "bound",
		identity.Reset:      "reset",
	}}
}
