package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// signsInAnew fails unless the browser's way to the login page is open.
func (b *browser) signsInAnew(key string) {
	b.t.Helper()
	if a := b.get("/login"); a.StatusCode != http.StatusOK {
		b.t.Fatalf("the login page: %d, %s", a.StatusCode, a.Header.Get("Location"))
	}
	b.rig.sleep(time.Minute)
	b.signIn("alice", key)
	if got := b.user(); got != "alice" {
		b.t.Errorf("signed in as %q", got)
	}
}

// TestALostChallengeIsNoTrap: a store that forgot it lets the person begin
// again at once, and not after half an hour.
func TestALostChallengeIsNoTrap(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.password("alice")
	_, err := r.svc.Flow.Challenges.Take(t.Context(), b.formID(), r.clock())
	check(t, err)
	b.get("/.stepgate/challenge")
	b.signsInAnew(key)
}

// TestAPassThatIsNotStoredIsNoTrap: the code and the challenge are spent.
func TestAPassThatIsNotStoredIsNoTrap(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.password("alice")
	id := b.formID()
	r.faults.set("sessions.Replace", false)
	if a := b.answer(id, "code="+code(t, key, r.clock())); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", a.StatusCode)
	}
	r.faults.set("", false)
	b.signsInAnew(key)
}

// TestAUsedUpChallengeIsNoTrap: its last answer ends nothing, since an earlier
// one may still be judged right; the next look at it leads to the login page.
func TestAUsedUpChallengeIsNoTrap(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.password("alice")
	id := b.formID()
	for range 6 {
		b.answer(id, "code=000000")
	}
	if a := b.answer(id, "code="+code(t, key, r.clock())); a.StatusCode != http.StatusTooManyRequests || b.user() != "-" {
		t.Errorf("a right code after too many: %d, then %q", a.StatusCode, b.user())
	}
	if a := b.get("/.stepgate/challenge"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/login") {
		t.Errorf("the challenge leads to %q", a.Header.Get("Location"))
	}
	b.signsInAnew(key)
}
