package templates

import "time"

// View is the data of one page. The types of this file are all there are; each
// has its template, pages/NAME.html.
type View interface{ page() string }

// Frame is what every page may say, whatever it is about.
type Frame struct {
	Site      string
	Subject   string // the name alone, "" when nobody is named
	Reference string // what to quote to the administrator, "" when none
	Now       time.Time
}

// MessageKind is what was wrong with what was just sent.
type MessageKind string

// The kinds of message.
const (
	NoMessage      MessageKind = ""
	WrongCode      MessageKind = "wrong_code"
	SpentCode      MessageKind = "code_already_used"
	StaleCode      MessageKind = "code_expired" // right some time ago: a slow clock, or typed too late
	NotConsecutive MessageKind = "not_consecutive"
	NotDigits      MessageKind = "not_digits"

	SentWrong      MessageKind = "sent_wrong" // not the code that was sent, or of an older message
	SentGone       MessageKind = "sent_gone"  // it expired; another one can be sent
	NotSent        MessageKind = "not_sent"   // the provider cannot be reached: another way, or later
	SendLater      MessageKind = "send_later" // too many were sent to this contact; Until says when
	RecoveryWrong  MessageKind = "recovery_wrong"
	RecoverySpent  MessageKind = "recovery_spent"
	NotACode       MessageKind = "not_a_code"   // neither a recovery code nor a ticket looks so
	TicketWrong    MessageKind = "ticket_wrong" // or used, replaced, expired
	PasskeyRefused MessageKind = "passkey_refused"
	PasskeyCopied  MessageKind = "passkey_copied"  // its counter went back
	PasskeyUnknown MessageKind = "passkey_unknown" // not one of this account
	NotANumber     MessageKind = "not_a_number"
	NotMobile      MessageKind = "not_mobile" // nothing that gets messages
	NotAnAddress   MessageKind = "not_an_address"
	SharedContact  MessageKind = "shared_contact" // too many people have it
	FiledOften     MessageKind = "filed_often"    // too many requests in a day
	FiledByCode    MessageKind = "filed_by_code"  // one is open that was filed with a code
)

// Message answers the last attempt.
type Message struct {
	Kind MessageKind
	Ago  time.Duration // how long ago a stale code was right
	Left int           // attempts left in this challenge, 0 to say nothing
	// Until is when it makes sense to try again; zero: not said.
	Until time.Time
}

// Any tells whether there is something to say.
func (m Message) Any() bool { return m.Kind != NoMessage }

// Doubtful tells whether the account, the clock or a used code may be why.
func (m Message) Doubtful() bool {
	switch m.Kind {
	case WrongCode, SpentCode, StaleCode, NotConsecutive:
		return true
	}
	return false
}

// Elsewhere tells whether another factor is what helps.
func (m Message) Elsewhere() bool {
	switch m.Kind {
	case NotSent, SendLater, PasskeyRefused, PasskeyCopied, PasskeyUnknown:
		return true
	}
	return false
}

// Enroll binds an authenticator: it shows a new key and asks for two codes in
// a row.
type Enroll struct {
	Asking
	Key       string // base32, ungrouped
	URL       string // otpauth://
	Issuer    string
	Account   string
	ExpiresAt time.Time
	Expired   bool // the key is void; only a fresh one helps
}

func (Enroll) page() string { return "enroll" }

func (Enroll) binds() bool { return true }

// KeyGroups is the key in groups of four, for eyes and fingers.
func (e Enroll) KeyGroups() []string {
	var groups []string
	for key := e.Key; key != ""; {
		n := min(4, len(key))
		groups, key = append(groups, key[:n]), key[n:]
	}
	return groups
}

// SignIn lets a person choose how to sign in.
type SignIn struct{ Ways []Way }

// Way is one way of signing in: what its button says, and where it leads.
type Way struct{ Label, URL string }

func (SignIn) page() string { return "signin" }

// SignOut asks whether the person named on the page wants to sign out.
type SignOut struct{}

func (SignOut) page() string { return "signout" }

// NoticeKind names a page that only tells something.
type NoticeKind string

