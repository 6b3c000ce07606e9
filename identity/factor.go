package identity

// Factor is a kind of second factor.
type Factor string

// The factors Stepgate knows.
const (
	TOTP     Factor = "totp"
	Passkey  Factor = "passkey"
	SMS      Factor = "sms"
	Email    Factor = "email"
	Recovery Factor = "recovery"
)

// Factors are all of them, the strongest first: the order in which they are
// offered to somebody who prefers none.
func Factors() []Factor { return []Factor{Passkey, TOTP, SMS, Email, Recovery} }

// AMR is the factor's value in "amr" (RFC 8176, section 2). What the registry
// has no word for keeps its own.
func (f Factor) AMR() string {
	switch f {
	case TOTP:
		return "otp"
	case Passkey:
		return "pop" // a key whose possession was proved
	default:
		return string(f)
	}
}

// Sent tells whether the factor is a code that is sent to a contact.
func (f Factor) Sent() bool { return f == SMS || f == Email }

// Strength orders factors by what it takes to get past them. The order is
// meaningful: a factor is removed or replaced by one at least as strong.
type Strength uint8

// The strengths, weakest first.
const (
	Unproved  Strength = iota // nothing of ours was proved
	Mailbox                   // who reads the mail
	Telephone                 // who gets the messages of a number
	Device                    // a key that was copied once by eye, or codes on paper
	Key                       // a key that never leaves its place, bound to the origin
)

// Strength is what a factor is worth at most. A credential is worth no more
// than what it was added by.
func (f Factor) Strength() Strength {
	switch f {
	case Passkey:
		return Key
	case TOTP, Recovery:
		return Device
	case SMS:
		return Telephone
	case Email:
		return Mailbox
	default:
		return Unproved
	}
}
