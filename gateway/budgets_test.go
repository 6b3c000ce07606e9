package gateway_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
)

// TestRule6TenWrongCodesADay are compared, over all challenges and browsers,
// also of 200 at once; then a right code is refused, and learns nothing.
func TestRule6TenWrongCodesADay(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	known := r.browser()
	known.signIn("alice", key)
	var all []*browser
	for range 40 {
		b := r.browser()
		b.password("alice")
		id := b.formID()
		for range 5 {
			c := b.copy()
			c.login = id
			all = append(all, c)
		}
	}
	wrong := all[0].wrong(key)
	var busy atomic.Int64
	crowd(len(all), func(i int) {
		a, err := all[i].try("POST", "/.stepgate/challenge", "challenge="+all[i].login+"&code="+wrong, "Content-Type: application/x-www-form-urlencoded")
		if err != nil {
			t.Error(err)
		} else if a.StatusCode == 503 {
			busy.Add(1)
		}
	})
	if n := r.count(audit.ChallengeFailed); n > 10 || n < 10 && busy.Load() == 0 {
		t.Errorf("%d codes were compared", n)
	}
	r.sleep(30 * time.Second)
	b := r.browser()
	b.password("alice")
	right := code(t, key, r.clock())
	a, w := b.answer(b.formID(), "code="+right), b.answer(b.formID(), "code="+wrong)
	if a.StatusCode != 429 || w.StatusCode != 429 || plainPage(a.body) != plainPage(w.body) {
		t.Errorf("locked: a right code gets %d, a wrong one %d", a.StatusCode, w.StatusCode)
	}
	r.sleep(6 * time.Minute) // past the recent pass
	known.password("alice")
	if a := known.answer(known.formID(), "code="+code(t, key, r.clock())); a.Header.Get("Location") != "/home?id=start" {
		t.Errorf("the owner's browser is locked out by strangers: %d", a.StatusCode)
	}
	r.sleep(144 * time.Minute) // a tenth of a day
	c := r.browser()
	c.password("alice")
	if a := c.answer(c.formID(), "code="+code(t, key, r.clock())); a.StatusCode != 303 {
		t.Errorf("one attempt does not come back: %d", a.StatusCode)
	}
}

// TestRule6LockedSpendsNoStep: the right code that met a lock is still good.
func TestRule6LockedSpendsNoStep(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	known := r.browser()
	known.signIn("alice", key)
	r.sleep(6 * time.Minute)
	known.password("alice")
	id := known.formID()
	for range 3 {
		b := r.browser()
		b.password("alice")
		form, wrong := b.formID(), b.wrong(key)
		for range 4 {
			b.answer(form, "code="+wrong)
		}
	}
	b := r.browser()
	b.password("alice")
	right := code(t, key, r.clock())
	if a := b.answer(b.formID(), "code="+right); a.StatusCode != 429 {
		t.Fatalf("not locked: %d", a.StatusCode)
	}
	if a := known.answer(id, "code="+right); a.StatusCode != 303 {
		t.Errorf("the owner's code was spent: %d", a.StatusCode)
	}
}

// TestRule6EachBucketHasItsOwnTen: wrong codes in a known browser end too.
func TestRule6EachBucketHasItsOwnTen(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	b := r.browser()
	b.signIn("alice", key)
	r.sleep(6 * time.Minute)
	before := r.count(audit.ChallengeFailed)
	for range 5 {
		b.password("alice")
		id, wrong := b.formID(), b.wrong(key)
		for range 3 {
			b.answer(id, "code="+wrong)
		}
		b.post("/.stepgate/cancel", "challenge="+id)
	}
	if n := r.count(audit.ChallengeFailed) - before; n != 10 {
		t.Errorf("%d codes were compared", n)
	}
	c := r.browser()
	c.password("alice")
	if a := c.get("/.stepgate/challenge"); a.StatusCode != 200 {
		t.Errorf("a stranger's browser is locked as well: %d", a.StatusCode)
	}
}