// The notices. Each has its texts under notice.KIND in the catalogues.
const (
	NoticeSignInNeeded     NoticeKind = "sign_in_needed"
	NoticeCanceled         NoticeKind = "canceled"
	NoticeChallengeGone    NoticeKind = "challenge_gone"    // expired, or used elsewhere
	NoticeTooManyAttempts  NoticeKind = "too_many_attempts" // this challenge is used up
	NoticeLoginUnclear     NoticeKind = "login_unclear"     // the console's answer was not understood, and withheld
	NoticeMalformedRequest NoticeKind = "malformed_request"
	NoticeAmbiguousSession NoticeKind = "ambiguous_session" // two cookies of our name
	NoticeUnavailable      NoticeKind = "unavailable"       // the store cannot answer
	NoticePlainHTTP        NoticeKind = "plain_http"
	NoticeNotAllowed       NoticeKind = "not_allowed" // not without a session
	NoticeNotFound         NoticeKind = "not_found"
	NoticeCrossSite        NoticeKind = "cross_site" // the form came from another site
	NoticeContinue         NoticeKind = "continue"   // passed; the console goes on at another host
	NoticeSignedIn         NoticeKind = "signed_in"

	NoticeAssertionInvalid  NoticeKind = "assertion_invalid"    // what names the person does not hold
	NoticeNotAsserted       NoticeKind = "not_asserted"         // nothing names the person, who signs in elsewhere
	NoticeNotInGroup        NoticeKind = "not_in_group"         // not one of the groups that the site allows
	NoticeSignOnNeeded      NoticeKind = "sign_on_needed"       // a password may not bind what single sign-on used so far
	NoticeFreshSignOnNeeded NoticeKind = "fresh_sign_on_needed" // the single sign-on is too old to bind by

	NoticeLockedOut     NoticeKind = "locked_out"      // by an administrator
	NoticeNothingBound  NoticeKind = "nothing_bound"   // no factor to confirm with: single sign-on did so far
	NoticeNothingToBind NoticeKind = "nothing_to_bind" // no factor that counts can be bound now
	NoticeSharedContact NoticeKind = "shared_contact"  // too many people have this number or address
	NoticeNotManageable NoticeKind = "not_manageable"  // an administrator manages the person's factors

	NoticeBusy            NoticeKind = "busy"      // too many passwords at once
	NoticeLinkGone        NoticeKind = "link_gone" // a one-time link that is used, replaced or expired
	NoticePasswordChanged NoticeKind = "password_changed"
)

// The notices of signing in at an issuer, and of signing out.
const (
	NoticeIssuerUnavailable NoticeKind = "issuer_unavailable" // it cannot be asked now
	NoticeSignInGone        NoticeKind = "sign_in_gone"       // too late, used before, or begun in another browser
	NoticeSignInDenied      NoticeKind = "sign_in_denied"     // by the issuer, or by the person there
	NoticeSignInIncomplete  NoticeKind = "sign_in_incomplete" // the issuer wanted something that did not happen
	NoticeSignInFailed      NoticeKind = "sign_in_failed"     // what the issuer said does not hold
	NoticeSignedOut         NoticeKind = "signed_out"
	NoticeSigningOut        NoticeKind = "signing_out" // here; the issuer comes next
)

// Notice tells one thing and offers at most one way on.
type Notice struct {
	Kind    NoticeKind
	Detail  string    // a technical particular, "" none
	Next    string    // where the one link leads, "" none
	RetryAt time.Time // when trying again makes sense, zero: not said
}

func (Notice) page() string { return "notice" }

// Tone is how the page presents itself: "good", "info" or "stop".
func (n Notice) Tone() string {
	switch n.Kind {
	case NoticeContinue, NoticeSignedIn, NoticeSignedOut, NoticeSigningOut, NoticePasswordChanged:
		return "good"
	case NoticeSignInNeeded, NoticeCanceled, NoticeChallengeGone, NoticeNotFound, NoticeNotAsserted, NoticeFreshSignOnNeeded, NoticeSignInGone, NoticeSignInIncomplete, NoticeLinkGone:
		return "info"
	default:
		return "stop"
	}
}

func (n Notice) retryAt() time.Time { return n.RetryAt }
