package firstfactor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// Identity is a person whom a source has proved. Only the verifiers in this
// package can make one.
type Identity struct {
	subject   identity.Subject
	source    string
	groups    []string
	evidence  *identity.Evidence
	expiresAt time.Time
	issued    *Issued
}

// The sources whose login is the console's own: local, or by an issuer that
// the console asks.
const (
	SourceConsole   = "console"
	SourceFederated = "federated"
)

// newPerson is one whom consoles are told by a header, where blanks around the
// name get lost (RFC 9110, section 5.5): a second account "alice " at an issuer
// would be alice there.
func newPerson(realm, name string) (identity.Subject, error) {
	if strings.TrimSpace(name) != name {
		return identity.Subject{}, fmt.Errorf("%w: blanks around it", identity.ErrName)
	}
	return identity.NewSubject(realm, name)
}

// Subject is who it is.
func (i Identity) Subject() identity.Subject { return i.subject }

// Source names the way of the proof: "console", or the source's own name.
func (i Identity) Source() string { return i.source }

// Groups are those that the source says the person is in.
func (i Identity) Groups() []string { return slices.Clone(i.groups) }

// Evidence is how the person proved it to an issuer. ok is false where nobody
// but the source itself says who it is.
func (i Identity) Evidence() (e identity.Evidence, ok bool) {
	if i.evidence == nil {
		return e, false
	}
	return *i.evidence, true
}

// ExpiresAt is when the assertion ends; zero: it does not say.
func (i Identity) ExpiresAt() time.Time { return i.expiresAt }

// IsZero tells that nobody was proved.
func (i Identity) IsZero() bool { return i.subject.IsZero() }
