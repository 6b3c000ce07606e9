package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
	"pgregory.net/rapid"
)

func facts(t *rapid.T) Facts {
	return Facts{
		Stage:      Stage(rapid.IntRange(0, 3).Draw(t, "stage")),
		Rules:      rules(t),
		Public:     rapid.Bool().Draw(t, "public"),
		Bypass:     rapid.SampledFrom([]string{"", "ci"}).Draw(t, "bypass"),
		Refused:    rapid.Bool().Draw(t, "refused"),
		Login:      rapid.Bool().Draw(t, "login"),
		Navigation: rapid.Bool().Draw(t, "navigation"),
		Ambiguous:  rapid.Bool().Draw(t, "ambiguous"),
		Level:      identity.Level(rapid.IntRange(0, 2).Draw(t, "level")),
		Enrollment: identity.Enrollment(rapid.IntRange(0, 6).Draw(t, "enrollment")),
		RecentPass: rapid.Bool().Draw(t, "recent"),
		Held:       factors(t, "held"),
		Locked:     rapid.Bool().Draw(t, "locked"),
		Rebind:     rapid.Bool().Draw(t, "rebind"),
		OnFile:     rapid.Bool().Draw(t, "on file"),
		Trusted:    rapid.Bool().Draw(t, "trusted"),
		Forged:     rapid.Bool().Draw(t, "forged"),
		Excluded:   rapid.Bool().Draw(t, "excluded"),

		SingleSignOn: rapid.Bool().Draw(t, "single sign-on"),
		Skip:         skips(t),
		Evidence:     evidence(t),
		Carried:      rapid.Bool().Draw(t, "carried"),
		Now:          now,
	}
}

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func rules(t *rapid.T) Rules {
	return Rules{
		LoginProtection: rapid.SampledFrom([]Protection{Required, "", "off"}).Draw(t, "protection"),
		Factors:         factors(t, "factors"),
		Enroll:          rapid.SampledFrom([]Enrolling{EnrollAtLogin, EnrollContact, EnrollTicket, "", "freely"}).Draw(t, "enroll"),
		TrustBrowser:    rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "trust"),
		Manage:          rapid.Bool().Draw(t, "manage"),
		TouchSuffices:   rapid.Bool().Draw(t, "touch suffices"),
	}
}

func factors(t *rapid.T, label string) []identity.Factor {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(identity.Factors()), 0, 5, rapid.ID).Draw(t, label)
}

func skips(t *rapid.T) Skip {
	return Skip{
		Mode:   rapid.SampledFrom([]SkipMode{"", "ever", SkipNever, SkipAlways, SkipAMR, SkipACR}).Draw(t, "mode"),
		Values: rapid.SliceOf(rapid.SampledFrom([]string{"", "mfa", "hwk", "gold"})).Draw(t, "values"),
		MaxAge: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "max age"),
	}
}

func evidence(t *rapid.T) identity.Evidence {
	return identity.Evidence{
		AMR: rapid.SliceOf(rapid.SampledFrom([]string{"", "pwd", "mfa"})).Draw(t, "amr"),
		ACR: rapid.SampledFrom([]string{"", "gold", "lead"}).Draw(t, "acr"),
		AuthTime: rapid.SampledFrom([]time.Time{{}, now, now.Add(-time.Hour), now.Add(-time.Hour - time.Second),
			now.Add(time.Minute), now.Add(2 * time.Minute)}).Draw(t, "auth_time"),
	}
}

// held tells whether the person has a factor that the rules take.
func held(f Facts) bool {
	return slices.ContainsFunc(f.Held, func(h identity.Factor) bool { return h != identity.Recovery && slices.Contains(f.Rules.Factors, h) })
}

