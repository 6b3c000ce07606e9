package templates

import (
	"encoding/json"
	"time"
)

// Asking is what every page of a challenge knows. The pages of all factors
// embed it.
type Asking struct {
	ID          string
	Purpose     string // "login", "step_up" or "manage"
	Message     Message
	LockedUntil time.Time // zero: not locked
	// Ways are the other factors that would do, the preferred first.
	Ways []FactorWay
	// Stuck: somebody who can use none of them may file a request.
	Stuck bool
	// Trust is for how long this browser may be trusted; 0: that is not offered.
	Trust time.Duration
	// TrustChosen: the person asked for that with the last attempt.
	TrustChosen bool
}

// FactorWay is one factor among several: "totp", "passkey", "sms", "email" or
// "recovery", and what it is called: a credential's name, a masked contact. Its
// page is the challenge's own, with ?id=ID&factor=FACTOR.
type FactorWay struct {
	Factor string
	Detail string
}

// Locked tells whether nothing is taken at the moment.
func (a Asking) Locked() bool { return !a.LockedUntil.IsZero() }

// Inside tells whether somebody asks who is signed in already: the way back is
// to the security page.
func (a Asking) Inside() bool { return a.Purpose == "step_up" || a.Purpose == "manage" }

func (a Asking) retryAt() time.Time { return a.LockedUntil }

// binding is a page on which something new is bound.
type binding interface{ binds() bool }

// Challenge asks for one code of a bound authenticator.
type Challenge struct {
	Asking
	Credential string // the authenticator's name, "" when it has none
	BoundAt    time.Time
}

func (Challenge) page() string { return "challenge" }

// SentCode sends a code to a contact and asks for it: to pass, to bind the
// contact, or to see who files a request.
type SentCode struct {
	Asking
	Kind   string // "sms" or "email"
	Masked string
	// Why is "pass", "bind" (the contact is new), "gate" (before anything is
	// bound) or "check" (before a request is filed).
	Why string
	// Sent: a code is on its way. Without it, the page asks whether to send one.
	Sent      bool
	ResendAt  time.Time
	ExpiresAt time.Time
}

func (SentCode) page() string { return "sentcode" }

// ResendIn is how many seconds the person has to wait for another code.
func (s SentCode) ResendIn(now time.Time) int {
	return max(0, int(s.ResendAt.Sub(now).Seconds()+0.999))
}

func (s SentCode) binds() bool { return s.Why == "bind" }

// PasskeyCheck asks for a passkey.
type PasskeyCheck struct {
	Asking
	Options json.RawMessage // PublicKeyCredentialRequestOptions as JSON (WebAuthn level 3, section 5.5)
}

func (PasskeyCheck) page() string { return "passkey" }

// RecoveryCheck asks for one of the codes on paper.
type RecoveryCheck struct{ Asking }

func (RecoveryCheck) page() string { return "recovery" }

// Ticket asks for an administrator's ticket before something is bound.
type Ticket struct{ Asking }

func (Ticket) page() string { return "ticket" }

// Stuck files a request for somebody who can use none of the factors.
type Stuck struct {
	Asking
	Checks []FactorWay // contacts on file by which the person can show who files
}

func (Stuck) page() string { return "stuck" }

// RequestFiled tells the reference of a request.
type RequestFiled struct {
	Asking
	Request string // its reference
	Checked bool
}

func (RequestFiled) page() string { return "requestfiled" }

// EnrollPasskey binds a passkey.
type EnrollPasskey struct {
	Asking
	Name    string          // what it is called by default
	Options json.RawMessage // PublicKeyCredentialCreationOptions as JSON (section 5.4)
}

func (EnrollPasskey) page() string { return "enrollpasskey" }

func (EnrollPasskey) binds() bool { return true }

// EnrollContact asks for the number or address to which codes are sent from
// now on.
type EnrollContact struct {
	Asking
	Kind  string // "sms" or "email"
	Typed string
}

func (EnrollContact) page() string { return "enrollcontact" }

func (EnrollContact) binds() bool { return true }

// EnrollSent asks whether a contact, which was just proved, shall be a factor.
type EnrollSent struct {
	Asking
	Kind   string
	Masked string
}

func (EnrollSent) page() string { return "enrollsent" }

func (EnrollSent) binds() bool { return true }
