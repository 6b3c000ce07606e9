package policy

import (
	"github.com/stepgate/stepgate/identity"
)

// Decide is the one decision function. What it does not know it denies.
func Decide(f Facts) Decision {
	switch f.Stage {
	case AtRequest:
		return atRequest(f)
	case AtLogin:
		return atLogin(f)
	default:
		return Decision{}
	}
}

// verified is what most requests come to.
var verified = decide(Pass, Reason{Code: ReasonVerified})

// atRequest asks in an order that matters: a login is watched whoever sends
// it, a pending challenge is met on any page load, and only then do public
// and protected differ.
func atRequest(f Facts) Decision {
	switch {
	case f.Bypass != "":
		return decide(Bypass, Reason{ReasonBypass, f.Bypass})
	case f.Refused:
		return decide(Deny, Reason{Code: ReasonRefused})
	case f.Forged:
		return decide(Deny, Reason{Code: ReasonAssertion})
	case f.Ambiguous:
		return decide(Deny, Reason{Code: ReasonAmbiguous})
	case f.Login:
		return decide(Watch, Reason{Code: ReasonLogin})
	case f.Level == identity.Verified:
		return verified
	case f.Level == identity.FirstFactor && f.Navigation:
		return decide(Challenge, Reason{Code: ReasonChallengeDue})
	case f.Public:
		return decide(Anonymous, Reason{Code: ReasonPublic})
	case f.Level == identity.FirstFactor:
		return decide(Challenge, Reason{Code: ReasonChallengeDue})
	default:
		return decide(SignIn, Reason{Code: ReasonNoSession})
	}
}

// atLogin asks whom nothing can help first: who is locked stays out, whoever
// vouches for them.
func atLogin(f Facts) Decision {
	switch {
	case f.Locked:
		return decide(Deny, Reason{Code: ReasonLocked})
	case f.Rules.LoginProtection != Required || f.Enrollment == identity.Unknown:
		return decide(Deny, Reason{Code: ReasonUnknown})
	case f.Excluded:
		return decide(Deny, Reason{Code: ReasonNotInGroup})
	case f.SingleSignOn:
		return signedOn(f)
	default:
		return challenged(f, Reason{Code: ReasonRequired})
	}
}

// signedOn asks nobody for a second factor who came with the evidence that the
// operator wants, and everybody else as after a password.
func signedOn(f Facts) Decision {
	skipped, evidence := f.Skip.holds(f.Evidence, f.Now)
	if evidence.Detail == "" { // somebody's word is all there is
		evidence.Detail = "source=" + f.Source
	}
	switch {
	case skipped:
		return decide(Pass, evidence)
	case f.Enrollment != identity.Federated && f.Enrollment != identity.Reset:
		return challenged(f, evidence)
	case f.fresh(): // the issuer has just vouched for who binds
		return decide(Enroll, evidence)
	case f.Carried && f.Evidence.AuthTime.IsZero(): // it never will
		return enroll(ByTicket, evidence, Reason{Code: ReasonNotFresh})
	default:
		return decide(Deny, Reason{Code: ReasonNotFresh})
	}
}

// challenged is for everybody who needs a second factor. Who had one, or came
// by other means so far, binds none by a password alone.
func challenged(f Facts, why Reason) Decision {
	switch f.Enrollment {
	case identity.NeverBound:
		return first(f, why)
	case identity.Bound:
		return bound(f, why)
	case identity.Reset:
		return enroll(ByTicket, why, Reason{Code: ReasonReset})
	case identity.Federated:
		return enroll(ByTicket, why, Reason{Code: ReasonFederatedOnly})
	default:
		return decide(Deny, Reason{Code: ReasonUnknown})
	}
}

// first is the way to a first factor that the operator chose, and a ticket
// where it is not open.
func first(f Facts, why Reason) Decision {
	never := Reason{Code: ReasonNeverBound}
	switch {
	case f.Rules.Enroll == EnrollAtLogin:
		return enroll(NoGate, why, never)
	case f.Rules.Enroll == EnrollContact && f.OnFile:
		return enroll(ByContact, why, never)
	case f.Rules.Enroll == EnrollContact:
		return enroll(ByTicket, why, never, Reason{Code: ReasonNoContact})
	default:
		return enroll(ByTicket, why, never)
	}
}

// bound asks for a factor, unless this browser has just passed or is trusted.
// What must be bound anew comes before both.
func bound(f Facts, why Reason) Decision {
	switch {
	case f.Rebind:
		return again(f, why, Reason{Code: ReasonRebind})
	case len(f.Rules.Usable(f.Held)) == 0:
		return again(f, why, Reason{Code: ReasonTooWeak})
	case f.RecentPass:
		return decide(Pass, Reason{Code: ReasonRecentPass})
	case f.Trusted && f.Rules.TrustBrowser > 0:
		return decide(Pass, Reason{Code: ReasonTrustedBrowser})
	default:
		return decide(Challenge, why)
	}
}

// again lets a factor be bound after another one was proved.
func again(f Facts, reasons ...Reason) Decision {
	if len(f.Rules.Vouching(f.Held, f.Has)) > 0 {
		return enroll(ByOldFactor, reasons...)
	}
	return enroll(ByTicket, reasons...)
}

func enroll(g Gate, reasons ...Reason) Decision {
	return Decision{Outcome: Enroll, Gate: g, Reasons: reasons}
}

func decide(o Outcome, reasons ...Reason) Decision {
	return Decision{Outcome: o, Reasons: reasons}
}
