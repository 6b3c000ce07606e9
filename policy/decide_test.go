package policy

import (
	"testing"

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
		Enrollment: identity.Enrollment(rapid.IntRange(0, 5).Draw(t, "enrollment")),
		RecentPass: rapid.Bool().Draw(t, "recent"),
	}
}

// Point 5: whatever the facts are, the console's session goes only to a
// verified session, and a login is released only for a person who is known to
// be bound and just passed.
func TestDecideNeverPassesUnproved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := facts(t)
		d := Decide(f)
		if d.Outcome == Pass && f.Stage == AtRequest && (f.Level != identity.Verified || f.Ambiguous || f.Login || f.Refused) {
			t.Fatalf("request passed: %+v", f)
		}
		if d.Outcome == Pass && f.Stage == AtLogin &&
			(f.Enrollment != identity.Bound || !f.RecentPass || f.Rules.LoginProtection != Required) {
			t.Fatalf("login passed: %+v", f)
		}
		if d.Outcome == Enroll && f.Enrollment != identity.NeverBound {
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
	for name, c := range map[string]struct {
		facts Facts
		want  Outcome
	}{
		"never bound":           {Facts{Enrollment: identity.NeverBound}, Enroll},
		"bound":                 {Facts{Enrollment: identity.Bound}, Challenge},
		"bound, just passed":    {Facts{Enrollment: identity.Bound, RecentPass: true}, Pass},
		"reset":                 {Facts{Enrollment: identity.Reset}, Deny},
		"unknown, just passed":  {Facts{RecentPass: true}, Deny},
		"never bound, a recent": {Facts{Enrollment: identity.NeverBound, RecentPass: true}, Enroll},
	} {
		c.facts.Stage, c.facts.Rules = AtLogin, required
		if got := Decide(c.facts); got.Outcome != c.want {
			t.Errorf("%s: %v, want %v", name, got.Outcome, c.want)
		}
	}
}
