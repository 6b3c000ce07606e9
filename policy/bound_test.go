package policy

import (
	"slices"
	"testing"

	"github.com/stepgate/stepgate/identity"
)

// TestDecideGates: what is due of each kind of person, and what they have to
// prove before they bind.
func TestDecideGates(t *testing.T) {
	totp, sms, codes := []identity.Factor{identity.TOTP}, []identity.Factor{identity.SMS}, []identity.Factor{identity.Recovery}
	weak := []identity.Factor{identity.SMS, identity.Recovery}
	for name, c := range map[string]struct {
		enroll  Enrolling
		facts   Facts
		outcome Outcome
		gate    Gate
		why     Code // the last of the reasons
	}{
		"at login":                 {EnrollAtLogin, Facts{Enrollment: identity.NeverBound}, Enroll, NoGate, ReasonNeverBound},
		"contact":                  {EnrollContact, Facts{Enrollment: identity.NeverBound, OnFile: true}, Enroll, ByContact, ReasonNeverBound},
		"contact, none":            {EnrollContact, Facts{Enrollment: identity.NeverBound}, Enroll, ByTicket, ReasonNoContact},
		"ticket":                   {EnrollTicket, Facts{Enrollment: identity.NeverBound, OnFile: true}, Enroll, ByTicket, ReasonNeverBound},
		"a word of none":           {"", Facts{Enrollment: identity.NeverBound, OnFile: true}, Enroll, ByTicket, ReasonNeverBound},
		"reset":                    {EnrollAtLogin, Facts{Enrollment: identity.Reset, OnFile: true}, Enroll, ByTicket, ReasonReset},
		"reset, trusted":           {EnrollAtLogin, Facts{Enrollment: identity.Reset, Held: totp, Trusted: true, RecentPass: true}, Enroll, ByTicket, ReasonReset},
		"reset, fresh":             {EnrollTicket, Facts{Enrollment: identity.Reset, SingleSignOn: true}, Enroll, NoGate, ReasonNoEvidence},
		"reset, never fresh":       {EnrollAtLogin, Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true}, Enroll, ByTicket, ReasonNotFresh},
		"federated":                {EnrollAtLogin, Facts{Enrollment: identity.Federated}, Enroll, ByTicket, ReasonFederatedOnly},
		"bound":                    {EnrollTicket, Facts{Enrollment: identity.Bound, Held: totp}, Challenge, NoGate, ReasonRequired},
		"bound, two kinds":         {EnrollTicket, Facts{Enrollment: identity.Bound, Held: slices.Concat(weak, totp)}, Challenge, NoGate, ReasonRequired},
		"just passed":              {EnrollTicket, Facts{Enrollment: identity.Bound, Held: totp, RecentPass: true}, Pass, NoGate, ReasonRecentPass},
		"trusted":                  {EnrollTicket, Facts{Enrollment: identity.Bound, Held: totp, Trusted: true}, Pass, NoGate, ReasonTrustedBrowser},
		"too weak":                 {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: sms}, Enroll, ByOldFactor, ReasonTooWeak},
		"too weak, trusted":        {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: sms, Trusted: true, RecentPass: true}, Enroll, ByOldFactor, ReasonTooWeak},
		"too weak, with codes":     {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: weak}, Enroll, ByOldFactor, ReasonTooWeak},
		"too weak here":            {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: weak, Has: slices.Concat(weak, totp)}, Enroll, ByTicket, ReasonTooWeak},
		"too weak everywhere":      {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: weak, Has: weak}, Enroll, ByOldFactor, ReasonTooWeak},
		"rebind, too weak here":    {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: sms, Has: slices.Concat(sms, totp), Rebind: true}, Enroll, ByTicket, ReasonRebind},
		"recovery alone":           {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: codes}, Enroll, ByTicket, ReasonTooWeak},
		"nothing held":             {EnrollAtLogin, Facts{Enrollment: identity.Bound, RecentPass: true}, Enroll, ByTicket, ReasonTooWeak},
		"rebind":                   {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: totp, Rebind: true, Trusted: true, RecentPass: true}, Enroll, ByOldFactor, ReasonRebind},
		"rebind, recovery":         {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: codes, Rebind: true}, Enroll, ByTicket, ReasonRebind},
		"locked":                   {EnrollAtLogin, Facts{Enrollment: identity.Bound, Held: totp, Locked: true, RecentPass: true}, Deny, NoGate, ReasonLocked},
		"locked, signed on":        {EnrollAtLogin, Facts{Enrollment: identity.Bound, Locked: true, SingleSignOn: true, Skip: Skip{Mode: SkipAlways}}, Deny, NoGate, ReasonLocked},
		"locked, unknown":          {EnrollAtLogin, Facts{Locked: true}, Deny, NoGate, ReasonLocked},
		"rebind, signed on":        {EnrollAtLogin, Facts{Enrollment: identity.Bound, Rebind: true, SingleSignOn: true, Skip: Skip{Mode: SkipAlways}}, Pass, NoGate, ReasonSingleSignOn},
		"unknown, though it holds": {EnrollAtLogin, Facts{Held: totp, Trusted: true}, Deny, NoGate, ReasonUnknown},
	} {
		c.facts.Stage, c.facts.Now = AtLogin, now
		c.facts.Rules = Rules{LoginProtection: Required, Enroll: c.enroll, TrustBrowser: 1,
			Factors: []identity.Factor{identity.Passkey, identity.TOTP, identity.Recovery}}
		got := Decide(c.facts)
		if got.Outcome != c.outcome || got.Gate != c.gate || got.Reasons[len(got.Reasons)-1].Code != c.why {
			t.Errorf("%s: %+v, want %v by %q for %s", name, got, c.outcome, c.gate, c.why)
		}
	}
}

// TestDecideTrustsNoBrowserWhereRulesDoNot: the mark of a browser outlives the
// rule by which it was given.
func TestDecideTrustsNoBrowserWhereRulesDoNot(t *testing.T) {
	f := Facts{Stage: AtLogin, Enrollment: identity.Bound, Held: []identity.Factor{identity.TOTP}, Trusted: true,
		Rules: Rules{LoginProtection: Required, Factors: []identity.Factor{identity.TOTP}}}
	if d := Decide(f); d.Outcome != Challenge {
		t.Errorf("%+v", d)
	}
}
