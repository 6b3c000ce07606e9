package passkey

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/descope/virtualwebauthn"
)

func TestBindAndProve(t *testing.T) {
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		for _, verify := range []bool{true, false} {
			h := holder("alice")
			d := newDevice(t, h)
			if kind == virtualwebauthn.KeyTypeRSA {
				d.cred = virtualwebauthn.NewCredential(kind)
			}
			d.auth.Options.UserNotVerified = !verify
			d.auth.Options.BackupEligible, d.auth.Options.BackupState = true, true
			options, ceremony, err := party.Register(h, verify)
			if err != nil {
				t.Fatal(err)
			}
			k, err := party.Registered(h, ceremony, d.create(options))
			if err != nil {
				t.Fatalf("%s, verify %v: %v", kind, verify, err)
			}
			if !bytes.Equal(k.ID, d.cred.ID) || k.Verified != verify || k.Regressed || !k.Synced {
				t.Errorf("%s, verify %v: %+v", kind, verify, k)
			}

			h = holder("alice", k)
			d.cred.Counter = 7
			d.origin = party.Origins[1]
			if options, ceremony, err = party.Prove(h, verify); err != nil {
				t.Fatal(err)
			}
			k, err = party.Proved(h, ceremony, d.get(options))
			if err != nil {
				t.Fatalf("%s, verify %v: %v", kind, verify, err)
			}
			if !bytes.Equal(k.ID, d.cred.ID) || k.Verified != verify || k.Regressed || !k.Synced || k.Counter != 7 {
				t.Errorf("%s, verify %v: %+v", kind, verify, k)
			}
		}
	}
}

// Verified is of this ceremony: a key that once knew the person and is merely
// touched today says so.
func TestVerifiedIsOfThisCeremony(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	h = holder("alice", d.bind(h))
	d.auth.Options.UserNotVerified = true
	options, ceremony, err := party.Prove(h, false)
	if err != nil {
		t.Fatal(err)
	}
	k, err := party.Proved(h, ceremony, d.get(options))
	if err != nil || k.Verified {
		t.Errorf("verified %v, %v", k.Verified, err)
	}
}

func TestOptions(t *testing.T) {
	h := holder("alice")
	k := newDevice(t, h).bind(h)
	bound := holder("alice", k)
	descriptor := []any{map[string]any{"type": "public-key", "id": base(k.ID)}}
	create := map[string]any{
		"rp":   map[string]any{"id": "example.com", "name": "Example Cloud"},
		"user": map[string]any{"id": base(h.Handle), "name": "alice", "displayName": "alice"},
		"pubKeyCredParams": []any{
			map[string]any{"type": "public-key", "alg": -7.0}, map[string]any{"type": "public-key", "alg": -8.0},
			map[string]any{"type": "public-key", "alg": -257.0}},
		"timeout": 300000.0, "attestation": "none", "excludeCredentials": descriptor,
		"extensions": map[string]any{"credProps": true},
	}
	for verify, wanted := range map[bool]string{true: "required", false: "preferred"} {
		create["authenticatorSelection"] = map[string]any{"residentKey": "preferred", "userVerification": wanted}
		options, _, err := party.Register(bound, verify)
		sameOptions(t, options, create, err)
	}
	get := map[string]any{"rpId": "example.com", "timeout": 300000.0, "allowCredentials": descriptor}
	for verify, wanted := range map[bool]string{true: "required", false: "discouraged"} {
		get["userVerification"] = wanted
		options, _, err := party.Prove(bound, verify)
		sameOptions(t, options, get, err)
	}
}

// sameOptions compares all but the challenge, which has to be long and new.
func sameOptions(t *testing.T, options json.RawMessage, want map[string]any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	decode(t, options, &got)
	if challenge, _ := got["challenge"].(string); len(unbase(t, challenge)) < 32 {
		t.Errorf("challenge %q", challenge)
	}
	delete(got, "challenge")
	delete(want, "challenge")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("options\n%v, want\n%v", got, want)
	}
}

