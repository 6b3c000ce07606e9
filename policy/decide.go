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
	if f.Rules.LoginProtection != Required {
		return Decision{}
	}
	required := Reason{Code: ReasonRequired}
	switch f.Enrollment {
	case identity.NeverBound:
		return decide(Enroll, required, Reason{Code: ReasonNeverBound})
	case identity.Reset:
		return decide(Deny, required, Reason{Code: ReasonReset})
	case identity.Bound:
		if f.RecentPass {
			return decide(Pass, Reason{Code: ReasonRecentPass})
		}
		return decide(Challenge, required)
	default:
		return decide(Deny, Reason{Code: ReasonUnknown})
	}
}

func decide(o Outcome, reasons ...Reason) Decision {
	return Decision{Outcome: o, Reasons: reasons}
}
