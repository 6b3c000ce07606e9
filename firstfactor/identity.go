package firstfactor

import "github.com/stepgate/stepgate/identity"

// Identity is a person whom a source has proved. Only the verifiers in this
// package can make one.
type Identity struct {
	subject identity.Subject
	source  string
}

// Subject is who it is.
func (i Identity) Subject() identity.Subject { return i.subject }

// Source names the way of the proof: "console".
func (i Identity) Source() string { return i.source }

// IsZero tells that nobody was proved.
func (i Identity) IsZero() bool { return i.subject.IsZero() }
