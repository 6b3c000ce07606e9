package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// SkipMode is what single sign-on must show for its people not to be asked.
type SkipMode string

// The modes. Anything else asks everybody.
const (
	SkipNever  SkipMode = "never"
	SkipAlways SkipMode = "always"
	SkipAMR    SkipMode = "amr" // one of the methods (RFC 8176)
	SkipACR    SkipMode = "acr" // one of the classes, in the issuer's own words
)

// Skip says when single sign-on needs no second factor of ours. The zero value
// never does.
type Skip struct {
	Mode   SkipMode
	Values []string
	// MaxAge is how long ago the person may have proved it to the issuer; 0
	// is any time. With it, an issuer that does not say when has said nothing.
	MaxAge time.Duration
}

// skew is how far an issuer's clock may be ahead of ours.
const skew = time.Minute

// holds tells whether the evidence suffices, and says what it was.
func (s Skip) holds(e identity.Evidence, now time.Time) (bool, Reason) {
	ok := s.recent(e.AuthTime, now)
	switch s.Mode {
	case SkipAlways:
	case SkipAMR:
		ok = ok && slices.ContainsFunc(e.AMR, s.named)
	case SkipACR:
		ok = ok && s.named(e.ACR)
	default:
		ok = false
	}
	if !ok {
		return false, Reason{ReasonNoEvidence, described(e)}
	}
	return true, Reason{ReasonSingleSignOn, described(e)}
}

func (s Skip) named(value string) bool { return value != "" && slices.Contains(s.Values, value) }

func (s Skip) recent(at, now time.Time) bool {
	if s.MaxAge == 0 {
		return true
	}
	return !at.IsZero() && !at.After(now.Add(skew)) && now.Sub(at) <= s.MaxAge
}

// freshFor is how old a sign-in may be by which somebody binds a factor
// although others were bound before, or none was needed so far.
const freshFor = 10 * time.Minute

// fresh takes an issuer that was asked just now, and does not say when, at its
// word that it is now. What a request carries may have been stolen long ago: it
// has to say.
func (f Facts) fresh() bool {
	at := f.Evidence.AuthTime
	return at.IsZero() && !f.Carried || Skip{MaxAge: freshFor}.recent(at, f.Now)
}

// described is the evidence as the audit trail keeps it.
func described(e identity.Evidence) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	add("issuer", e.Issuer)
	add("amr", strings.Join(e.AMR, ","))
	add("acr", e.ACR)
	if !e.AuthTime.IsZero() {
		add("auth_time", e.AuthTime.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}
