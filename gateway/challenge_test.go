package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/sessions"
)

// crowd sends n requests at once.
func crowd(n int, send func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			send(i)
		})
	}
	close(start)
	all.Wait()
}

// TestRule5OneRightCodePassesOnce, however many send it at the same time, in
// one challenge and in several, also of more than a challenge has attempts.
func TestRule5OneRightCodePassesOnce(t *testing.T) {
	for _, each := range []int{4, 20, 200} {
		passed, busy := sendRightCode(t, 200/each, each)
		if passed > 1 || passed < 1 && busy == 0 {
			t.Errorf("%d of 200 passed, %d in each challenge", passed, each)
		}
	}
}

// sendRightCode sends one right code from all browsers at once. A store under
// such a load may miss its two seconds, which denies: busy.
func sendRightCode(t *testing.T, challenges, each int) (passed, busy int) {
	t.Helper()
	r := newRig(t)
	key := r.bind("alice")
	var all []*browser
	for range challenges {
		b := r.browser()
		b.password("alice")
		id := b.formID()
		for range each {
			c := b.copy()
			c.login = id
			all = append(all, c)
		}
	}
	right := code(t, key, r.clock())
	var mu sync.Mutex
	crowd(len(all), func(i int) {
		a, err := all[i].try("POST", "/.stepgate/challenge", "challenge="+all[i].login+"&code="+right, "Content-Type: application/x-www-form-urlencoded")
		mu.Lock()
		defer mu.Unlock()
		if err == nil && a.StatusCode == 303 && a.Header.Get("Location") == "/home?id=start" {
			passed++
		}
		if err == nil && a.StatusCode == 503 {
			busy++
		}
	})
	return passed, busy
}

// TestRule5WhoLosesARaceDoesNotPass, at whichever of the steps it is lost.
func TestRule5WhoLosesARaceDoesNotPass(t *testing.T) {
	for method, lost := range map[string]error{"accounts.AdvanceStep": accounts.ErrSpent, "accounts.SpendID": accounts.ErrSpent,
		"challenges.Attempt": challenge.ErrExhausted, "sessions.Replace": sessions.ErrNotFound} {
		r := newRig(t)
		key := r.bind("alice")
		b := r.browser()
		b.password("alice")
		id := b.formID()
		r.faults.answer(method, lost)
		a := b.answer(id, "code="+code(t, key, r.clock()))
		if r.faults.set("", false); a.StatusCode < 400 || a.StatusCode > 499 || b.user() != "-" {
			t.Errorf("%s: %d, then %q", method, a.StatusCode, b.user())
		}
	}
}

// TestCodes: what each kind of code gets.
func TestCodes(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	key := b.login
	used := code(t, key, r.clock())
	for what, c := range map[string]struct {
		code string
		kind string
	}{
		"used":    {used, "422"},
		"stale":   {code(t, key, r.clock().Add(-5*time.Minute)), "422"},
		"ahead":   {code(t, key, r.clock().Add(2*time.Minute)), "422"},
		"letters": {"abcdef", "422"}, "short": {"12345", "422"}, "long": {used + "1", "422"}, "nothing": {"", "422"},
	} {
		s := r.browser()
		s.password("alice")
		if a := s.answer(s.formID(), "code="+c.code); a.Status[:3] != c.kind || s.user() != "-" {
			t.Errorf("%s: %s", what, a.Status)
		}
	}
	// A stale code that was hinted at is spent: the same again is no oracle.
	s := r.browser()
	r.sleep(3 * time.Hour)
	s.password("alice")
	id := s.formID()
	if a := s.answer(id, "code="+code(t, key, r.clock().Add(-30*time.Second))); a.StatusCode != 303 {
		t.Errorf("a code of the step before: %d", a.StatusCode)
	}
	n := r.browser()
	n.password("alice")
	if a := n.answer(n.formID(), "code="+code(t, key, r.clock().Add(30*time.Second))); a.StatusCode != 303 {
		t.Errorf("a code of the next step: %d", a.StatusCode)
	}
	o := r.browser()
	o.password("alice")
	if a := o.answer(o.formID(), "code="+code(t, key, r.clock())); a.StatusCode == 303 {
		t.Error("a step before the last spent one passes")
	}
}

