package templates

import "time"

// PasswordError is why what a person typed on a page of passwords is not
// taken.
type PasswordError string

// The errors. Each has its texts under password.KIND in the catalogues.
const (
	NoPasswordError  PasswordError = ""
	WrongPassword    PasswordError = "wrong"     // the name, or the password
	WrongOldPassword PasswordError = "wrong_old" // at a change
	PasswordTooShort PasswordError = "too_short"
	PasswordTooLong  PasswordError = "too_long"
	PasswordCommon   PasswordError = "common"
	PasswordLikeName PasswordError = "like_name"
	PasswordUnusable PasswordError = "unusable"
	NotTheSame       PasswordError = "not_same" // the two times it was typed
)

// Password is Stepgate's own sign-in page.
type Password struct {
	Return      string // the path to go on at
	Name        string // as it was typed
	Error       PasswordError
	LockedUntil time.Time // zero: not locked
}

func (Password) page() string { return "password" }

// Locked tells whether no password is taken at the moment.
func (p Password) Locked() bool { return !p.LockedUntil.IsZero() }

func (p Password) retryAt() time.Time { return p.LockedUntil }

// Link takes the ticket of a one-time link. A script fills in what stands
// behind the #; people can paste it as well.
type Link struct{}

func (Link) page() string { return "link" }

// NewPassword sets a password: a first one by a one-time link, or another one
// by the old.
type NewPassword struct {
	Account     string
	Ticket      string // of the link; empty: the old password is asked for
	Shortest    int    // characters
	Error       PasswordError
	LockedUntil time.Time // zero: not locked
}

func (NewPassword) page() string { return "newpassword" }

// Locked tells whether no password is taken at the moment.
func (p NewPassword) Locked() bool { return !p.LockedUntil.IsZero() }

func (p NewPassword) retryAt() time.Time { return p.LockedUntil }

// First tells whether there is no old password to ask for.
func (p NewPassword) First() bool { return p.Ticket != "" }