// mayPass is what a login without a challenge must have.
func mayPass(f Facts) bool {
	if f.Locked || f.Excluded || f.Rules.LoginProtection != Required || f.Enrollment == identity.Unknown {
		return false
	}
	trusted := f.RecentPass || f.Trusted && f.Rules.TrustBrowser > 0
	if f.Enrollment == identity.Bound && trusted && held(f) && !f.Rebind {
		return true
	}
	old := f.Skip.MaxAge > 0 && (f.Evidence.AuthTime.IsZero() || f.Evidence.AuthTime.After(now.Add(time.Minute)) ||
		f.Evidence.AuthTime.Before(now.Add(-f.Skip.MaxAge)))
	said := f.Skip.Mode == SkipAlways ||
		f.Skip.Mode == SkipACR && f.Evidence.ACR != "" && slices.Contains(f.Skip.Values, f.Evidence.ACR) ||
		f.Skip.Mode == SkipAMR && slices.ContainsFunc(f.Evidence.AMR, func(m string) bool { return m != "" && slices.Contains(f.Skip.Values, m) })
	return f.SingleSignOn && said && !old
}

// mayBind tells through which gate, if any, a binding may be opened: rule 9.
func mayBind(f Facts, g Gate) bool {
	age := now.Sub(f.Evidence.AuthTime)
	fresh := f.SingleSignOn && (f.Evidence.AuthTime.IsZero() && !f.Carried || age >= -time.Minute && age <= 10*time.Minute)
	again := f.Enrollment == identity.Federated || f.Enrollment == identity.Reset
	never, bound := f.Enrollment == identity.NeverBound, f.Enrollment == identity.Bound && (f.Rebind || !held(f))
	switch g {
	case NoGate:
		return never && f.Rules.Enroll == EnrollAtLogin || again && fresh
	case ByContact:
		return never && f.Rules.Enroll == EnrollContact && f.OnFile
	case ByOldFactor:
		return bound && slices.ContainsFunc(f.Held, func(h identity.Factor) bool { return h != identity.Recovery })
	case ByTicket:
		return never || again || bound
	}
	return false
}

// Point 5: whatever the facts are, the console's session goes only to a
// verified session, and a login is released only for a person who is known to
// be bound and just passed.
func TestDecideNeverPassesUnproved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts(t)
		d := Decide(f)
		if d.Outcome == Pass && f.Stage == AtRequest && (f.Level != identity.Verified || f.Ambiguous || f.Login || f.Refused || f.Forged) {
			t.Fatalf("request passed: %+v", f)
		}
		if d.Outcome == Pass && f.Stage == AtLogin && !mayPass(f) {
			t.Fatalf("login passed: %+v", f)
		}
		if d.Outcome == Bypass && f.Bypass == "" {
			t.Fatalf("bypassed without a name: %+v", f)
		}
		if d.Outcome == Anonymous && !f.Public {
			t.Fatalf("forwarded what is not public: %+v", f)
		}
		if d.Outcome != Deny && len(d.Reasons) == 0 {
			t.Fatalf("no reason for %v", d.Outcome)
		}
	})
}

// TestDecideBindsThroughTheGate: nobody binds a factor without what the rules
// want of them, and a gate is shut for nobody but those who bind.
func TestDecideBindsThroughTheGate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts(t)
		f.Stage = AtLogin
		d := Decide(f)
		if d.Outcome == Enroll && (!mayBind(f, d.Gate) || f.Excluded || f.Locked || f.Rules.LoginProtection != Required) {
			t.Fatalf("binding opened by %q: %+v", d.Gate, f)
		}
		if d.Outcome != Enroll && d.Gate != NoGate {
			t.Fatalf("%v behind a gate", d.Outcome)
		}
		if d.Outcome == Challenge && (f.Enrollment != identity.Bound || !held(f) || f.Rebind) {
			t.Fatalf("asked who has nothing that counts: %+v", f)
		}
	})
}

