package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// TicketLife is how long an administrator's ticket can be used to bind.
const TicketLife = 24 * time.Hour

// Request is what somebody filed who can use none of the factors.
type Request struct {
	Reference string // what the person quotes
	Subject   identity.Subject
	Site      string
	At        time.Time
	From      Place
	// Checked is the kind of contact by which the person proved to be who
	// files; "" if by none.
	Checked   identity.Factor
	Decision  RequestDecision
	DecidedBy string
	DecidedAt time.Time
	Why       string
}

// RequestDecision is what became of a request.
type RequestDecision string

// The decisions.
const (
	RequestOpen     RequestDecision = "open"
	RequestApproved RequestDecision = "approved"
	RequestRefused  RequestDecision = "refused"
)

// Errors of Help that are answers, not faults.
var (
	// ErrNoTicket: the subject has no such ticket, or it expired or was used.
	ErrNoTicket = errors.New("accounts: no such ticket")
	// ErrNoRequest: nobody filed a request of this reference.
	ErrNoRequest = errors.New("accounts: no such request")
	// ErrDecided: the request was decided before.
	ErrDecided = errors.New("accounts: the request was decided before")
)

// Help is the durable store of how administrators help people. Every method is
// one atomic step.
type Help interface {
	// Search lists subjects of a realm whose name holds part, in the order of
	// their names' bytes, behind after, at most limit. An empty part matches all.
	Search(ctx context.Context, realm, part, after string, limit int) ([]identity.Subject, error)
	// ResetFactors removes the credentials with these ids, or all if there are
	// none, with the trust in browsers. Who is left with recovery codes, or with
	// what is about to be removed, at most loses that too and becomes Reset.
	// Contacts and tickets stay. ErrNoCredential if one of the ids is not there;
	// a subject that was never bound is left as it is.
	ResetFactors(ctx context.Context, s identity.Subject, ids ...string) error
	// SetLocked locks a subject out, or lets it in again with a zero time. It
	// makes an account for a subject that has none.
	SetLocked(ctx context.Context, s identity.Subject, at time.Time) error
	// RequireRebinding sets RebindFrom, and ends the trust in browsers;
	// ErrNotBound.
	RequireRebinding(ctx context.Context, s identity.Subject, from time.Time) error

	// IssueTicket gives the subject a ticket, known by a digest, in place of
	// the one there is. It makes an account for a subject that has none.
	IssueTicket(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error
	// VoidTicket takes the subject's ticket back. None there is no error.
	VoidTicket(ctx context.Context, s identity.Subject) error
	// RedeemTicket spends it; ErrNoTicket. Of parallel calls one succeeds.
	RedeemTicket(ctx context.Context, s identity.Subject, digest []byte, now time.Time) error

	// FileRequest stores a request, or returns the one of the subject that is
	// open: two parallel calls agree. A later one that was Checked, where the
	// open one was not, takes its place and voids its reference: whoever was
	// told that one showed nothing. For the same reason nobody who was not
	// checked may be told the reference of one that is.
	FileRequest(ctx context.Context, r Request) (Request, error)
	// Request finds one by its reference; ErrNoRequest.
	Request(ctx context.Context, reference string) (Request, error)
	// Requests lists those of a realm, newest first, at most limit; all
	// decisions if none is given.
	Requests(ctx context.Context, realm string, decision RequestDecision, limit int) ([]Request, error)
	// Decide decides an open request; ErrNoRequest, ErrDecided.
	Decide(ctx context.Context, reference string, d RequestDecision, by, why string, now time.Time) (Request, error)
}
