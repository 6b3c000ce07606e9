// Package backup writes all that a store of accounts holds into one file, and
// fills an empty store from it.
//
// The file begins with a line of JSON that anybody can read: which master keys
// are needed. All that follows is sealed by them, in numbered chunks of which
// none can be changed, moved, left out or taken from another backup; the last
// one says that it is the last. What lies in the store sealed is sealed twice.
package backup

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// Errors that say what is wrong with a file, or with what it is to fill.
var (
	ErrNotEmpty     = errors.New("somebody is in the store already: only an empty one is filled, so that nothing is lost; move the old database away")
	ErrOtherVersion = errors.New("the backup was made by another version of Stepgate: restore it with that one, and upgrade afterwards")
	ErrDamaged      = errors.New("the backup is damaged, cut off or altered: use another copy")
	ErrNoBackup     = errors.New("this is no backup of Stepgate")
)

// Store is a store of accounts as rows.
type Store interface {
	// Dump hands over all rows as they were at one moment.
	Dump(ctx context.Context, emit func(Row) error) error
	// Fill stores rows until there are no more, all or none; ErrNotEmpty. What
	// may have been used since the backup (sessions, trust in browsers, recovery
	// codes, one-time links) is void at now, in nanoseconds since 1970.
	Fill(ctx context.Context, now int64, next func() (Row, bool, error)) error
}

// Row is one of a table.
type Row struct {
	Table  string  `json:"t"`
	Values []Value `json:"v"`
}

// Value is text, bytes, an integer or a flag: the one that is not nil.
type Value struct {
	Text  *string `json:"s,omitempty"`
	Bytes *[]byte `json:"b,omitempty"`
	Int   *int64  `json:"i,omitempty"`
	Flag  *bool   `json:"f,omitempty"`
}

// Of wraps what a database returned.
func Of(v any) Value {
	switch v := v.(type) {
	case string:
		return Value{Text: &v}
	case []byte:
		return Value{Bytes: &v}
	case bool:
		return Value{Flag: &v}
	case int64:
		return Value{Int: &v}
	}
	panic(fmt.Sprintf("backup: a value of type %T", v))
}

// Any is what a database takes.
func (v Value) Any() any {
	switch {
	case v.Text != nil:
		return *v.Text
	case v.Bytes != nil:
		return *v.Bytes
	case v.Flag != nil:
		return *v.Flag
	case v.Int != nil:
		return *v.Int
	}
	return nil
}

// Header is the first line of a file.
type Header struct {
	Format string    `json:"format"`
	Made   time.Time `json:"made"`
	// Keys are the ids of the master keys that were known: any of them may have
	// sealed something in it.
	Keys []string `json:"keys"`
	ID   string   `json:"id"`
}

const format = "stepgate-backup-1"

// chunk is what is sealed at once.
type chunk struct {
	Rows []Row `json:"rows"`
	Last bool  `json:"last,omitempty"`
}

// chunkRows bounds a chunk, and longest its line.
const (
	chunkRows = 200
	longest   = 64 << 20
)

// Write writes a backup of a store and returns how many rows it has.
func Write(ctx context.Context, w io.Writer, from Store, ring *seal.Ring, now time.Time) (n int, err error) {
	head, err := json.Marshal(Header{Format: format, Made: now.UTC().Truncate(time.Second), Keys: ring.IDs(), ID: rand.Text()})
	if err != nil {
		return 0, err
	}
	out := &writer{w: w, ring: ring, file: digest(head)}
	if _, err := fmt.Fprintf(w, "%s\n", head); err != nil {
		return 0, err
	}
	err = from.Dump(ctx, func(r Row) error {
		n++
		return out.add(r)
	})
	if err != nil {
		return 0, err
	}
	return n, out.flush(true)
}

func digest(head []byte) string {
	sum := sha256.Sum256(head)
	return string(sum[:])
}

type writer struct {
	w    io.Writer
	ring *seal.Ring
	file string // digest of the header
	rows []Row
	n    int // chunks
}

func (o *writer) add(r Row) error {
	o.rows = append(o.rows, r)
	if len(o.rows) < chunkRows {
		return nil
	}
	return o.flush(false)
}

func (o *writer) flush(last bool) error {
	plain, err := json.Marshal(chunk{o.rows, last})
	if err != nil {
		return err
	}
	sealed := o.ring.Seal("backup", plain, o.file, strconv.Itoa(o.n))
	o.rows, o.n = nil, o.n+1
	_, err = fmt.Fprintf(o.w, "%s\n", base64.StdEncoding.EncodeToString(sealed))
	return err
}

// Read fills an empty store from a backup.
func Read(ctx context.Context, r io.Reader, into Store, ring *seal.Ring, now time.Time) (h Header, n int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), longest)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || !strings.HasPrefix(h.Format, "stepgate-backup-") {
		return h, 0, ErrNoBackup
	}
	if h.Format != format {
		return h, 0, ErrOtherVersion
	}
	if err := missing(h, ring); err != nil {
		return h, 0, err
	}
	in := &reader{lines: lines, ring: ring, file: digest(lines.Bytes())}
	err = into.Fill(ctx, now.UnixNano(), func() (Row, bool, error) {
		row, more, err := in.next()
		if more {
			n++
		}
		return row, more, err
	})
	return h, n, err
}

// missing names the master keys that a backup needs and nobody brought.
func missing(h Header, ring *seal.Ring) error {
	lost := slices.DeleteFunc(slices.Clone(h.Keys), func(id string) bool { return slices.Contains(ring.IDs(), id) })
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("the backup needs the master keys %s, and %s not among yours (%s): bring them back; without them nothing in it can be read, by nobody",
		strings.Join(h.Keys, ", "), strings.Join(lost, ", ")+map[bool]string{true: " is", false: " are"}[len(lost) == 1], strings.Join(ring.IDs(), ", "))
}

type reader struct {
	lines *bufio.Scanner
	ring  *seal.Ring
	file  string
	rows  []Row
	n     int
	last  bool
}

// next is the next row. The end has to be said: a file that just stops is cut.
func (in *reader) next() (Row, bool, error) {
	for len(in.rows) == 0 {
		if in.last {
			return Row{}, false, in.ended()
		}
		if err := in.chunk(); err != nil {
			return Row{}, false, err
		}
	}
	row := in.rows[0]
	in.rows = in.rows[1:]
	return row, true, nil
}

func (in *reader) chunk() error {
	if !in.lines.Scan() {
		return errors.Join(ErrDamaged, in.lines.Err())
	}
	sealed, err := base64.StdEncoding.DecodeString(in.lines.Text())
	if err != nil {
		return ErrDamaged
	}
	plain, err := in.ring.Open("backup", sealed, in.file, strconv.Itoa(in.n))
	if err != nil {
		return fmt.Errorf("%w (%w); or a master key has the id of another one", ErrDamaged, err)
	}
	var c chunk
	if err := json.Unmarshal(plain, &c); err != nil {
		return ErrDamaged
	}
	in.rows, in.last, in.n = c.Rows, c.Last, in.n+1
	return nil
}

func (in *reader) ended() error {
	if in.lines.Scan() {
		return ErrDamaged
	}
	return in.lines.Err()
}
