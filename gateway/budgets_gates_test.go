package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/policy"
)

// guesses counts how many of 40 wrong codes are compared, each in a challenge
// of its own that begin begins.
func (r *rig) guesses(begin func() func(code string) *reply, wrong string) (n int) {
	r.t.Helper()
	for range 40 {
		if a := begin()(wrong); a.StatusCode == 422 {
			n++
		}
		r.sleep(time.Second)
	}
	return n
}

// TestBudgetHoldsAtEveryGate: beginning anew gives no other attempts, wherever
// a code is asked for: before a binding, to file a request, to step up.
func TestBudgetHoldsAtEveryGate(t *testing.T) {
	for what, begin := range map[string]func(*rig) func() func(string) *reply{
		"rebinding": func(r *rig) func() func(string) *reply {
			r.bind("alice")
			r.sleep(time.Hour)
			check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
			return func() func(string) *reply {
				b := r.asked("alice")
				return func(code string) *reply { return b.does("totp", "code="+code) }
			}
		},
		"a contact": func(r *rig) func() func(string) *reply {
			r.reach("alice", herMail)
			return func() func(string) *reply {
				b := r.asked("alice")
				b.does("email", "do=send")
				return func(code string) *reply { return b.does("email", "code="+code) }
			}
		},
		"a request": func(r *rig) func() func(string) *reply {
			r.bind("alice")
			r.reach("alice", herMail)
			return func() func(string) *reply {
				b := r.asked("alice")
				b.does("stuck", "do=send&kind=email")
				return func(code string) *reply { return b.does("stuck", "kind=email&code="+code) }
			}
		},
		"a step-up": func(r *rig) func() func(string) *reply {
			b := r.verified("alice")
			r.sleep(10 * time.Minute)
			return func() func(string) *reply {
				at := b.get(securityPage + "/add?factor=totp").Header.Get("Location")
				return func(code string) *reply {
					_, id, _ := strings.Cut(at, "id=")
					return b.post(at, "challenge="+id+"&code="+code)
				}
			}
		},
	} {
		r := newRig(t, allFactors, enrolling(policy.EnrollContact))
		if n := r.guesses(begin(r), r.browser().wrong("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")); n > 10 || n < 9 {
			t.Errorf("%s: %d wrong codes in a minute were compared", what, n)
		}
	}
}