func TestEachCeremonyHasItsOwnChallenge(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	first, _ := registering(t, h)
	_, second := registering(t, h)
	_, err := party.Registered(h, second, d.create(first))
	failed(t, err, ChallengeMismatch)
	h = holder("alice", d.bind(h))
	first, _ = proving(t, h)
	_, second = proving(t, h)
	_, err = party.Proved(h, second, d.get(first))
	failed(t, err, ChallengeMismatch)
}

// How a key is reached is kept, for the browser to ask for the right thing,
// and tells what it is.
func TestTransports(t *testing.T) {
	for want, transports := range map[string][]string{
		"device": {"hybrid", "internal"}, "phone": {"hybrid"}, "key": {"nfc", "usb"}, "": {"pigeon"},
	} {
		h := holder("alice")
		d := newDevice(t, h)
		options, ceremony := registering(t, h)
		answer := map[string]any{}
		decode(t, d.create(options), &answer)
		answer["response"].(map[string]any)["transports"] = transports
		k, err := party.Registered(h, ceremony, encode(t, answer))
		if err != nil || k.Label != want {
			t.Errorf("%v: label %q, %v", transports, k.Label, err)
		}
		options, _ = proving(t, holder("alice", k))
		if !strings.Contains(string(options), `"transports":["`+strings.Join(transports, `","`)+`"]`) {
			t.Errorf("%v are not in %s", transports, options)
		}
	}
}

// What a ceremony was begun for it serves alone: that person, that purpose,
// that relying party, in time.
func TestCeremonyServesWhatItWasBegunFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, d := holder("alice"), newDevice(t, holder("alice"))
		key := d.bind(alice)
		bound := holder("alice", key)
		created, toCreate := registering(t, alice)
		asked, toGet := proving(t, bound)

		_, err := party.Registered(holder("bob"), toCreate, d.create(created))
		failed(t, err, WrongOwner)
		_, err = party.Proved(holder("bob", key), toGet, d.get(asked))
		failed(t, err, WrongOwner)
		_, err = party.Registered(Holder{}, toCreate, d.create(created))
		failed(t, err, WrongOwner)
		nobodys, toNobody, err := party.Prove(Holder{Keys: bound.Keys}, true)
		if err != nil {
			t.Fatal(err)
		}
		_, err = party.Proved(Holder{Keys: bound.Keys}, toNobody, d.get(nobodys))
		failed(t, err, WrongOwner)
		bobs := newDevice(t, holder("bob")).bind(holder("bob"))
		_, err = party.Proved(Holder{Handle: alice.Handle, Keys: [][]byte{bobs.Raw}}, toGet, d.get(asked))
		failed(t, err, WrongOwner)

		_, err = party.Registered(alice, toGet, d.create(asked))
		failed(t, err, WrongCeremony)
		_, err = party.Proved(bound, toCreate, d.get(created))
		failed(t, err, WrongCeremony)

		_, err = other.Registered(alice, toCreate, d.create(created))
		failed(t, err, WrongCeremony)
		_, err = other.Proved(bound, toGet, d.get(asked))
		failed(t, err, WrongCeremony)

		for _, nothing := range []string{"", "{}", "null", `{"purpose":"get"}`} {
			_, err = party.Proved(bound, []byte(nothing), d.get(asked))
			failed(t, err, WrongCeremony)
		}

		time.Sleep(Lifetime - time.Second)
		if _, err = party.Proved(bound, toGet, d.get(asked)); err != nil {
			t.Errorf("in time: %v", err)
		}
		time.Sleep(time.Second)
		_, err = party.Registered(alice, toCreate, d.create(created))
		failed(t, err, Expired)
		_, err = party.Proved(bound, toGet, d.get(asked))
		failed(t, err, Expired)
	})
}

