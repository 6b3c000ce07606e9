package gateway

import (
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/sessions"
)

// Site is one protected console.
type Site struct {
	Name    string
	Realm   string
	Console *firstfactor.Console
	Protect match.Matches // empty: everything
	Public  match.Matches
	Logout  match.Matches
	Refuse  match.Matches // from everybody, verified or not
	Bypass  []Bypass
	Observe time.Time // until then: decide and log, refuse nothing
	Rules   policy.Rules
	Groups  policy.Groups // that have rules of their own: see policy.Rules.For
	Origin  string        // as the operator names it, "" where nobody did
	RPID    string        // the domain of its passkeys; "": its host
	Idle    time.Duration
	Life    time.Duration

	// Asserted prove people by each of their requests; SignIns have pages of
	// their own, in the order of their buttons. Console is the zero one where
	// the console has no login.
	Asserted []firstfactor.Asserter
	SignIns  []SignIn
	// Skips are the sources of single sign-on, and when their people are not
	// asked for a second factor.
	Skips map[string]policy.Skip
	// Links are the addresses of the realm's other sites that vouch for people
	// who passed there, by name.
	Links map[string]string
	// Allow are the groups whose people may come; empty: everybody. Members
	// are the groups of the realm's own people, by name.
	Allow   []string
	Members map[string][]string
}

// Bypass lets requests through as they come, audited under its name.
type Bypass struct {
	Name  string
	Match match.Match
}

// Services are what sites share. They outlive a reload.
type Services struct {
	Sessions *sessions.Sessions
	Accounts accounts.Directory
	Escrow   *escrow.Escrow
	Flow     *challenge.Flow
	Trail    audit.Trail
	Now      func() time.Time
	// Passwords prove people on Stepgate's own sign-in page.
	Passwords *firstfactor.Passwords
	// Security is what people do on their own page.
	Security *selfservice.Service
}

// Meter counts. Its methods are called for every request.
type Meter interface {
	Decided(policy.Outcome)
	LoginJudged(firstfactor.Outcome)
}
