package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

// secondApp adds an authenticator that was vouched for by something of this
// strength.
func (r *rig) secondApp(name string, strength identity.Strength) (key string) {
	r.t.Helper()
	key = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
	c := accounts.Credential{ID: "second-" + name, Subject: subject(name), Factor: identity.TOTP, Name: "Second",
		BoundAt: r.clock(), Strength: strength, Noticed: true}
	c.Secret = r.ring.Seal("credential", []byte(key), c.SecretBinding()...)
	r.add(c)
	return key
}

// TestWeakProofElsewhereOpensNothingHere: who has a person's number adds an app
// at a site of the realm where that is enough. A site that takes apps only does
// not take that one beside the owner's own.
func TestWeakProofElsewhereOpensNothingHere(t *testing.T) {
	r := newRig(t) // apps only
	own := r.bind("alice")
	thiefs := r.secondApp("alice", identity.Telephone)
	if a := r.asked("alice").does("totp", "code="+code(t, thiefs, r.clock())); a.StatusCode == http.StatusSeeOther {
		t.Error("an app that a number vouched for opens a site that takes no numbers")
	}
	if a := r.asked("alice").does("totp", "code="+code(t, own, r.clock())); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the owner's own: %d", a.StatusCode)
	}
	r.sleep(time.Hour)
	lenient := newRig(t, allFactors)
	lenient.bind("alice")
	added := lenient.secondApp("alice", identity.Telephone)
	if a := lenient.asked("alice").does("totp", "code="+code(t, added, lenient.clock())); a.StatusCode != http.StatusSeeOther {
		t.Errorf("where numbers count: %d", a.StatusCode)
	}
}

// TestTheOnlyAppCounts, whatever vouched for it: there is nothing better.
func TestTheOnlyAppCounts(t *testing.T) {
	r := newRig(t)
	key := r.secondApp("alice", identity.Telephone)
	if a := r.asked("alice").does("totp", "code="+code(t, key, r.clock())); a.StatusCode != http.StatusSeeOther {
		t.Errorf("%d", a.StatusCode)
	}
}
