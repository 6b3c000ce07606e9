package templates

import "time"

// CodeMessage is a message with a code. It holds nothing that a person chose: it
// may go to somebody who never heard of the site.
type CodeMessage struct {
	SMS     bool // else mail
	Purpose CodePurpose
	Site    string
	Code    string
	Life    time.Duration
	// LastLine binds the code of an SMS to a host, for browsers to fill it in;
	// "" none.
	LastLine string
}

// CodePurpose is what a code that is sent is good for.
type CodePurpose string

// The purposes. The words are stable: they stand in texts and logs.
const (
	CodeSignIn   CodePurpose = "sign_in"
	CodeChange   CodePurpose = "change"   // of the person's own settings
	CodeContact  CodePurpose = "contact"  // the number or address is the person's
	CodeIdentity CodePurpose = "identity" // before an administrator helps
)

// Announcement is a message that something happened to an account.
type Announcement struct {
	SMS     bool // else mail, which says more
	Kind    AnnouncementKind
	Account string
	Site    string    // "" where it concerns none
	At      time.Time // when it happened
	Until   time.Time // when it takes effect, for what is planned; zero otherwise
	Network string    // where from, cut; "" where nobody's browser did it
	Browser string    // User-Agent
	// Detail is the name of a factor or a masked contact; how many recovery
	// codes are left; the reference of a request.
	Detail string
}

// AnnouncementKind is what happened.
type AnnouncementKind string

// The kinds. The words are stable: they stand in texts and logs.
const (
	AnnounceFactorBound           AnnouncementKind = "factor_bound"
	AnnounceFactorRemoved         AnnouncementKind = "factor_removed"
	AnnounceFactorRemovalPlanned  AnnouncementKind = "factor_removal_planned"
	AnnounceFactorRemovalCanceled AnnouncementKind = "factor_removal_canceled"
	AnnounceFactorReplaced        AnnouncementKind = "factor_replaced"
	AnnounceRecoveryUsed          AnnouncementKind = "recovery_used"
	AnnounceRecoveryMade          AnnouncementKind = "recovery_made"
	AnnounceContactBound          AnnouncementKind = "contact_bound"
	AnnounceContactChanged        AnnouncementKind = "contact_changed"
	AnnounceContactRemoved        AnnouncementKind = "contact_removed"
	AnnouncePasswordChanged       AnnouncementKind = "password_changed"
	AnnounceSessionsEnded         AnnouncementKind = "sessions_ended"
	AnnounceFactorsReset          AnnouncementKind = "factors_reset"
	AnnounceRequestFiled          AnnouncementKind = "request_filed"
	AnnounceRequestApproved       AnnouncementKind = "request_approved"
	AnnounceRequestRefused        AnnouncementKind = "request_refused"
	AnnounceTicketIssued          AnnouncementKind = "ticket_issued"
	AnnounceLocked                AnnouncementKind = "locked"
	AnnounceUnlocked              AnnouncementKind = "unlocked"
	AnnounceRebindingRequired     AnnouncementKind = "rebinding_required"
	AnnouncePasskeyCopied         AnnouncementKind = "passkey_copied"
)
