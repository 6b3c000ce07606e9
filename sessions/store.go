package sessions

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// ID names a session in the store: the shard of its subject, and the SHA-256
// of its token, so that a copy of the store gives nobody a session.
type ID [1 + sha256.Size]byte

// Shard is equal for all sessions of a subject. A store that is spread over
// servers keeps what has one shard together, so that each of its steps is
// atomic.
func (id ID) Shard() byte { return id[0] }

// ShardOf is the shard of a subject's sessions.
func ShardOf(s identity.Subject) byte { return sha256.Sum256([]byte(s.String()))[0] }

// Family is one browser's line of sessions at one site, from a login through
// all renewals of the token to the end. The keys of the console's cookies
// are derived from it.
type Family [16]byte

// Record is a session as it is stored.
type Record struct {
	ID       ID
	Family   Family
	Site     string
	Source   string // the first factor's source, "console"
	Subject  identity.Subject
	Groups   []string // that the source says the person is in
	Level    identity.Level
	AMR      []string  // RFC 8176 values of what was proved
	BeganAt  time.Time // when the first factor was proved
	AuthTime time.Time // when the second one was; zero below Verified
	Passed   bool      // verified by a second factor of ours, and not by what others say
	// Strength is what the last pass is worth when a factor is to be removed;
	// Unproved where another site or an issuer vouched.
	Strength  identity.Strength
	SeenAt    time.Time // last use, at most a minute old
	ExpiresAt time.Time // absolute
	Idle      time.Duration
	Challenge string   // the pending challenge's id; at Verified none
	Waiting   string   // the id of an answer that waits to be shown; only at Verified
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
	// Touch moves SeenAt of these sessions forward, never back, and revives
	// nothing that was idle for too long. A session that is gone is no error.
	// It may be one step for each session.
	Touch(ctx context.Context, seen map[ID]time.Time) error
	// End removes one session and returns it; ErrNotFound if it is gone.
	End(ctx context.Context, id ID) (Record, error)
	// List returns all of a subject's sessions that Find would find.
	List(ctx context.Context, s identity.Subject, now time.Time) ([]Record, error)
	// EndSubject removes all sessions of a subject and returns their ids.
	EndSubject(ctx context.Context, s identity.Subject) ([]ID, error)
}

// Feed is the log of endings of a store that several nodes share. A session
// that ends is entered in the step that ends it. The log has one or more
// lines, each with its own numbers.
type Feed interface {
	// Lines is how many lines the log has; it never changes.
	Lines() int
	// Beat makes every line tell its place to this node, as entries with this
	// mark, through its subscription and behind all that it told before.
	Beat(ctx context.Context, mark uint64) error
	// Hear subscribes, and hands over what it hears in the order of each line,
	// until ctx ends or the subscription breaks: it always returns an error.
	Hear(ctx context.Context, heard func(Entry)) error
}

// Entry is what a log tells: that sessions ended, or, on a beat, its place.
type Entry struct {
	Line   int
	Log    string // which log: another one after the store forgot everything
	Number uint64 // of the line's last entry, which on an ending is this one
	Mark   uint64 // of the beat; 0 on an ending
	Ended  []ID
}

// Ledger remembers what must stay ended although the store of sessions
// forgets: after a failover, a session may be there again.
type Ledger interface {
	// EndSession notes that the session with this id ended; it is needed until
	// expires. A second time is no error.
	EndSession(ctx context.Context, id string, expires time.Time) error
	// EndSessions notes that all sessions of the subject that began before
	// from ended, and makes its next login ask again.
	EndSessions(ctx context.Context, s identity.Subject, from time.Time) error
	// Ended tells whether a session that began then ended in either way.
	Ended(ctx context.Context, s identity.Subject, id string, began time.Time) (bool, error)
}
