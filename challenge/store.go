package challenge

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

// Purpose is what a pass of the challenge is good for.
type Purpose string

// Login raises a session that a password began, SignOn one that single sign-on
// began: there, who has just been vouched for may also bind after a reset, and
// although no factor was needed so far. StepUp renews the proof of a session
// that is verified, and Manage lets it bind something more.
const (
	Login  Purpose = "login"
	SignOn Purpose = "sign_on"
	StepUp Purpose = "step_up"
	Manage Purpose = "manage"
)

// Record is one challenge: one attempt to pass, bound to a session, a
// subject, a site and a purpose.
type Record struct {
	ID        string // 128 random bits, base64url; also proves the form is ours
	Session   sessions.ID
	Subject   identity.Subject
	Site      string
	Purpose   Purpose
	Reference string      // what a person quotes to the administrator
	Enroll    bool        // passing means binding a factor
	Gate      policy.Gate // only with Enroll
	// Opened is by what the gate was passed: a factor, "ticket", or "" as long
	// as it was not.
	Opened string
	// Binds is the factor that is bound, "" for any; Instead is the id of the
	// credential that goes with it, and Strength what the new one is worth at
	// most (Unproved: no limit). For Manage.
	Binds    identity.Factor
	Instead  string
	Strength identity.Strength
	ReturnTo string // path and query on this host, "" when an escrow says where
	Escrow   bool   // an answer of the console is held for it

	CreatedAt time.Time
	ExpiresAt time.Time
	Attempts  int             // spent so far
	Parts     map[string]Part // by their names
}

// Part is something that a challenge waits for: a key that is shown and not yet
// bound, a code that was sent, a passkey's ceremony.
type Part struct {
	Name      string
	ID        string
	Data      []byte // sealed, or a digest
	ExpiresAt time.Time
}

// part is one that still counts.
func (r Record) part(name string, now time.Time) (Part, bool) {
	p, ok := r.Parts[name]
	return p, ok && now.Before(p.ExpiresAt)
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
	// KeepPart stores p unless a part of its name that is valid at now is there,
	// and returns the one that holds: parallel page loads agree.
	KeepPart(ctx context.Context, id string, p Part, now time.Time) (Part, error)
	// PutPart stores p in place of the part of its name, whatever that is.
	PutPart(ctx context.Context, id string, p Part, now time.Time) error
	// TakePart removes a part that is valid at now, and has this ID, and returns
	// it; otherwise ErrNotFound. Of any number of parallel calls one succeeds.
	TakePart(ctx context.Context, id, name, partID string, now time.Time) (Part, error)
	// Open notes by what the gate was passed, once; ErrNotFound if it was
	// before, or there is no such challenge.
	Open(ctx context.Context, id, by string, strength identity.Strength, now time.Time) error
	// Take removes the challenge and returns it; ErrNotFound the second time.
	Take(ctx context.Context, id string, now time.Time) (Record, error)
}

// with is the record with a part, as the store has it by now.
func (r Record) with(p Part) Record {
	parts := maps.Clone(r.Parts)
	if parts == nil {
		parts = make(map[string]Part)
	}
	parts[p.Name] = p
	r.Parts = parts
	return r
}

// partBinding is the associated data of what is sealed in a part.
func (r Record) partBinding(p Part) []string {
	return []string{"challenges", "part", r.ID, p.Name, p.ID, r.Subject.String()}
}
