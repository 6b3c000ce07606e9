package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// Protection is how far login protection goes.
type Protection string

// Required asks everybody. It is the only one so far.
const Required Protection = "required"

// Enrolling says how a person who never bound a factor comes to the first one.
type Enrolling string

// The ways to a first factor, the easiest first. Any other word is as strict
// as the last.
const (
	EnrollAtLogin Enrolling = "at_login" // at once
	EnrollContact Enrolling = "contact"  // after a code to a contact that is on file
	EnrollTicket  Enrolling = "ticket"   // with an administrator's ticket
)

// Rules is what the operator decided, for one subject at one site. The zero
// value lets nobody in.
type Rules struct {
	LoginProtection Protection
	// Factors that exist for the person, the preferred first. All of them
	// count but recovery, which only says that its codes are taken.
	Factors      []identity.Factor
	Enroll       Enrolling
	TrustBrowser time.Duration // how long a browser can be trusted; 0: not at all
	Manage       bool          // people may change their factors themselves
	// TouchSuffices says that a passkey proves presence alone. Otherwise the
	// authenticator has to know the person, by PIN or biometry.
	TouchSuffices bool
}

// Counts tells whether a person may be known by the factor alone. Recovery
// codes stand in for another one, and never count by themselves.
func (r Rules) Counts(f identity.Factor) bool {
	return f != identity.Recovery && slices.Contains(r.Factors, f)
}

// Countable are the factors that count, which are also those to bind.
func (r Rules) Countable() []identity.Factor {
	return slices.DeleteFunc(slices.Clone(r.Factors), func(f identity.Factor) bool { return !r.Counts(f) })
}

// Usable are the factors by which a person who holds some may pass, the
// preferred first and recovery codes last: none, unless one of them counts.
func (r Rules) Usable(held []identity.Factor) []identity.Factor {
	usable := slices.DeleteFunc(r.Countable(), func(f identity.Factor) bool { return !slices.Contains(held, f) })
	if len(usable) > 0 && slices.Contains(held, identity.Recovery) && slices.Contains(r.Factors, identity.Recovery) {
		usable = append(usable, identity.Recovery)
	}
	return usable
}

// Vouching are the factors by which a person may bind another one: those that
// count, or any if none that they have does. Who has one that counts but cannot
// be used here is not let around it by a weaker one. Recovery codes alone vouch
// for nothing.
func (r Rules) Vouching(held, has []identity.Factor) []identity.Factor {
	usable := r.Usable(held)
	alone := !slices.ContainsFunc(held, func(f identity.Factor) bool { return f != identity.Recovery })
	switch {
	case len(usable) > 0, slices.ContainsFunc(has, r.Counts):
		return usable
	case alone:
		return nil
	default:
		return held
	}
}

// GroupRules hold for a group's people in place of the site's.
type GroupRules struct {
	Group string
	Rules Rules
}

// Groups are the groups that have rules of their own.
type Groups []GroupRules

// For is what holds for a person in these groups: the strictest of what is
// said of them, and the site's rules where nothing is.
func (r Rules) For(groups []string, by Groups) Rules {
	var found bool
	for _, g := range by {
		switch {
		case !slices.Contains(groups, g.Group):
		case found:
			r = r.Stricter(g.Rules)
		default:
			r, found = g.Rules, true
		}
	}
	return r
}

// Stricter is what is in both: neither weakens the other.
func (r Rules) Stricter(other Rules) Rules {
	protection := r.LoginProtection
	if other.LoginProtection != protection {
		protection = "" // of one mode there is no other; unknown ones deny
	}
	return Rules{
		LoginProtection: protection,
		Factors:         fewer(r, other),
		Enroll:          harder(r.Enroll, other.Enroll),
		TrustBrowser:    min(r.TrustBrowser, other.TrustBrowser),
		Manage:          r.Manage && other.Manage,
		TouchSuffices:   r.TouchSuffices && other.TouchSuffices,
	}
}

// fewer are the factors that exist under both rules. Where none counts under
// both, those of the rules whose weakest factor is the stronger: else nobody
// could ever pass.
func fewer(a, b Rules) []identity.Factor {
	both := slices.DeleteFunc(slices.Clone(a.Factors), func(f identity.Factor) bool { return !slices.Contains(b.Factors, f) })
	switch {
	case len(Rules{Factors: both}.Countable()) > 0:
		return both
	case b.Least() > a.Least():
		return b.Factors
	default:
		return a.Factors
	}
}

// Least is the weakest by which a person may be known. Nothing is the hardest
// of all to have.
func (r Rules) Least() identity.Strength {
	counted := r.Countable()
	if len(counted) == 0 {
		return identity.Key + 1
	}
	return slices.MinFunc(counted, func(a, b identity.Factor) int { return cmp.Compare(a.Strength(), b.Strength()) }).Strength()
}

func harder(a, b Enrolling) Enrolling {
	if a.rank() >= b.rank() {
		return a
	}
	return b
}

func (e Enrolling) rank() int {
	if i := slices.Index([]Enrolling{EnrollAtLogin, EnrollContact}, e); i >= 0 {
		return i
	}
	return 2
}
