// Package identity names people and says how much of them has been proved.
// It is a leaf: every other package may use it, it uses none.
package identity

import (
	"errors"
	"fmt"
	"strings"
)

// MaxName is the longest subject name in bytes. Consoles allow far less
// (WordPress 60, LDAP DNs rarely over 255); more is a sign of something else.
const MaxName = 255

// Subject is a person in a realm. Name is kept byte for byte as the console
// or the issuer states it: folding case or trimming it here could merge two
// people, or open a second subject for one.
type Subject struct {
	Realm string
	Name  string
}

// ErrName is wrapped by every refusal of NewSubject.
var ErrName = errors.New("not a usable subject name")

// NewSubject refuses names that no console means as a name: empty, longer than
// MaxName bytes, or with control bytes.
func NewSubject(realm, name string) (Subject, error) {
	switch {
	case realm == "" || strings.ContainsRune(realm, '/'):
		return Subject{}, fmt.Errorf("%w: realm %q", ErrName, realm)
	case name == "" || len(name) > MaxName:
		return Subject{}, fmt.Errorf("%w: %d bytes", ErrName, len(name))
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return Subject{}, fmt.Errorf("%w: control bytes", ErrName)
	}
	return Subject{Realm: realm, Name: name}, nil
}

// String is "realm/name". A realm has no slash, so the first one separates.
func (s Subject) String() string { return s.Realm + "/" + s.Name }

// IsZero tells the absence of a subject.
func (s Subject) IsZero() bool { return s == Subject{} }

// Level is what a session has proved. The order is meaningful.
type Level uint8

// The levels, weakest first.
const (
	None        Level = iota // nobody, or nobody any more
	FirstFactor              // the console or an issuer has named the person
	Verified                 // and a second factor was passed, or provably not needed
)

// String is the word the documentation and the logs use.
func (l Level) String() string {
	switch l {
	case FirstFactor:
		return "first_factor"
	case Verified:
		return "verified"
	default:
		return "none"
	}
}

// Enrollment says whether a subject has a second factor. The zero value is
// Unknown, which is never treated as NeverBound: a store that cannot answer
// must not open the door to a fresh binding.
type Enrollment uint8

// The states of a subject.
const (
	Unknown    Enrollment = iota
	NeverBound            // no factor was ever bound; the first binding is free
	Bound                 // at least one credential
	Reset                 // had one, has none: only a ticket may bind again
	Federated             // only ever came by single sign-on: no password may bind
)
