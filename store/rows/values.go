package rows

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Nanos is how an instant is stored: nanoseconds since 1970, 0 for the zero
// time. What int64 cannot hold (the year 2262) becomes the last it can.
func Nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

// Instant is the time that was stored so.
func Instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// At reads an instant.
func At(t *time.Time) sql.Scanner { return at{t} }

type at struct{ t *time.Time }

func (a at) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%T is no instant", src)
	}
	*a.t = Instant(n)
	return nil
}

// Fixed reads bytes of a known length.
func Fixed(b []byte) sql.Scanner { return fixed(b) }

type fixed []byte

func (f fixed) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("not %d bytes", len(f))
	}
	copy(f, b)
	return nil
}

// Column is a value that is stored and read.
type Column interface {
	sql.Scanner
	driver.Valuer
}

// List stores and reads a list as JSON; v is a pointer to it.
func List(v any) Column { return list{v} }

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

// Words stores and reads an ordered state as its word: a number would change
// its meaning with the order of the constants. A word that is not known is an
// error, never a state.
func Words[T comparable](v *T, word map[T]string) Column { return words[T]{v, word} }

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