// The first key's handle stays the person's, whatever secret digests are made
// with later, and no other person's key is taken for it.
func TestHandleStays(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	bound := holder("alice", d.bind(h))
	bound.Handle = []byte("the digest under a newer secret")
	options, _ := registering(t, bound)
	if !strings.Contains(string(options), base(h.Handle)) {
		t.Errorf("a second handle for one person: %s", options)
	}
	options, ceremony := proving(t, bound)
	if _, err := party.Proved(bound, ceremony, d.get(options)); err != nil {
		t.Error(err)
	}
	d.auth.Options.UserHandle = bound.Handle
	_, err := party.Proved(bound, ceremony, d.get(options))
	failed(t, err, WrongOwner)
}

// A key counts at the relying party that it was registered for, and nowhere
// else, whatever its owner's list holds.
func TestKeyCountsAtItsParty(t *testing.T) {
	h := holder("alice")
	k := newDevice(t, h).bind(h)
	if !Matches(k.Raw, party.ID) || Matches(k.Raw, other.ID) || Matches(k.Raw, "") || Matches(k.Raw, "wiki.example.com") {
		t.Error("a key counts elsewhere, or not at its party")
	}
	_, _, err := other.Prove(holder("alice", k), true)
	failed(t, err, NoKey)
	options, _, err := other.Register(holder("alice", k), true)
	if err != nil || strings.Contains(string(options), "excludeCredentials") {
		t.Errorf("another party is told of it: %s, %v", options, err)
	}
	for _, raw := range []string{"", "{}", "null", `{"v":2,"rp":"example.com","user":"eA==","credential":{"id":"eA=="}}`, `{"v":1,"rp":"example.com","credential":{"id":"eA=="}}`, string(k.Raw[:len(k.Raw)-2])} {
		if Matches([]byte(raw), party.ID) || Matches([]byte(raw), "") {
			t.Errorf("%q counts", raw)
		}
		_, _, err := party.Prove(Holder{Handle: h.Handle, Name: h.Name, Keys: [][]byte{[]byte(raw)}}, true)
		failed(t, err, Unreadable)
	}
}

func TestUsable(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://example.com": true, "https://wiki.example.com:8443": true, "https://wikiexample.com": false,
		"https://example.com.evil.test": false, "https://example.org": false, "https://192.0.2.7": false, "": false, ":": false,
	} {
		if got := (Party{ID: "example.com", Name: "x", Origins: []string{origin}}).Usable(); got != want {
			t.Errorf("%q: usable %v", origin, got)
		}
	}
	if !(Party{ID: "localhost", Name: "x", Origins: []string{"http://localhost:8080"}}).Usable() {
		t.Error("not at localhost, where people try it out")
	}
}

func TestNothingToBeginWith(t *testing.T) {
	_, _, err := party.Prove(holder("alice"), true)
	failed(t, err, NoKey)
	for name, p := range map[string]Party{
		"an address":  {ID: "192.0.2.7", Name: "x", Origins: []string{"https://192.0.2.7"}},
		"IPv6":        {ID: "2001:db8::1", Name: "x", Origins: []string{"https://[2001:db8::1]"}},
		"a port":      {ID: "example.com:8443", Name: "x", Origins: party.Origins},
		"no ID":       {Name: "x", Origins: party.Origins},
		"no name":     {ID: "example.com", Origins: party.Origins},
		"no origin":   {ID: "example.com", Name: "x"},
		"an origin":   {ID: "https://example.com", Name: "x", Origins: party.Origins},
		"no spelling": {ID: "bücher.example", Name: "x", Origins: party.Origins},
	} {
		if p.Name != "" && p.Usable() {
			t.Errorf("%s: is usable", name)
		}
		if _, _, err := p.Register(holder("alice"), true); err == nil {
			t.Errorf("%s: registers", name)
		} else {
			failed(t, err, Unusable)
		}
	}
	_, _, err = party.Register(Holder{Name: "alice"}, true)
	failed(t, err, Unusable)
	_, _, err = party.Register(Holder{Name: "alice", Handle: make([]byte, 65)}, true)
	failed(t, err, Unusable)
}
