// Package recovery is a written code as a proof: the ten recovery codes that a
// person keeps in a drawer, and the ticket that an administrator gives out for
// one binding. Both are [Code]s: of one alphabet, read in one way.
//
// It stores nothing. That each code passes once is the caller's business,
// since only the store can see to it.
package recovery

import (
	"crypto/rand"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// Count is how many recovery codes a person gets at once.
const Count = 10

// alphabet leaves out letters and digits that are misread or misheard
// (0 O 1 I L U, as Crockford's base 32 does). Sixteen of its thirty are 78
// bits.
const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	length = 16
	group  = 4
)

// Code is a recovery code or a ticket, as people see it: XXXX-XXXX-XXXX-XXXX.
// A value comes from New or Read.
type Code string

// New makes one code: uniform over the alphabet.
func New() Code {
	symbols := make([]byte, 0, length)
	for len(symbols) < length {
		var raw [2 * length]byte
		_, _ = rand.Read(raw[:]) // never fails since Go 1.24
		symbols = take(symbols, raw[:])
	}
	return grouped(symbols)
}

// take appends the symbols that random bytes stand for. Bytes beyond the last
// whole multiple of the alphabet are dropped: they would favor its beginning.
func take(symbols, raw []byte) []byte {
	const fair = 256 - 256%len(alphabet)
	for _, b := range raw {
		if int(b) < fair && len(symbols) < length {
			symbols = append(symbols, alphabet[int(b)%len(alphabet)])
		}
	}
	return symbols
}

// Make makes the codes that a person gets at once; no two are the same.
func Make() []Code {
	codes, seen := make([]Code, 0, Count), map[Code]bool{}
	for len(codes) < Count {
		if c := New(); !seen[c] {
			codes, seen[c] = append(codes, c), true
		}
	}
	return codes
}

func grouped(symbols []byte) Code {
	var b strings.Builder
	for i, s := range symbols {
		if i > 0 && i%group == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(s)
	}
	return Code(b.String())
}

// longest bounds what is read: a code with a blank around every symbol, each
// as wide as they come.
const longest = 256

// Read takes a code as people type it: in lower case, with blanks, without
// hyphens or with other dashes, in the full-width letters of an input method.
// ok is whether it has the form of a code; it may still be nobody's.
func Read(typed string) (c Code, ok bool) {
	if len(typed) > longest {
		return "", false
	}
	var symbols []byte
	for _, r := range norm.NFKC.String(typed) {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
		case r < unicode.MaxASCII && strings.ContainsRune(alphabet, unicode.ToUpper(r)):
			symbols = append(symbols, byte(unicode.ToUpper(r)))
		default:
			return "", false
		}
	}
	if len(symbols) != length {
		return "", false
	}
	return grouped(symbols), true
}

// Digest is how stores know a code: keyed, and bound to what it is a code of
// (the credential's id, or the ticket's subject), so that a digest that is
// copied to another row is of no use there.
func (c Code) Digest(key []byte, bound ...string) []byte {
	return seal.Digest(key, append([]string{"written code", string(c)}, bound...)...)
}

// What the keys of digests are derived by.
const (
	Keys       = "recovery"
	TicketKeys = "ticket"
)

// TicketDigest is how stores know a person's ticket.
func (c Code) TicketDigest(key []byte, s identity.Subject) []byte {
	return c.Digest(key, "ticket/"+s.String())
}
