package argon

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// cheap is a hasher whose work is counted, and which does little of it.
func cheap(width int) (*Hasher, *atomic.Int64) {
	var computed atomic.Int64
	little := cost{memory: 8, passes: 1, lanes: 1}
	h := &Hasher{cost: little, gate: newGate(width), nobody: random(little)}
	h.derive = func(password string, of hash) []byte {
		computed.Add(1)
		return derive(password, of)
	}
	return h, &computed
}

func TestPasswordHash(t *testing.T) {
	h := New()
	encoded, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", encoded, err)
	}
	if other, _ := h.Hash(t.Context(), "correct horse battery"); other == encoded {
		t.Error("two hashes have one salt")
	}
	for password, want := range map[string]bool{"correct horse battery": true, "Correct horse battery": false, "": false} {
		if right, old, err := h.Verify(t.Context(), encoded, password); right != want || old || err != nil {
			t.Errorf("%q: right %v, old %v, %v", password, right, old, err)
		}
	}
}

// The reference implementation's own line (phc-winner-argon2, README).
func TestPasswordHashOfOthers(t *testing.T) {
	const theirs = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	right, old, err := New().Verify(t.Context(), theirs, "password")
	if !right || !old || err != nil {
		t.Errorf("right %v, old %v, %v", right, old, err)
	}
}

// Known and unknown names are told apart neither by the answer nor by the
// work: one computation of one cost.
func TestPasswordOfNobodyIsTheSameWork(t *testing.T) {
	h, computed := cheap(1)
	encoded, err := h.Hash(t.Context(), "right")
	if err != nil {
		t.Fatal(err)
	}
	somebody, err := parse(encoded)
	if err != nil || somebody.cost != h.nobody.cost || len(somebody.salt) != len(h.nobody.salt) || len(somebody.tag) != len(h.nobody.tag) {
		t.Errorf("nobody's hash is %v, somebody's %v (%v)", h.nobody, somebody, err)
	}
	if real := New(); real.nobody.cost != real.cost {
		t.Errorf("nobody's hash costs %v, new ones %v", real.nobody.cost, real.cost)
	}
	for what, encoded := range map[string]string{"somebody": encoded, "nobody": ""} {
		before := computed.Load()
		if right, old, err := h.Verify(t.Context(), encoded, "wrong"); right || old || err != nil || computed.Load() != before+1 {
			t.Errorf("%s: right %v, old %v, %v, %d computations", what, right, old, err, computed.Load()-before)
		}
	}
}

// Not even the password of nobody is right for nobody.
func TestPasswordOfNobodyIsNeverRight(t *testing.T) {
	h, _ := cheap(1)
	h.nobody.tag = derive("guessed", h.nobody)
	if right, old, err := h.Verify(t.Context(), "", "guessed"); right || old || err != nil {
		t.Errorf("right %v, old %v, %v", right, old, err)
	}
}

func TestPasswordHashAtAnotherCostIsOld(t *testing.T) {
	before, _ := cheap(1)
	encoded, _ := before.Hash(t.Context(), "right")
	after, _ := cheap(1)
	after.cost.passes++
	if right, old, err := after.Verify(t.Context(), encoded, "right"); !right || !old || err != nil {
		t.Errorf("right %v, old %v, %v", right, old, err)
	}
	if right, old, _ := after.Verify(t.Context(), encoded, "wrong"); right || old {
		t.Errorf("a wrong one: right %v, old %v", right, old)
	}
}

func TestPasswordHashThatIsNone(t *testing.T) {
	h, computed := cheap(1)
	good, _ := h.Hash(t.Context(), "right")
	before := computed.Load()
	for _, bad := range []string{
		"x", "right", "$argon2id$", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8", "m=1073741824", 1), strings.Replace(good, "m=8", "m=-1", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=01", 1), strings.Replace(good, "p=1", "p=255", 1), good + "=", good + "$", good[:len(good)-20], " " + good,
	} {
		if right, _, err := h.Verify(t.Context(), bad, "right"); right || err == nil {
			t.Errorf("%q: right %v, %v", bad, right, err)
		}
	}
	if computed.Load() != before {
		t.Error("something was computed for them")
	}
}

// However many come at once, so many are computed at once and so many wait;
// the rest hears of it at once.
func TestPasswordHashesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const width, crowd = 2, 500
		h, _ := cheap(width)
		var working, most, busy atomic.Int64
		h.derive = func(string, hash) []byte {
			if n := working.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(10 * time.Millisecond)
			working.Add(-1)
			return make([]byte, tagSize)
		}
		var all sync.WaitGroup
		for range crowd {
			all.Go(func() {
				begun := time.Now()
				_, _, err := h.Verify(t.Context(), "", "x")
				if errors.Is(err, ErrBusy) {
					busy.Add(1)
					if time.Since(begun) > 0 {
						t.Errorf("busy after %v", time.Since(begun))
					}
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most.Load() != width || busy.Load() != crowd-width*(1+queue) {
			t.Errorf("%d at once, %d of %d turned away", most.Load(), busy.Load(), crowd)
		}
		if _, _, err := h.Verify(t.Context(), "", "x"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// Work that takes too long keeps nobody waiting for more than a second.
func TestPasswordHashesDoNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := cheap(1)
		h.derive = func(string, hash) []byte { time.Sleep(time.Minute); return nil }
		go func() { _, _, _ = h.Verify(t.Context(), "", "x") }()
		synctest.Wait()
		begun := time.Now()
		if _, _, err := h.Verify(t.Context(), "", "x"); !errors.Is(err, ErrBusy) || time.Since(begun) != patience {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Hash(gone, "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("for a caller who went: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestPasswordHashesLeaveRoom(t *testing.T) {
	for _, c := range []struct {
		processors int
		memory     int64
		want       int
	}{
		{1, math.MaxInt64, 1}, {2, math.MaxInt64, 1}, {8, math.MaxInt64, 4}, {64, math.MaxInt64, 32},
		{64, 2 << 30, 13}, {8, 256 << 20, 1}, {8, 64 << 20, 1},
	} {
		if got := width(c.processors, c.memory); got != c.want {
			t.Errorf("%d processors, %d MiB: %d at once, want %d", c.processors, c.memory>>20, got, c.want)
		}
	}
	if n := widthHere(); n < 1 || n > max(1, runtime.GOMAXPROCS(0)/2) {
		t.Errorf("here: %d at once", n)
	}
}
