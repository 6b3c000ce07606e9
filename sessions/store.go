package sessions

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// ID names a session in the store: the SHA-256 of its token, so that a copy
// of the store gives nobody a session.
type ID [sha256.Size]byte

// Family is one browser's line of sessions at one site, from a login through
// all renewals of the token to the end. The keys of the console's cookies
// are derived from it.
type Family [16]byte

// Record is a session as it is stored.
type Record struct {
	ID        ID
	Family    Family
	Site      string
	Source    string // the first factor's source, "console"
	Subject   identity.Subject
	Level     identity.Level
	AMR       []string  // RFC 8176 values of what was proved
	BeganAt   time.Time // when the first factor was proved
	AuthTime  time.Time // when the second one was; zero below Verified
	SeenAt    time.Time // last use, at most a minute old
	ExpiresAt time.Time // absolute
	Idle      time.Duration
	Challenge string   // the pending challenge's id; at Verified, the passed one's
	Bound     [][]byte // keyed digests of header and body tokens of the console
	Address   string   // the client's at the beginning
	Browser   string   // User-Agent at the beginning, cut
}

// ErrNotFound: there is no such session, or no longer. Any other error of a
// Store means that it could not tell.
var ErrNotFound = errors.New("sessions: not found")

// Store keeps records until they expire. Every method is one atomic step.
type Store interface {
	// Create stores a new record. An ID in use is an error.
	Create(ctx context.Context, r Record) error
	// Find returns a record that has not expired at now, neither absolutely
	// nor by idleness (at ExpiresAt, and at SeenAt plus Idle, it has);
	// otherwise ErrNotFound.
	Find(ctx context.Context, id ID, now time.Time) (Record, error)
	// Replace ends old and stores r in its place: the change of level. If old
	// is gone it stores nothing and returns ErrNotFound. Whether old has
	// expired is for Find to say, before.
	Replace(ctx context.Context, old ID, r Record) error
	// Touch moves SeenAt forward, never back, and revives nothing that was
	// idle for too long. A session that is gone is no error.
	Touch(ctx context.Context, id ID, seen time.Time) error
	// End removes one session and returns it; ErrNotFound if it is gone.
	End(ctx context.Context, id ID) (Record, error)
	// EndSubject removes all sessions of a subject and returns their ids.
	EndSubject(ctx context.Context, s identity.Subject) ([]ID, error)
	// RememberPass notes until when a login of this subject in this browser
	// is released without a new challenge. browser is a keyed digest.
	RememberPass(ctx context.Context, s identity.Subject, browser []byte, until time.Time) error
	// RecentPass tells whether such a note holds at now.
	RecentPass(ctx context.Context, s identity.Subject, browser []byte, now time.Time) (bool, error)
	// ForgetPasses removes a subject's notes, at logout and when sessions are
	// ended.
	ForgetPasses(ctx context.Context, s identity.Subject) error
}
