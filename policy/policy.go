// Package policy decides. It is pure: facts in, a decision and its reasons
// out; it knows no request, no store and no clock.
package policy

import (
	"time"

	"github.com/stepgate/stepgate/identity"
)

// Reason says why, as data: Code is stable and documented, Detail names what
// it was about (a rule's name, a cookie's name), never a secret.
type Reason struct {
	Code   Code   `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// Code is a reason's stable name.
type Code string

// The reasons.
const (
	ReasonPublic         Code = "public"
	ReasonBypass         Code = "bypass"
	ReasonLogin          Code = "login"
	ReasonRefused        Code = "refused_by_rule"
	ReasonElsewhere      Code = "credentials_outside_login"
	ReasonNoSession      Code = "no_session"
	ReasonAmbiguous      Code = "ambiguous_session"
	ReasonChallengeDue   Code = "challenge_pending"
	ReasonVerified       Code = "verified"
	ReasonRequired       Code = "login_protection_required"
	ReasonNeverBound     Code = "never_bound"
	ReasonReset          Code = "reset"
	ReasonUnknown        Code = "enrollment_unknown"
	ReasonRecentPass     Code = "recent_pass"
	ReasonPersonChanged  Code = "person_changed"
	ReasonUnclear        Code = "login_unclear"
	ReasonWrongCode      Code = "wrong_code"
	ReasonSpentCode      Code = "code_already_used"
	ReasonStaleCode      Code = "code_expired"
	ReasonBudget         Code = "attempts_exhausted"
	ReasonConsoleLogout  Code = "console_logout"
	ReasonPersonCanceled Code = "canceled"
	ReasonNewLogin       Code = "new_login"
	ReasonMalformed      Code = "malformed_request"
	ReasonCookieDeleted  Code = "console_cookie_deleted"
	ReasonFactorBound    Code = "factor_bound"
	ReasonFactorPassed   Code = "factor_passed"
	ReasonStoreFault     Code = "store_unavailable"
	ReasonCrossSite      Code = "cross_site"
	ReasonPlainHTTP      Code = "plain_http"
	ReasonSingleSignOn   Code = "single_sign_on"
	ReasonNoEvidence     Code = "single_sign_on_without_evidence"
	ReasonFederatedOnly  Code = "only_ever_federated"
	ReasonNotFresh       Code = "single_sign_on_not_fresh"
	ReasonNotInGroup     Code = "not_in_an_allowed_group"
	ReasonLinked         Code = "passed_at_linked_site"
	ReasonAssertion      Code = "assertion_invalid"
	ReasonIssuer         Code = "issuer_unavailable"
	ReasonSignInGone     Code = "sign_in_gone"
	ReasonSignInDenied   Code = "sign_in_denied"
	ReasonSignedOut      Code = "signed_out"
	ReasonIssuerLogout   Code = "issuer_logout"
	ReasonWrongPassword  Code = "wrong_password"
	ReasonUnknownName    Code = "unknown_name"
	ReasonNoLink         Code = "no_such_link"
	ReasonBusy           Code = "too_many_passwords"
	ReasonAdministrator  Code = "administrator"
	ReasonWhyGiven       Code = "why_given"
	ReasonNotDone        Code = "not_done"

	ReasonLocked         Code = "locked_by_administrator"
	ReasonNoContact      Code = "no_contact_on_file"
	ReasonRebind         Code = "rebinding_required"
	ReasonTooWeak        Code = "factor_too_weak"
	ReasonTrustedBrowser Code = "trusted_browser"
	ReasonStepUp         Code = "step_up_due"
	ReasonNotManageable  Code = "factors_managed_by_administrator"
	ReasonWrongRecovery  Code = "wrong_recovery_code"
	ReasonWrongTicket    Code = "wrong_ticket"
	ReasonPasskey        Code = "passkey_refused" // the detail is the kind of its error
	ReasonFactor         Code = "factor"          // the detail names it
	ReasonShared         Code = "shared_contact"  // by as many people as may
	ReasonRequest        Code = "request"         // the detail is its reference
	ReasonPasskeyCounter Code = "passkey_counter"
)

// Outcome is what to do.
type Outcome uint8

// The outcomes. The zero value denies.
const (
	Deny      Outcome = iota
	SignIn            // nobody is signed in: lead to the sign-in
	Challenge         // ask for a bound factor
	Enroll            // let a factor be bound, which is also the pass
	Watch             // forward as a login, without credentials, and judge the answer
	Anonymous         // forward without credentials
	Pass              // forward with the console's session
	Bypass            // forward as it came: the operator's exception
)

// String is the word in logs, metrics and the audit trail.
func (o Outcome) String() string {
	return [...]string{"deny", "sign_in", "challenge", "enroll", "watch", "anonymous", "pass", "bypass"}[o]
}

// Stage says which question is asked.
type Stage uint8

// The stages of a decision.
const (
	AtRequest Stage = iota // may this request pass?
	AtLogin                // the first factor was just proved: what is due?
)

// Facts is all a decision rests on.
type Facts struct {
	Stage Stage
	Rules Rules

	// Of the request, already true under the reading that is the strictest.
	Public     bool   // and of a kind that public allows: GET or HEAD unless declared
	Bypass     string // the name of the bypass that matches, if any
	Login      bool
	Forged     bool // it carries an assertion that does not hold
	Refused    bool // by a rule, whoever sends it
	Navigation bool // a page load of a person, not a fetch

	// Of the session.
	Ambiguous bool // two cookies of our name
	Level     identity.Level

	// Of the person, at AtLogin.
	Enrollment identity.Enrollment
	Held       []identity.Factor // the kinds of the credentials that they can use here
	Has        []identity.Factor // and of all that they have
	Locked     bool              // by an administrator
	Rebind     bool              // an administrator wants their factors bound anew
	OnFile     bool              // a contact that was not theirs to choose can reach them
	RecentPass bool              // the same subject passed in this browser minutes ago
	Trusted    bool              // the subject's trust in this browser holds
	Excluded   bool              // the site allows groups, and the person is in none of them

	// Of single sign-on, at AtLogin.
	SingleSignOn bool // somebody else's assertion proved the person
	Source       string
	Skip         Skip
	Evidence     identity.Evidence
	Carried      bool // the assertion comes with each request, and is as old as it may be
	Now          time.Time
}

// Decision is what to do and why.
type Decision struct {
	Outcome Outcome
	Gate    Gate // of Enroll: what is proved before
	Reasons []Reason
}
