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
		Rules:      Rules{LoginProtection: rapid.SampledFrom([]Protection{"", "off", Required}).Draw(t, "protection")},
		Public:     rapid.Bool().Draw(t, "public"),
		Bypass:     rapid.SampledFrom([]string{"", "ci"}).Draw(t, "bypass"),
		Refused:    rapid.Bool().Draw(t, "refused"),
		Login:      rapid.Bool().Draw(t, "login"),
		Navigation: rapid.Bool().Draw(t, "navigation"),
		Ambiguous:  rapid.Bool().Draw(t, "ambiguous"),
		Level:      identity.Level(rapid.IntRange(0, 2).Draw(t, "level")),
		Enrollment: identity.Enrollment(rapid.IntRange(0, 6).Draw(t, "enrollment")),
		RecentPass: rapid.Bool().Draw(t, "recent"),
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

// mayPass is what a login without a challenge must have.
func mayPass(f Facts) bool {
	if f.Excluded || f.Rules.LoginProtection != Required || f.Enrollment == identity.Unknown {
		return false
	}
	if f.Enrollment == identity.Bound && f.RecentPass {
		return true
	}
	old := f.Skip.MaxAge > 0 && (f.Evidence.AuthTime.IsZero() || f.Evidence.AuthTime.After(now.Add(time.Minute)) ||
		f.Evidence.AuthTime.Before(now.Add(-f.Skip.MaxAge)))
	said := f.Skip.Mode == SkipAlways ||
		f.Skip.Mode == SkipACR && f.Evidence.ACR != "" && slices.Contains(f.Skip.Values, f.Evidence.ACR) ||
		f.Skip.Mode == SkipAMR && slices.ContainsFunc(f.Evidence.AMR, func(m string) bool { return m != "" && slices.Contains(f.Skip.Values, m) })
	return f.SingleSignOn && said && !old
}

// mayBind is whom a first binding is open to: rule 9.
func mayBind(f Facts) bool {
	age := now.Sub(f.Evidence.AuthTime)
	fresh := f.Evidence.AuthTime.IsZero() && !f.Carried || age >= -time.Minute && age <= 10*time.Minute
	again := f.Enrollment == identity.Federated || f.Enrollment == identity.Reset
	return f.Enrollment == identity.NeverBound || again && f.SingleSignOn && fresh
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
		if d.Outcome == Enroll && (!mayBind(f) || f.Excluded) {
			t.Fatalf("binding opened: %+v", f)
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
	required := Rules{LoginProtection: Required}
	always, mfa := Skip{Mode: SkipAlways}, Skip{Mode: SkipAMR, Values: []string{"mfa"}}
	for name, c := range map[string]struct {
		facts Facts
		want  Outcome
	}{
		"never bound":           {Facts{Enrollment: identity.NeverBound}, Enroll},
		"bound":                 {Facts{Enrollment: identity.Bound}, Challenge},
		"bound, just passed":    {Facts{Enrollment: identity.Bound, RecentPass: true}, Pass},
		"reset":                 {Facts{Enrollment: identity.Reset}, Deny},
		"unknown, just passed":  {Facts{RecentPass: true}, Deny},
		"unknown, signed on":    {Facts{SingleSignOn: true, Skip: always}, Deny},
		"signed on":             {Facts{Enrollment: identity.NeverBound, SingleSignOn: true, Skip: always}, Pass},
		"signed on, bound":      {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: always}, Pass},
		"signed on, excluded":   {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: always, Excluded: true}, Deny},
		"signed on, no skip":    {Facts{Enrollment: identity.Bound, SingleSignOn: true}, Challenge},
		"skip without sign-on":  {Facts{Enrollment: identity.Bound, Skip: always}, Challenge},
		"amr missing":           {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: mfa}, Challenge},
		"amr there":             {Facts{Enrollment: identity.Bound, SingleSignOn: true, Skip: mfa, Evidence: identity.Evidence{AMR: []string{"pwd", "mfa"}}}, Pass},
		"federated, local":      {Facts{Enrollment: identity.Federated}, Deny},
		"federated, local, now": {Facts{Enrollment: identity.Federated, RecentPass: true}, Deny},
		"federated, fresh":      {Facts{Enrollment: identity.Federated, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"federated, stale":      {Facts{Enrollment: identity.Federated, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now.Add(-time.Hour)}}, Deny},
		"reset, fresh":          {Facts{Enrollment: identity.Reset, SingleSignOn: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"reset, at once":        {Facts{Enrollment: identity.Reset, SingleSignOn: true}, Enroll},
		"reset, carried":        {Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true}, Deny},
		"reset, carried, fresh": {Facts{Enrollment: identity.Reset, SingleSignOn: true, Carried: true, Evidence: identity.Evidence{AuthTime: now}}, Enroll},
		"never bound, a recent": {Facts{Enrollment: identity.NeverBound, RecentPass: true}, Enroll},
	} {
		c.facts.Stage, c.facts.Rules, c.facts.Now = AtLogin, required, now
		if got := Decide(c.facts); got.Outcome != c.want {
			t.Errorf("%s: %v, want %v", name, got.Outcome, c.want)
		}
	}
}
