package templates

import (
	"html/template"
	"net/url"
	"strings"
	"time"
)

// Security is the person's own page.
type Security struct {
	Token string   // of the forms
	Done  DoneKind // what was done a moment ago
	// Bound: something of ours is bound; Manage: and the person may change it.
	Bound, Manage bool
	// Advice: somebody else may have bound something.
	Advice bool

	Factors    []OwnFactor
	Add        []string // factors that can be added
	Preferred  string
	Preferable []string // factors to choose from
	Contacts   []OwnContact
	Codes      OwnCodes
	Password   bool // Stepgate's own
	Browsers   []OwnBrowser
	Sessions   []OwnSession
	Activity   []Activity
	// More says of which lists there is more on a page of its own.
	More struct{ Browsers, Sessions, Activity bool }
}

func (Security) page() string { return "security" }

// Place is where and when something was done.
type Place struct {
	At      time.Time
	Network string // "" where nobody's browser did it
	Browser string // User-Agent
	Site    string
}

// OwnFactor is a credential and what can be done with it.
type OwnFactor struct {
	ID, Kind, Name string
	Bound          Place
	UsedAt         time.Time // zero: never
	RemoveAt       time.Time // zero: it stays
	Counts         bool      // at this site
	Rename         bool
	Replace        bool
	Remove         bool
}

// OwnContact is a contact, or the offer to bind one where Masked is empty.
type OwnContact struct {
	Kind, Masked string
	BoundAt      time.Time
	Factor       bool // codes are taken as a second factor
	Enable       bool // they could be
	Change       bool
}

// OwnCodes are the recovery codes.
type OwnCodes struct {
	Offered, Made bool
	Left          int
	MadeAt        time.Time
}

// OwnBrowser is a known browser.
type OwnBrowser struct {
	ID           string
	Last         Place
	FirstAt      time.Time
	TrustedUntil time.Time // zero: not trusted
	This         bool
}

// OwnSession is a session at any site of the realm.
type OwnSession struct {
	ID     string
	Began  Place
	SeenAt time.Time
	This   bool
}

// Activity is one entry of the trail.
type Activity struct {
	Place
	Event  string
	Factor string // that it was about, "" none
}

// OwnList is one of the lists of the page, in full.
type OwnList struct {
	Of string // "browsers", "sessions" or "activity"
	Security
}

func (OwnList) page() string { return "ownlist" }

// ChangeKind is what a page asks about before it is done.
type ChangeKind string

// The changes. The words stand in paths and texts.
const (
	ChangeAdd           ChangeKind = "add"
	ChangeRename        ChangeKind = "rename"
	ChangeReplace       ChangeKind = "replace"
	ChangeRemove        ChangeKind = "remove"
	ChangePrefer        ChangeKind = "prefer"
	ChangeContact       ChangeKind = "contact"
	ChangeRemoveContact ChangeKind = "contact/remove"
	ChangeEnable        ChangeKind = "enable"
	ChangeCodes         ChangeKind = "codes"
)

// Change says what one change would do, and has the button that does it.
type Change struct {
	Token string
	Do    ChangeKind
	Field string // which is sent: "id", "kind" or "factor"
	Value string
	Kind  string    // the factor
	Name  string    // the credential's, or the masked contact
	At    time.Time // when a removal takes effect; zero: at once
	Left  int       // recovery codes that become void
	// Error: the name that was typed cannot be shown.
	Error bool
}

func (Change) page() string { return "change" }

// Key is where the texts of the change begin.
func (c Change) Key() string { return "change." + strings.ReplaceAll(string(c.Do), "/", "_") }

// Grave tells whether something is taken away by the answer alone.
func (c Change) Grave() bool { return c.Do == ChangeRemove || c.Do == ChangeRemoveContact }

// DoneKind is what was done.
type DoneKind string

// What can be done. The words stand in addresses and texts.
const (
	NothingDone      DoneKind = ""
	DoneAdded        DoneKind = "added"
	DoneRenamed      DoneKind = "renamed"
	DoneReplaced     DoneKind = "replaced"
	DoneRemoved      DoneKind = "removed"
	DonePlanned      DoneKind = "planned"
	DoneKept         DoneKind = "kept"
	DonePreferred    DoneKind = "preferred"
	DoneContact      DoneKind = "contact"
	DoneContactGone  DoneKind = "contact_removed"
	DoneEnabled      DoneKind = "enabled"
	DoneForgotten    DoneKind = "forgotten"
	DoneSessionEnded DoneKind = "session_ended"
	DoneOthersEnded  DoneKind = "others_ended"
	// What was not done, and why.
	NotDoneWeak  DoneKind = "too_weak"
	NotDoneOften DoneKind = "too_often"
	NotDoneLast  DoneKind = "last"
	NotDoneGone  DoneKind = "gone"
	NotDoneStale DoneKind = "stale"
)

// Failed tells whether it was not done.
func (k DoneKind) Failed() bool {
	return k == NotDoneWeak || k == NotDoneOften || k == NotDoneLast || k == NotDoneGone || k == NotDoneStale
}

// NewCodes shows recovery codes, for the only time.
type NewCodes struct{ Codes []string }

func (NewCodes) page() string { return "newcodes" }

// File is the codes as a text file: an address that holds them itself, so that
// nobody has to send them again.
func (c NewCodes) File() template.URL {
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(strings.Join(c.Codes, "\r\n")+"\r\n"))
}

// Recovered follows a pass with a recovery code.
type Recovered struct {
	Token  string
	Left   int
	Add    []string
	Codes  bool   // more of them can be made
	Return string // where the person wanted to go
}

func (Recovered) page() string { return "recovered" }

// Noticed tells what was bound in another browser.
type Noticed struct {
	Token  string
	Return string
	Seal   string // proves it
	Bound  []OwnFactor
}

func (Noticed) page() string { return "noticed" }

// event is what happened in words; what has none is still shown.
func (l speech) event(name string) string {
	if text, ok := l.texts["event."+name]; ok {
		return text
	}
	return l.texts["event.other"]
}