func TestDecideRequests(t *testing.T) {
	for name, c := range map[string]struct {
		facts Facts
		want  Outcome
	}{
		"nobody, protected":               {Facts{}, SignIn},
		"nobody, public":                  {Facts{Public: true}, Anonymous},
		"pending, page load":              {Facts{Level: identity.FirstFactor, Navigation: true}, Challenge},
		"pending, public page load":       {Facts{Level: identity.FirstFactor, Navigation: true, Public: true}, Challenge},
		"pending, public asset":           {Facts{Level: identity.FirstFactor, Public: true}, Anonymous},
		"pending, protected fetch":        {Facts{Level: identity.FirstFactor}, Challenge},
		"verified":                        {Facts{Level: identity.Verified}, Pass},
		"login inside a verified session": {Facts{Level: identity.Verified, Login: true}, Watch},
		"two cookies":                     {Facts{Level: identity.Verified, Ambiguous: true}, Deny},
		"refused, verified":               {Facts{Level: identity.Verified, Refused: true}, Deny},
		"bypass of what is refused":       {Facts{Bypass: "ci", Refused: true}, Bypass},
		"bypass":                          {Facts{Bypass: "ci"}, Bypass},
		"unknown stage":                   {Facts{Stage: 9, Level: identity.Verified}, Deny},
	} {
		if got := Decide(c.facts); got.Outcome != c.want {
			t.Errorf("%s: %v, want %v", name, got.Outcome, c.want)
		}
	}
}

func TestDecideLogins(t *testing.T) {
	required := Rules{LoginProtection: Required, Factors: []identity.Factor{identity.TOTP}, Enroll: EnrollAtLogin}
	always, mfa := Skip{Mode: SkipAlways}, Skip{Mode: SkipAMR, Values: []string{"mfa"}}
	for name, c := range map[string]struct {
		facts Facts
		want  Outcome
	}{
		"never bound":           {Facts{Enrollment: identity.NeverBound}, Enroll},
		"bound":                 {Facts{Enrollment: identity.Bound}, Challenge},
		"bound, just passed":    {Facts{Enrollment: identity.Bound, RecentPass: true}, Pass},
		"reset":                 {Facts{Enrollment: identity.Reset}, Enroll},
		"unknown, just passed":  {Facts{RecentPass: true}, Deny},
		"unknown, signed on":    {Facts{SingleSignOn: true, Skip: always}, Deny},
		"signed on":             {Facts{Enrollment: identity.NeverBound, SingleSignOn: true, Skip: always}, Pass},
		"signed on, bound":      {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: always}, Pass},
		"signed on, excluded":   {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: always, Excluded: true}, Deny},
		"signed on, no skip":    {Facts{Enrollment: identity.Bound, SingleSignOn: true}, Challenge},
		"skip without sign-on":  {Facts{Enrollment: identity.Bound, Skip: always}, Challenge},
		"amr missing":           {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: mfa}, Challenge},
		"amr there":             {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: mfa, Evidence: identity.Evidence{AMR: []string{"pwd", "mfa"}}}, Pass},
		"federated, local":      {Facts{Enrollment: identity.Federated}, Enroll},
		"federated, local, now": {Facts{Enrollment: identity.Federated, RecentPass: true}, Enroll},
		"federated, fresh":      {Facts{Enrollment: identity.Federated, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"federated, stale":      {Facts{Enrollment: identity.Federated, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now.Add(-time.Hour)}}, Deny},
		"reset, fresh":          {Facts{Enrollment: identity.Reset, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"reset, at once":        {Facts{Enrollment: identity.Reset, SingleSignOn: true}, Enroll},
		"reset, carried":        {Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true}, Enroll},
		"reset, carried, stale": {Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true, Evidence: identity.Evidence{AuthTime: now.Add(-time.Hour)}}, Deny},
		"reset, carried, fresh": {Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"never bound, a recent": {Facts{Enrollment: identity.NeverBound, RecentPass: true}, Enroll},
	} {
		c.facts.Stage, c.facts.Rules, c.facts.Now = AtLogin, required, now
		c.facts.Held = []identity.Factor{identity.TOTP}
		if got := Decide(c.facts); got.Outcome != c.want {
			t.Errorf("%s: %v, want %v", name, got.Outcome, c.want)
		}
	}
}
