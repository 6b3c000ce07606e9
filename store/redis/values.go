package redis

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// margin is how long Redis keeps what has expired: its clock is another one.
const margin = 10 * time.Minute

// version is that of the values' layout.
const version = 2

// latest is the last instant that 6 bytes hold, in the year 10889.
const latest = 1<<48 - 1

// millis is how an instant is stored: milliseconds since 1970, 0 for the zero
// time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.UnixMilli(), 0), latest)
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// keepUntil is when Redis may remove what expires then.
func keepUntil(ms int64) int64 { return ms + margin.Milliseconds() }

// writer packs the fields of a record: numbers with a fixed width, all else
// behind its length. It is a third of the size of JSON, and keeps bytes as
// they are.
type writer []byte

func (w *writer) ms(n int64)         { *w = append(*w, binary.BigEndian.AppendUint64(nil, uint64(n))[2:]...) }
func (w *writer) time(t time.Time)   { w.ms(millis(t)) }
func (w *writer) byte(b byte)        { *w = append(*w, b) }
func (w *writer) uint16(n int)       { *w = binary.BigEndian.AppendUint16(*w, uint16(n)) }
func (w *writer) uint32(n int)       { *w = binary.BigEndian.AppendUint32(*w, uint32(n)) }
func (w *writer) raw(b []byte)       { *w = append(*w, b...) }
func (w *writer) count(n int)        { *w = binary.AppendUvarint(*w, uint64(n)) }
func (w *writer) text(s string)      { w.count(len(s)); *w = append(*w, s...) }
func (w *writer) short(s string)     { w.uint16(len(s)); *w = append(*w, s...) } // for scripts, at most 64 KiB
func (w *writer) long(b []byte)      { w.uint32(len(b)); *w = append(*w, b...) } // for scripts
func (w *writer) texts(all []string) { w.count(len(all)); each(all, w.text) }

func each[T any](all []T, do func(T)) {
	for _, one := range all {
		do(one)
	}
}

var errValue = errors.New("a value cannot be read: it was written by another version, or by another program")

// reader unpacks them. After the first mistake it reads nothing but zeros.
type reader struct {
	left string
	err  error
}

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.left) {
		r.left, r.err = "", errValue
		return ""
	}
	got := r.left[:n]
	r.left = r.left[n:]
	return got
}

func (r *reader) number(width int) (n int64) {
	for _, b := range []byte(r.take(width)) {
		n = n<<8 | int64(b)
	}
	return n
}

func (r *reader) ms() int64       { return r.number(6) }
func (r *reader) time() time.Time { return instant(r.ms()) }
func (r *reader) byte() byte      { return byte(r.number(1)) }
func (r *reader) raw(to []byte)   { copy(to, r.take(len(to))) }
func (r *reader) text() string    { return r.take(r.count()) }
func (r *reader) short() string   { return r.take(int(r.number(2))) }
func (r *reader) long() string    { return r.take(int(r.number(4))) }

// count is never more than there are bytes left, so that a broken value takes
// no memory.
func (r *reader) count() int {
	n, width := binary.Uvarint([]byte(r.left[:min(len(r.left), binary.MaxVarintLen64)]))
	if width <= 0 || n > uint64(len(r.left)) {
		r.take(-1)
		return 0
	}
	r.take(width)
	return int(n)
}

func (r *reader) texts() (all []string) {
	for range r.count() {
		all = append(all, r.text())
	}
	return all
}

// version refuses what another version wrote than this one and those.
func (r *reader) version(also ...byte) byte {
	written := r.byte()
	if written != version && !slices.Contains(also, written) {
		r.take(-1)
	}
	return written
}

// done is the mistake that was made, or that something is left over.
func (r *reader) done() error {
	if r.left != "" {
		return errValue
	}
	return r.err
}
