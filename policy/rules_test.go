package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
	"pgregory.net/rapid"
)

func TestRulesUsable(t *testing.T) {
	const totp, sms, email, codes = identity.TOTP, identity.SMS, identity.Email, identity.Recovery
	list := func(f ...identity.Factor) []identity.Factor { return f }
	for name, c := range map[string]struct{ rules, held, want []identity.Factor }{
		"the preferred first":           {list(sms, totp), list(totp, sms), list(sms, totp)},
		"what does not count":           {list(totp), list(email, sms), nil},
		"codes beside another":          {list(codes, totp), list(codes, totp), list(totp, codes)},
		"codes alone":                   {list(codes, totp), list(codes), nil},
		"codes beside what is too weak": {list(codes, totp), list(codes, sms), nil},
		"codes that do not exist":       {list(totp), list(codes, totp), list(totp)},
	} {
		if got := (Rules{Factors: c.rules}).Usable(c.held); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if r := (Rules{Factors: list(codes, totp)}); r.Counts(codes) || !r.Counts(totp) || r.Counts(sms) || !slices.Equal(r.Countable(), list(totp)) {
		t.Error("it is not what counts")
	}
}

// TestStricterWeakensNeither: whichever of the two is asked, nothing passes
// under both that one of them refuses. Only where nothing at all would pass do
// the stronger factors of one hold.
func TestStricterWeakensNeither(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rules(t), rules(t)
		got := a.Stricter(b)
		for _, r := range []Rules{a, b} {
			if got.TrustBrowser > r.TrustBrowser || got.Manage && !r.Manage || got.TouchSuffices && !r.TouchSuffices || got.Enroll.rank() < r.Enroll.rank() ||
				got.LoginProtection == Required && r.LoginProtection != Required {
				t.Fatalf("%+v and %+v are %+v", a, b, got)
			}
			if got.Least() < r.Least() {
				t.Fatalf("%q and %q are %q", a.Factors, b.Factors, got.Factors)
			}
		}
		one, other := b.Stricter(a).Countable(), got.Countable()
		slices.Sort(one)
		slices.Sort(other)
		if a.Least() != b.Least() && !slices.Equal(one, other) {
			t.Fatalf("the order matters: %q, %q", one, other)
		}
	})
}

// TestRulesVouching: what does not count vouches only for who has nothing that
// does, wherever.
func TestRulesVouching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, has := rules(t), rapid.SliceOfDistinct(rapid.SampledFrom(identity.Factors()), rapid.ID).Draw(t, "has")
		held := slices.DeleteFunc(slices.Clone(has), func(identity.Factor) bool { return rapid.Bool().Draw(t, "elsewhere") })
		got := r.Vouching(held, has)
		counts := slices.ContainsFunc(has, r.Counts)
		for _, f := range got {
			if !slices.Contains(held, f) || counts && !r.Counts(f) && f != identity.Recovery {
				t.Fatalf("%q of %q and %q under %q", got, held, has, r.Factors)
			}
		}
		if slices.Equal(got, []identity.Factor{identity.Recovery}) {
			t.Fatal("codes alone vouch")
		}
		if !counts && slices.Contains(held, identity.SMS) && len(got) == 0 {
			t.Fatalf("%q vouch for nothing under %q", held, r.Factors)
		}
	})
}

// TestStricterOfNothing: rules under which nothing counts are not opened by
// others.
func TestStricterOfNothing(t *testing.T) {
	none, some := Rules{Factors: []identity.Factor{identity.Recovery}}, Rules{Factors: []identity.Factor{identity.Passkey}}
	if a, b := none.Stricter(some), some.Stricter(none); len(a.Countable())+len(b.Countable()) > 0 {
		t.Errorf("%q and %q count", a.Factors, b.Factors)
	}
}

func TestRulesFor(t *testing.T) {
	site := Rules{LoginProtection: Required, Factors: []identity.Factor{identity.TOTP, identity.SMS}, Enroll: EnrollAtLogin, TrustBrowser: time.Hour, Manage: true}
	admins, guests := site, site
	admins.Factors, admins.Enroll, admins.TrustBrowser = []identity.Factor{identity.Passkey}, EnrollTicket, 0
	guests.Factors, guests.Manage = []identity.Factor{identity.SMS}, false
	by := Groups{{"admins", admins}, {"guests", guests}}
	for name, c := range map[string]struct {
		groups []string
		want   identity.Factor
		enroll Enrolling
		manage bool
	}{
		"in none":    {nil, identity.TOTP, EnrollAtLogin, true},
		"in another": {[]string{"it"}, identity.TOTP, EnrollAtLogin, true},
		"in one":     {[]string{"it", "admins"}, identity.Passkey, EnrollTicket, true},
		"in both":    {[]string{"guests", "admins"}, identity.Passkey, EnrollTicket, false},
	} {
		got := site.For(c.groups, by)
		if got.Factors[0] != c.want || got.Enroll != c.enroll || got.Manage != c.manage || got.LoginProtection != Required {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
