package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// MaxShared is how many subjects may have the same number or address.
const MaxShared = 5

// Errors of Factors that are answers, not faults.
var (
	// ErrNotBound: the subject is in a state in which nothing is added.
	ErrNotBound = errors.New("accounts: no factor is bound")
	// ErrNoCredential: the subject has no such credential, or no longer.
	ErrNoCredential = errors.New("accounts: no such credential")
	// ErrLast: without it the subject would have recovery codes at most.
	ErrLast = errors.New("accounts: the last factor")
	// ErrNoContact: the subject has no such contact, or another one by now.
	ErrNoContact = errors.New("accounts: no such contact")
	// ErrShared: too many subjects have this number or address.
	ErrShared = errors.New("accounts: too many subjects share this contact")
	// ErrNoBrowser: the subject never passed in this browser, or it was
	// forgotten.
	ErrNoBrowser = errors.New("accounts: no such browser")
)

// Factors is the durable store of what people bind beside their first factor.
// Every method is one atomic step. Whatever changes a subject's credentials
// also ends the trust in its browsers.
type Factors interface {
	// Bind adds a credential to a subject that is Bound, and removes those
	// whose ids are given; ErrNotBound, ErrNoCredential if one of them is gone.
	// If none that was bound before RebindFrom is left, RebindFrom is cleared.
	// That of a contact, here as in BindFirst, needs the contact; ErrNoContact.
	Bind(ctx context.Context, c Credential, instead ...string) error
	// Rename changes what the person calls a credential; ErrNoCredential.
	Rename(ctx context.Context, s identity.Subject, id, name string) error
	// Remove removes a credential; ErrNoCredential, ErrLast. A credential whose
	// removal is planned does not save another one from being the last. Of two
	// parallel removals that together would leave none, one gets ErrLast.
	Remove(ctx context.Context, s identity.Subject, id string) error
	// PlanRemoval sets when a credential stops counting; a zero time cancels.
	// ErrNoCredential, ErrLast.
	PlanRemoval(ctx context.Context, s identity.Subject, id string, at time.Time) error
	// Prefer sets what the person is asked for first. It makes no account.
	Prefer(ctx context.Context, s identity.Subject, f identity.Factor) error
	// Notice marks all credentials of the subject as noticed that were bound
	// until then.
	Notice(ctx context.Context, s identity.Subject, until time.Time) error

	// MakeCodes stores a recovery credential with the digests of its codes in
	// place of the one that is there, whose codes are void; ErrNotBound.
	MakeCodes(ctx context.Context, c Credential, digests [][]byte) error
	// SpendCode spends the one code of the credential that has this digest, and
	// returns how many are left. ErrSpent if it was spent, ErrNoCredential if
	// there is none. Of any number of parallel calls one succeeds.
	SpendCode(ctx context.Context, credentialID string, digest []byte, now time.Time) (left int, err error)

	// PutContact stores a contact in place of the one with the id old, or of
	// none if old is empty: ErrNoContact if another one is there by now. A
	// credential of the old contact is one of the new, with its name, its
	// strength and BoundAt renewed. ErrShared, counted over all realms, if
	// MaxShared other subjects have it; parallel calls do not exceed it.
	// It makes an account for a subject that has none. If states are given and
	// the subject is in another one by now: ErrAlreadyBound.
	PutContact(ctx context.Context, c Contact, old string, only ...identity.Enrollment) error
	// RemoveContact removes a contact, and the credential that it is; ErrLast,
	// ErrNoContact.
	RemoveContact(ctx context.Context, s identity.Subject, id string) error

	// TrustBrowser lets logins in a browser that is known pass until then, or
	// until a removal that is planned; ErrNoBrowser.
	TrustBrowser(ctx context.Context, s identity.Subject, mark []byte, until time.Time) error
	// DistrustBrowsers ends the trust in all browsers of the subject.
	DistrustBrowsers(ctx context.Context, s identity.Subject) error
	// Browsers lists the known browsers of the subject, last seen first, at
	// most 100.
	Browsers(ctx context.Context, s identity.Subject) ([]Browser, error)
	// ForgetBrowser makes a browser a stranger. One that is unknown is no error.
	ForgetBrowser(ctx context.Context, s identity.Subject, mark []byte) error
}