// TestRule8ChallengesAreBound to their session, subject and site, and a form
// to its challenge.
func TestRule8ChallengesAreBound(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	r.bind("bob")
	alice, bob := r.browser(), r.browser()
	alice.password("alice")
	bob.password("bob")
	id, right := alice.formID(), code(t, key, r.clock())
	for what, send := range map[string]func() *reply{
		"another's challenge": func() *reply { return bob.answer(id, "code="+right) },
		"no challenge named":  func() *reply { return alice.post("/.stepgate/challenge", "code="+right) },
		"the other's id":      func() *reply { return alice.answer(bob.formID(), "code="+right) },
		"in the query":        func() *reply { return alice.post("/.stepgate/challenge?challenge="+id+"&code="+right, "x=1") },
		"no session":          func() *reply { return r.browser().answer(id, "code="+right) },
		"another site's form": func() *reply { return alice.answer(id, "code="+right, "Origin: https://evil.test") },
		"a cross-site fetch":  func() *reply { return alice.answer(id, "code="+right, "Sec-Fetch-Site: cross-site") },
		"a sibling site":      func() *reply { return alice.answer(id, "code="+right, "Sec-Fetch-Site: same-site") },
		"a null origin":       func() *reply { return alice.answer(id, "code="+right, "Origin: null") },
		"a foreign cancel":    func() *reply { return alice.post("/.stepgate/cancel", "challenge="+id, "Origin: https://evil.test") },
		"a GET":               func() *reply { return alice.get("/.stepgate/challenge?challenge=" + id + "&code=" + right) },
		"a large form":        func() *reply { return alice.answer(id, "code="+right+"&x="+strings.Repeat("x", 9000)) },
	} {
		if a := send(); a.StatusCode == 303 || alice.user() != "-" || bob.user() != "-" {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
	if a := alice.answer(id, "code="+right); a.StatusCode != 303 || alice.user() != "alice" {
		t.Fatalf("after all that her own does not pass: %d", a.StatusCode)
	}
	if a := alice.answer(id, "code="+right); a.StatusCode == 303 {
		t.Error("the form passes again")
	}
}

func TestChallengeEnds(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.password("alice")
	id := b.formID()
	r.sleep(30 * time.Minute)
	if a := b.answer(id, "code="+code(t, key, r.clock())); a.StatusCode == 303 || b.user() != "-" {
		t.Errorf("an expired challenge passes: %d", a.StatusCode)
	}
	c := r.browser()
	c.password("alice")
	id = c.formID()
	thief := c.copy()
	if a := c.post("/.stepgate/cancel", "challenge="+id); a.StatusCode != 200 {
		t.Errorf("cancel: %d", a.StatusCode)
	}
	if a := thief.answer(id, "code="+code(t, key, r.clock())); a.StatusCode == 303 {
		t.Error("a canceled challenge passes")
	}
	if a := c.get("/private"); !strings.HasPrefix(a.Header.Get("Location"), "/login") {
		t.Errorf("after the cancel: %v", a.Header)
	}
}

// TestPendingKeyIsOne: the same on reload and in parallel, void after ten
// minutes, with a fresh one on demand.
func TestPendingKeyIsOne(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.password("alice")
	var mu sync.Mutex
	keys := map[string]int{}
	crowd(30, func(int) {
		a, err := b.copy().try("GET", "/.stepgate/challenge", "", page...)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			keys[shownKey(a.body)]++
		}
	})
	if len(keys) != 1 || keys[""] > 0 {
		t.Fatalf("keys shown: %v", keys)
	}
	id := b.formID()
	old := shownKey(b.get("/.stepgate/challenge").body)
	if a := b.answer(id, "fresh=1"); shownKey(a.body) != old {
		t.Error("a fresh key while the old one is good")
	}
	r.sleep(10 * time.Minute)
	one, two := code(t, old, r.clock()), code(t, old, r.clock().Add(30*time.Second))
	if a := b.answer(id, "code1="+one+"&code2="+two); a.StatusCode == 303 || shownKey(a.body) != "" {
		t.Errorf("a void key binds: %d", a.StatusCode)
	}
	fresh := shownKey(b.answer(id, "fresh=1").body)
	if fresh == "" || fresh == old {
		t.Fatalf("no fresh key: %q", fresh)
	}
	one, two = code(t, fresh, r.clock()), code(t, fresh, r.clock().Add(30*time.Second))
	if a := b.answer(id, "code1="+two+"&code2="+one); a.StatusCode == 303 {
		t.Error("codes in the wrong order bind")
	}
	if a := b.answer(id, "code1="+one+"&code2="+one); a.StatusCode == 303 {
		t.Error("the same code twice binds")
	}
	if a := b.answer(id, "code1="+one+"&code2="+two); a.StatusCode != 303 || b.user() != "alice" {
		t.Errorf("%d", a.StatusCode)
	}
	// The second code was spent by binding.
	c := r.browser()
	c.password("alice")
	if a := c.answer(c.formID(), "code="+two); a.StatusCode == 303 {
		t.Error("the code that bound passes as well")
	}
}

// TestTwoBrowsersBindAtOnce: one binds, and the other is never shown a key
// again.
func TestTwoBrowsersBindAtOnce(t *testing.T) {
	r := newRig(t)
	var all []*browser
	var keys, ids []string
	for range 8 {
		b := r.browser()
		b.password("alice")
		a := b.get("/.stepgate/challenge")
		all, keys, ids = append(all, b), append(keys, shownKey(a.body)), append(ids, b.formID())
	}
	late, lateID := r.browser(), ""
	late.password("alice")
	late.get("/.stepgate/challenge")
	lateID = late.formID()
	var mu sync.Mutex
	bound := 0
	crowd(len(all), func(i int) {
		one, two := code(t, keys[i], r.clock()), code(t, keys[i], r.clock().Add(30*time.Second))
		a, err := all[i].try("POST", "/.stepgate/challenge", fmt.Sprintf("challenge=%s&code1=%s&code2=%s", ids[i], one, two), "Content-Type: application/x-www-form-urlencoded")
		mu.Lock()
		defer mu.Unlock()
		if err == nil && a.StatusCode == 303 && a.Header.Get("Location") == "/home?id=start" {
			bound++
		}
	})
	if bound != 1 {
		t.Errorf("%d bound", bound)
	}
	for _, a := range []*reply{late.answer(lateID, "code1=123456&code2=654321"), late.answer(lateID, "code1=x"), late.answer(lateID, "fresh=1"), late.get("/.stepgate/challenge")} {
		if shownKey(a.body) != "" {
			t.Errorf("a key is shown to an enrolled person: %d", a.StatusCode)
		}
	}
	n := r.browser()
	n.password("alice")
	if a := n.get("/.stepgate/challenge"); shownKey(a.body) != "" {
		t.Error("a key is shown at a later login")
	}
}

// TestParallelLogins of one browser: each tab's session is its own, and none
// passes without a code.
func TestParallelLogins(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	var all []*browser
	for range 20 {
		all = append(all, r.browser())
	}
	crowd(len(all), func(i int) {
		_, err := all[i].try("POST", "/login", "u=alice&p=pw-alice", "Content-Type: application/x-www-form-urlencoded")
		if err != nil {
			t.Error(err)
		}
	})
	for _, b := range all {
		b.clean("a parallel login")
	}
	a := all[3].answer(all[3].formID(), "code="+code(t, key, r.clock()))
	if a.StatusCode != 303 || all[3].user() != "alice" {
		t.Errorf("%d", a.StatusCode)
	}
	for i, b := range all {
		if got := b.user(); i != 3 && got != "-" {
			t.Errorf("tab %d: %q", i, got)
		}
	}
}

// TestFiveAttemptsAChallenge, then the password is due again.
func TestFiveAttemptsAChallenge(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.password("alice")
	id, wrong := b.formID(), b.wrong(key)
	for range 5 {
		b.answer(id, "code="+wrong)
	}
	if a := b.answer(id, "code="+code(t, key, r.clock())); a.StatusCode == 303 || b.user() != "-" {
		t.Errorf("a sixth attempt passes: %d", a.StatusCode)
	}
}

func (r *rig) count(e audit.Event) int {
	return len(slices.DeleteFunc(r.events(), func(have audit.Event) bool { return have != e }))
}

// plainPage is a page without what differs by challenge.
func plainPage(body string) string {
	body = challengeID.ReplaceAllString(body, "")
	i := strings.Index(body, "<main>")
	return body[max(0, i):]
}
