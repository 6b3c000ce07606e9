// Package audit owns the trail: what was asked, refused or let through, of
// whom, where and why. Records are written before the answer they describe is
// sent, and never hold a code, a token or a key.
package audit

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// Event is what happened.
type Event string

// The events of logins and sessions.
const (
	ChallengeAsked  Event = "challenge.asked"
	ChallengePassed Event = "challenge.passed"
	ChallengeFailed Event = "challenge.failed"
	ChallengeLocked Event = "challenge.locked"
	ChallengeLinked Event = "challenge.linked" // passed at another site of the realm
	ChallengeLeft   Event = "challenge.canceled"
	LoginReleased   Event = "login.released"  // at once, by a recent pass
	LoginTrusted    Event = "login.trusted"   // at once, by a trusted browser
	LoginSignedOn   Event = "login.signed_on" // not challenged: by the evidence of single sign-on
	LoginUnclear    Event = "login.unclear"
	LoginRefused    Event = "login.refused"
	PersonChanged   Event = "session.person_changed"
	SessionEnded    Event = "session.ended"
	OthersEnded     Event = "session.others_ended"
	BypassUsed      Event = "bypass.used"
	RequestRefused  Event = "request.refused"
)

// The events of passwords.
const (
	PasswordFailed      Event = "password.failed"
	PasswordLocked      Event = "password.locked"
	PasswordSet         Event = "password.set"     // by a one-time link
	PasswordChanged     Event = "password.changed" // by the person
	PasswordLinkRefused Event = "password.link_refused"
)

// The events of what people have, and of what leads to it.
const (
	FactorBound      Event = "factor.bound"
	BindingFailed    Event = "factor.binding_failed"
	FactorRemoved    Event = "factor.removed"
	FactorRenamed    Event = "factor.renamed"
	RemovalPlanned   Event = "factor.removal_planned"
	RemovalCanceled  Event = "factor.removal_canceled"
	FactorReplaced   Event = "factor.replaced"
	FactorPreferred  Event = "factor.preferred"
	RecoveryMade     Event = "recovery.made"
	RecoveryUsed     Event = "recovery.used"
	ContactBound     Event = "contact.bound"
	ContactChanged   Event = "contact.changed"
	ContactRemoved   Event = "contact.removed"
	CodeSent         Event = "code.sent"
	CodeNotSent      Event = "code.not_sent"
	GateOpened       Event = "gate.opened"
	PasskeyRegressed Event = "passkey.regressed"
	BrowserTrusted   Event = "browser.trusted"
	BrowserForgotten Event = "browser.forgotten"
	HelpAsked        Event = "help.asked" // a person filed a request
)

// The events of administrators.
const (
	PersonCreated     Event = "person.created"
	LinkIssued        Event = "person.link_issued"
	FactorsReset      Event = "person.factors_reset"
	PersonLocked      Event = "person.locked"
	PersonUnlocked    Event = "person.unlocked"
	SessionsEnded     Event = "person.sessions_ended"
	RebindingRequired Event = "person.rebinding_required"
	ContactFiled      Event = "person.contact_filed"
	TicketIssued      Event = "person.ticket_issued"
	HelpApproved      Event = "help.approved" // a person's request
	HelpRefused       Event = "help.refused"
	HelpFailed        Event = "help.failed" // what an administrator meant to do was not done, or not wholly
	BackupMade        Event = "accounts.backup_made"
	AccountsRestored  Event = "accounts.restored"
)

// Record is one entry of the trail.
type Record struct {
	At        time.Time
	Event     Event
	Site      string
	Subject   identity.Subject // zero when nobody was named
	Reasons   []policy.Reason
	Reference string // what a person quotes to the administrator
	Address   string // the client's, as Caddy determined it
	Browser   string // User-Agent, cut to 200 bytes
}

// Trail takes records. An error means that the record is not stored, and the
// caller must refuse what it was about to let through.
type Trail interface {
	Append(ctx context.Context, r Record) error
}

// Reader lists the trail, newest first.
type Reader interface {
	// Find returns the newest records, at most limit, of a subject or a
	// reference; empty values match everything.
	Find(ctx context.Context, s identity.Subject, reference string, limit int) ([]Record, error)
}

// alphabet leaves out letters and digits that are misread or misheard
// (0 O 1 I L U, as Crockford's base 32 does).
const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewReference makes a reference like "7K3F-9QXM": short enough to be read
// out on the telephone, and no secret.
func NewReference() string {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	out := make([]byte, 0, 9)
	for i, b := range raw {
		if i == 4 {
			out = append(out, '-')
		}
		out = append(out, alphabet[int(b)%len(alphabet)])
	}
	return string(out)
}
