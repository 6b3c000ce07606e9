package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// Person is somebody whom an administrator created, to sign in on Stepgate's
// own page.
type Person struct {
	Subject   identity.Subject
	CreatedAt time.Time
	// Password is sealed with PasswordBinding as its associated data. Empty:
	// none was set yet.
	Password []byte
	SetAt    time.Time // when the person chose it; zero: none was set yet
	// LinkExpiresAt is until when the person's one-time link can be used. Zero:
	// there is none. It may have passed.
	LinkExpiresAt time.Time
}

// PasswordBinding is the associated data of a sealed password, so that a row
// copied to another person opens nothing.
func PasswordBinding(s identity.Subject) []string {
	return []string{"people", "password", s.String()}
}

// Errors of Passwords that are answers, not faults.
var (
	// ErrPersonExists: the realm has a person of this name.
	ErrPersonExists = errors.New("accounts: there is a person of this name")
	// ErrNoPerson: the realm has no person of this name.
	ErrNoPerson = errors.New("accounts: no person of this name")
	// ErrNoLink: no link of the realm has this digest, or it expired, was used
	// or was replaced.
	ErrNoLink = errors.New("accounts: no such link")
	// ErrPasswordChanged: the password is no longer the one that was read.
	ErrPasswordChanged = errors.New("accounts: the password was changed")
)

// Passwords is the durable store of the people who sign in on Stepgate's own
// page. Names are compared byte for byte. Every method is one atomic step.
type Passwords interface {
	// CreatePerson makes a person who has no password yet; ErrPersonExists.
	CreatePerson(ctx context.Context, s identity.Subject, now time.Time) error
	// Person returns one; ErrNoPerson.
	Person(ctx context.Context, s identity.Subject) (Person, error)
	// People returns all of a realm, in the order of their names' bytes.
	People(ctx context.Context, realm string) ([]Person, error)
	// IssueLink gives a person a link, known by a digest, in place of the one
	// there is; ErrNoPerson.
	IssueLink(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error
	// Link tells whose link this is and spends nothing; ErrNoLink.
	Link(ctx context.Context, realm string, digest []byte, now time.Time) (identity.Subject, error)
	// RedeemLink spends a link and sets the password that its person chose at
	// now; ErrNoLink. Of any number of parallel calls one succeeds.
	RedeemLink(ctx context.Context, s identity.Subject, digest, password []byte, now time.Time) error
	// SetPassword replaces the password old by one that the person chose at
	// set; ErrPasswordChanged if another one holds. It voids a link that was
	// not used, unless set is the instant that is stored: the same password in
	// another form.
	SetPassword(ctx context.Context, s identity.Subject, old, password []byte, set time.Time) error
}
