package policy

import "github.com/stepgate/stepgate/identity"

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

func atLogin(f Facts) Decision {
	switch {
	case f.Rules.LoginProtection != Required || f.Enrollment == identity.Unknown:
		return decide(Deny, Reason{Code: ReasonUnknown})
	case f.Excluded:
		return decide(Deny, Reason{Code: ReasonNotInGroup})
	case f.SingleSignOn:
		return signedOn(f)
	case f.Enrollment == identity.Federated:
		return decide(Deny, Reason{Code: ReasonFederatedOnly})
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
	case !f.fresh():
		return decide(Deny, Reason{Code: ReasonNotFresh})
	default: // the issuer has just vouched for who binds
		return decide(Enroll, evidence)
	}
}

func challenged(f Facts, why Reason) Decision {
	switch {
	case f.Enrollment == identity.NeverBound:
		return decide(Enroll, why, Reason{Code: ReasonNeverBound})
	case f.Enrollment == identity.Reset:
		return decide(Deny, why, Reason{Code: ReasonReset})
	case f.Enrollment == identity.Bound && f.RecentPass:
		return decide(Pass, Reason{Code: ReasonRecentPass})
	case f.Enrollment == identity.Bound:
		return decide(Challenge, why)
	default:
		return decide(Deny, Reason{Code: ReasonUnknown})
	}
}

func decide(o Outcome, reasons ...Reason) Decision {
	return Decision{Outcome: o, Reasons: reasons}
}
