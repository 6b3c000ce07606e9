package challenge

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// Purpose is what a pass of the challenge is good for.
type Purpose string

// Login raises a session that a password began, SignOn one that single sign-on
// began: there, who has just been vouched for may also bind after a reset, and
// although no factor was needed so far.
const (
	Login  Purpose = "login"
	SignOn Purpose = "sign_on"
)

// bindable are the states, besides NeverBound, in which a challenge may bind.
func (p Purpose) bindable() []identity.Enrollment {
	if p == SignOn {
		return []identity.Enrollment{identity.Federated, identity.Reset}
	}
	return nil
}

// Record is one challenge: one attempt to pass, bound to a session, a
// subject, a site and a purpose.
type Record struct {
	ID        string // 128 random bits, base64url; also proves the form is ours
	Session   sessions.ID
	Subject   identity.Subject
	Site      string
	Purpose   Purpose
	Reference string // what a person quotes to the administrator
	Enroll    bool   // no factor is bound: passing means binding one
	ReturnTo  string // path and query on this host, "" when an escrow says where
	Escrow    bool   // an answer of the console is held for it
	CreatedAt time.Time
	ExpiresAt time.Time
	Attempts  int     // spent so far
	Pending   Pending // the key being enrolled, if any
}

// Pending is a TOTP key that is shown and not yet bound. Key is sealed with
// PendingBinding as its associated data.
type Pending struct {
	ID        string // becomes the credential's id
	Key       []byte
	ExpiresAt time.Time
}

// Errors of the store that are answers, not faults.
var (
	ErrNotFound  = errors.New("challenge: not found")
	ErrExhausted = errors.New("challenge: no attempt left")
)

// Store keeps challenges until they expire. Every method is one atomic step.
type Store interface {
	// Create stores a new challenge. An id in use is an error.
	Create(ctx context.Context, r Record) error
	// Find returns a challenge that has not expired at now.
	Find(ctx context.Context, id string, now time.Time) (Record, error)
	// Attempt spends one attempt before a code is compared, and returns how
	// many are left. ErrExhausted if max were spent; of many parallel calls
	// at most max succeed.
	Attempt(ctx context.Context, id string, max int, now time.Time) (left int, err error)
	// SetPendingIfAbsent stores p unless a pending key that is valid at now is
	// there, and returns the one that holds: parallel page loads agree.
	SetPendingIfAbsent(ctx context.Context, id string, p Pending, now time.Time) (Pending, error)
	// Take removes the challenge and returns it; ErrNotFound the second time.
	Take(ctx context.Context, id string, now time.Time) (Record, error)
}
