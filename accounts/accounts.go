// Package accounts owns what Stepgate knows of people for longer than a
// session: who has bound which factor, which browsers passed before, and all
// that must stay spent or counted even when every session is forgotten.
package accounts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// Account is one subject as the store knows it. A subject that the store has
// never seen is an Account with State NeverBound and zero times.
type Account struct {
	Subject identity.Subject
	State   identity.Enrollment
	// ValidFrom ends every session that began earlier. Zero: none ended.
	ValidFrom time.Time
	// LockedAt is when an administrator locked the subject out. Zero: not.
	LockedAt time.Time
	// RebindFrom: credentials that were bound earlier still prove the person,
	// who then has to bind another one in their place. Zero: none has to.
	RebindFrom time.Time
	// Preferred is the factor that the person wants to be asked for first.
	Preferred   identity.Factor
	Credentials []Credential // oldest first; those whose RemoveAt has passed may still be there
	Contacts    []Contact    // at most one of each kind
}

// Usable are the credentials that count at now.
func (a Account) Usable(now time.Time) []Credential {
	return slices.DeleteFunc(slices.Clone(a.Credentials), func(c Credential) bool {
		return !c.RemoveAt.IsZero() && !now.Before(c.RemoveAt)
	})
}

// Contact is the person's contact of a kind, if there is one.
func (a Account) Contact(kind identity.Factor) (Contact, bool) {
	i := slices.IndexFunc(a.Contacts, func(c Contact) bool { return c.Kind == kind })
	if i < 0 {
		return Contact{}, false
	}
	return a.Contacts[i], true
}

// Rebinding tells whether the person has to bind another factor in place of
// those that are there.
func (a Account) Rebinding() bool {
	return slices.ContainsFunc(a.Credentials, func(c Credential) bool { return c.BoundAt.Before(a.RebindFrom) })
}

// Credential is one bound factor. Secret is sealed; its associated data is
// SecretBinding, so that a row copied to another person opens nothing. SMS and
// mail have none: their credential has the id of the contact.
type Credential struct {
	ID       string
	Subject  identity.Subject
	Factor   identity.Factor
	Name     string // what the person calls it
	Secret   []byte
	LastStep int64 // TOTP: the last spent time step (RFC 6238, section 5.2); passkeys: the signature counter
	BoundAt  time.Time
	Bound    Place     // where
	UsedAt   time.Time // zero: never after binding
	// Strength is what it is worth when another factor is to be removed: no
	// more than what it was added by.
	Strength identity.Strength
	// Noticed: the person was shown, in another browser than the one in which
	// it was bound, when and where that was.
	Noticed bool
	// RemoveAt is when it stops counting, unless that is canceled or it is
	// used before. Zero: it stays.
	RemoveAt time.Time
	// Left is how many codes of a recovery credential are unspent.
	Left int
}

// SecretBinding is the associated data of a sealed secret.
func (c Credential) SecretBinding() []string {
	return []string{"credentials", "secret", c.ID, c.Subject.String()}
}

// Place is where something was done.
type Place struct {
	Address string // the client's
	Browser string // User-Agent, cut
	Mark    []byte // the keyed digest of the browser, nil where it has none
}

// Contact is a telephone number or mail address of a person, who proved to
// read it. Whether it also is a factor is another question: then there is a
// credential with its ID.
type Contact struct {
	ID       string
	Subject  identity.Subject
	Kind     identity.Factor // SMS or Email
	Address  []byte          // sealed, with AddressBinding as its associated data
	Digest   []byte          // keyed; equal for equal addresses, which counts their subjects
	Older    [][]byte        // what Digest would be by older keys; counted with it, not stored
	Language string          // BCP 47: what to write in
	BoundAt  time.Time
}

// AddressBinding is the associated data of a sealed address.
func (c Contact) AddressBinding() []string {
	return []string{"contacts", "address", c.ID, c.Subject.String()}
}

// Browser is what is known of a subject in a browser. The zero value is a
// stranger.
type Browser struct {
	Known    bool
	PassedAt time.Time // zero: not since the passes were forgotten
	// TrustedUntil is how long logins are not asked for a second factor there.
	TrustedUntil time.Time
	// Place is where the subject passed last, FirstAt when first, SeenAt when
	// last. Browser does not fill them, Browsers does.
	Place           Place
	FirstAt, SeenAt time.Time
}

// Errors of the store that are answers, not faults.
var (
	// ErrSpent: the step, code or id was used before, perhaps a moment ago.
	ErrSpent = errors.New("accounts: already spent")
	// ErrAlreadyBound: the subject has, or once had, a factor.
	ErrAlreadyBound = errors.New("accounts: a factor is already bound")
)

// Store is the durable store of people. Every method is one atomic step; an
// error that is none of the above means "unknown", never "no".
type Store interface {
	// Account returns the subject with its credentials, oldest first.
	Account(ctx context.Context, s identity.Subject) (Account, error)
	// BindFirst stores the first credential of a subject that is NeverBound, or
	// in another state that is named, and makes it Bound; otherwise
	// ErrAlreadyBound. Of two parallel calls for one subject exactly one
	// succeeds.
	BindFirst(ctx context.Context, c Credential, also ...identity.Enrollment) error
	// NoteFederated makes a subject Federated that is NeverBound; all others
	// stay what they are.
	NoteFederated(ctx context.Context, s identity.Subject) error
	// AdvanceStep spends every TOTP step of the credential up to and
	// including step. ErrSpent if the last spent one is not lower; a credential
	// that is not there is another error. passed also records the use for the
	// person to see.
	AdvanceStep(ctx context.Context, credentialID string, step int64, passed bool, now time.Time) error
	// SpendID marks an id (of a challenge, stash, code) as used until expires,
	// after which whatever it names is void anyhow. ErrSpent the second time.
	SpendID(ctx context.Context, id string, expires time.Time) error
	// NoteUse records that a credential without steps was used at now. Like
	// every use it cancels a planned removal.
	NoteUse(ctx context.Context, credentialID string, now time.Time) error
	// KnowBrowser records that the subject passed at now in the browser of this
	// place.
	KnowBrowser(ctx context.Context, s identity.Subject, at Place, now time.Time) error
	// Browser tells whether the subject passed in this browser before, and
	// when last.
	Browser(ctx context.Context, s identity.Subject, digest []byte) (Browser, error)
	// ForgetPasses makes the next login of the subject ask again, in every
	// browser in which a factor was passed a short while ago. The browsers stay
	// known, and trusted where they are: see Factors.DistrustBrowsers.
	ForgetPasses(ctx context.Context, s identity.Subject) error
	// EndSessions moves the subject's ValidFrom forward, never back, and
	// forgets its passes. It makes an account of a subject that has none.
	EndSessions(ctx context.Context, s identity.Subject, from time.Time) error
	// Ended tells whether a session that began then must not go on, whatever
	// the store of sessions says: its id was spent, or the subject's ValidFrom
	// is later.
	Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error)
	// Meta returns a value of the store's own, nil when unset: the check value
	// of the key set, for one.
	Meta(ctx context.Context, name string) ([]byte, error)
	// SetMetaIfAbsent stores value unless the name is set, and returns what
	// holds afterwards.
	SetMetaIfAbsent(ctx context.Context, name string, value []byte) ([]byte, error)
}

// Directory is the whole durable store of people, but for their passwords.
type Directory interface {
	Store
	Factors
	Help
}
