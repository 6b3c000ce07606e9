package passkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Flags of authenticator data, and where they stand (section 6.1).
const (
	flagsAt                                  = 32
	present, verified, eligible, backed      = 1, 4, 8, 16
	attested                            byte = 64
)

// Each step of section 7.1 that fails is told apart.
func TestWhyNotRegistered(t *testing.T) {
	h := holder("alice")
	change := func(f func(*parts)) func(*device, []byte) []byte {
		return func(d *device, options []byte) []byte { return unattested(d.t, d.create(options), f) }
	}
	told := func(f func(*device)) func(*device, []byte) []byte {
		return func(d *device, options []byte) []byte { f(d); return d.create(options) }
	}
	for name, c := range map[string]struct {
		answer func(*device, []byte) []byte
		want   Kind
	}{
		"nothing":          {func(*device, []byte) []byte { return nil }, Malformed},
		"no object":        {func(*device, []byte) []byte { return []byte("[]") }, Malformed},
		"two objects":      {func(d *device, o []byte) []byte { return append(d.create(o), "{}"...) }, Malformed},
		"oversize":         {func(d *device, o []byte) []byte { return append(d.create(o), make([]byte, MaxAnswer)...) }, TooLarge},
		"a proof":          {func(d *device, o []byte) []byte { return d.get(o) }, Malformed},
		"type of a proof":  {change(func(p *parts) { p.client["type"] = "webauthn.get" }), WrongType},
		"payment":          {change(func(p *parts) { p.client["type"] = "payment.get" }), WrongType},
		"challenge":        {change(func(p *parts) { p.client["challenge"] = base(make([]byte, 32)) }), ChallengeMismatch},
		"origin":           {told(func(d *device) { d.origin = "https://wiki.example.com.evil.test" }), OriginMismatch},
		"origin's port":    {told(func(d *device) { d.origin = "https://wiki.example.com:8443" }), OriginMismatch},
		"origin's scheme":  {told(func(d *device) { d.origin = "http://wiki.example.com" }), OriginMismatch},
		"sister host":      {told(func(d *device) { d.origin = "https://other.example.com" }), OriginMismatch},
		"in a frame":       {change(func(p *parts) { p.client["crossOrigin"] = true }), CrossOrigin},
		"under a page":     {change(func(p *parts) { p.client["topOrigin"] = "https://evil.test" }), CrossOrigin},
		"party":            {told(func(d *device) { d.id = "example.net" }), PartyMismatch},
		"nobody there":     {told(func(d *device) { d.auth.Options.UserNotPresent = true }), NotPresent},
		"anybody there":    {told(func(d *device) { d.auth.Options.UserNotVerified = true }), NotVerified},
		"backed up though": {told(func(d *device) { d.auth.Options.BackupState = true }), BackupState},
		"another id":       {change(func(p *parts) { p.ID, p.RawID = base([]byte("other")), base([]byte("other")) }), Malformed},
		"two ids":          {change(func(p *parts) { p.ID = base([]byte("other")) }), Malformed},
		"no key":           {change(func(p *parts) { p.auth[flagsAt] &^= attested }), Malformed},
		"another format": {func(d *device, o []byte) []byte {
			return bytes.Replace(d.create(o), []byte("public-key"), []byte("private-key"), 1)
		}, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, h)
			options, ceremony := registering(t, h)
			_, err := party.Registered(h, ceremony, c.answer(d, options))
			failed(t, err, c.want)
		})
	}
}

// Each step of section 7.2 that fails is told apart, though everything is
// signed by the right key.
func TestWhyNotProved(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	bound := holder("alice", d.bind(h))
	foreign := newDevice(t, holder("bob"))
	foreign.bind(holder("bob"))
	stolen := newDevice(t, h) // the right ID, another key
	stolen.cred.ID = d.cred.ID
	flag := func(clear, set byte) func(*parts) {
		return func(p *parts) { p.auth[flagsAt] = p.auth[flagsAt]&^clear | set }
	}
	signed := func(f func(*parts)) func([]byte) []byte {
		return func(options []byte) []byte { return d.resigned(d.get(options), f) }
	}
	for name, c := range map[string]struct {
		answer func([]byte) []byte
		want   Kind
	}{
		"nothing":             {func([]byte) []byte { return nil }, Malformed},
		"oversize":            {func(o []byte) []byte { return append(d.get(o), make([]byte, MaxAnswer)...) }, TooLarge},
		"a registration":      {d.create, Malformed},
		"another's key":       {foreign.get, UnknownKey},
		"a key of its own":    {stolen.get, BadSignature},
		"says it is bob's":    {signed(func(p *parts) { p.handle = holder("bob").Handle }), WrongOwner},
		"type":                {signed(func(p *parts) { p.client["type"] = "webauthn.create" }), WrongType},
		"challenge":           {signed(func(p *parts) { p.client["challenge"] = base(make([]byte, 32)) }), ChallengeMismatch},
		"no challenge":        {signed(func(p *parts) { delete(p.client, "challenge") }), ChallengeMismatch},
		"origin":              {signed(func(p *parts) { p.client["origin"] = "https://evil.test" }), OriginMismatch},
		"origin, null":        {signed(func(p *parts) { p.client["origin"] = "null" }), OriginMismatch},
		"in a frame":          {signed(func(p *parts) { p.client["crossOrigin"] = true }), CrossOrigin},
		"party":               {signed(func(p *parts) { p.auth[0] ^= 1 }), PartyMismatch},
		"nobody there":        {signed(flag(present, 0)), NotPresent},
		"anybody there":       {signed(flag(verified, 0)), NotVerified},
		"backed up though":    {signed(flag(0, backed)), BackupState},
		"another kind of key": {signed(flag(0, eligible)), BackupState},
		"signature":           {signed(func(p *parts) { p.signature = make([]byte, 70) }), BadSignature},
		"no signature":        {signed(func(p *parts) { p.signature = []byte{} }), BadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			options, ceremony := proving(t, bound)
			_, err := party.Proved(bound, ceremony, c.answer(options))
			failed(t, err, c.want)
		})
	}
	t.Run("untouched", func(t *testing.T) { // or the rest would prove nothing
		options, ceremony := proving(t, bound)
		if _, err := party.Proved(bound, ceremony, d.resigned(d.get(options), func(*parts) {})); err != nil {
			t.Error(err)
		}
	})
}

// Not one bit of what is signed, and none of the signature, can be another.
func TestNoBitIsFree(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	bound := holder("alice", d.bind(h))
	options, ceremony := proving(t, bound)
	answer := d.get(options)
	var whole map[string]any
	decode(t, answer, &whole)
	response := whole["response"].(map[string]any)
	for _, field := range []string{"clientDataJSON", "authenticatorData", "signature"} {
		good := response[field].(string)
		raw := unbase(t, good)
		for i := range raw {
			raw[i] ^= 1 << (i % 8)
			response[field] = base(raw)
			if k, err := party.Proved(bound, ceremony, encode(t, whole)); err == nil {
				t.Errorf("%s with another byte %d passes: %+v", field, i, k)
			}
			raw[i] ^= 1 << (i % 8)
		}
		response[field] = good
	}
	for n := range answer {
		if _, err := party.Proved(bound, ceremony, answer[:n]); err == nil {
			t.Errorf("the first %d bytes pass", n)
		}
	}
	if _, err := party.Proved(bound, ceremony, encode(t, whole)); err != nil {
		t.Errorf("untouched: %v", err)
	}
}

// What a password manager says beyond what was asked is not looked at.
func TestUnaskedOutputs(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	bound := holder("alice", d.bind(h))
	options, ceremony := proving(t, bound)
	answer := map[string]any{}
	decode(t, d.get(options), &answer)
	answer["clientExtensionResults"] = map[string]any{"credProps": map[string]any{"rk": true}, "appid": false, "ours": 1}
	if _, err := party.Proved(bound, ceremony, encode(t, answer)); err != nil {
		t.Error(err)
	}
}

// A counter that stays or falls tells of a copy; one that never counts tells
// nothing.
func TestCounter(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	d.cred.Counter = 10
	k := d.bind(h)
	prove := func(counter uint32) Key {
		t.Helper()
		bound := holder("alice", k)
		options, ceremony := proving(t, bound)
		d.cred.Counter = counter
		k, err := party.Proved(bound, ceremony, d.get(options))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, counter := range []uint32{10, 9, 0} {
		if got := prove(counter); !got.Regressed || got.Counter != 10 {
			t.Errorf("10, then %d: %+v", counter, got)
		}
	}
	k = prove(3) // whoever stores it all the same
	if k = prove(11); k.Regressed || k.Counter != 11 {
		t.Errorf("after a regression the counter goes on, and it says %+v", k)
	}
	if got := prove(11); !got.Regressed {
		t.Error("11 twice")
	}

	d = newDevice(t, h)
	k = d.bind(h)
	for range 2 {
		if k = prove(0); k.Regressed || k.Counter != 0 {
			t.Errorf("never counts: %+v", k)
		}
	}
}

// A key is bound once.
func TestAlreadyBound(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	bound := holder("alice", d.bind(h))
	options, ceremony := registering(t, bound)
	_, err := party.Registered(bound, ceremony, d.create(options))
	failed(t, err, AlreadyBound)
}

// A ceremony ends when the keys that it asked for change.
func TestKeysChanged(t *testing.T) {
	h := holder("alice")
	one, two := newDevice(t, h), newDevice(t, h)
	first, second := one.bind(h), two.bind(h)
	options, ceremony := proving(t, holder("alice", first, second))
	_, err := party.Proved(holder("alice", first), ceremony, one.get(options))
	failed(t, err, KeysChanged)
	_, err = party.Proved(holder("alice", first), ceremony, two.get(options))
	failed(t, err, UnknownKey)
	options, ceremony = proving(t, holder("alice", first))
	_, err = party.Proved(holder("alice", first, second), ceremony, two.get(options))
	failed(t, err, KeysChanged)
}

// A statement that nobody asked for has to be right all the same.
func TestAttestation(t *testing.T) {
	h := holder("alice")
	d := newDevice(t, h)
	options, ceremony := registering(t, h)
	answer := map[string]any{}
	decode(t, d.create(options), &answer)
	response := answer["response"].(map[string]any)
	object := map[string]any{}
	if err := webauthncbor.Unmarshal(unbase(t, response["attestationObject"].(string)), &object); err != nil {
		t.Fatal(err)
	}
	object["fmt"] = "homemade"
	forged, err := webauthncbor.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	response["attestationObject"] = base(forged)
	_, err = party.Registered(h, ceremony, encode(t, answer))
	failed(t, err, Attestation)
}

// Ed25519 keys bind and prove; an algorithm that was not offered does not.
func TestAlgorithms(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := holder("alice")
	register := func(alg int) (Key, error) {
		options, ceremony := registering(t, h)
		d := newDevice(t, h)
		return party.Registered(h, ceremony, unattested(t, d.create(options), func(p *parts) {
			p.ID, p.RawID = base([]byte("ed")), base([]byte("ed"))
			p.auth = attestedData(t, []byte("ed"), map[int]any{1: 1, 3: alg, -1: 6, -2: []byte(public)})
		}))
	}
	_, err = register(-36)
	failed(t, err, UnsupportedAlgorithm)
	k, err := register(-8)
	if err != nil {
		t.Fatal(err)
	}
	bound := holder("alice", k)
	options, ceremony := proving(t, bound)
	d := newDevice(t, h)
	sign := func(p *parts) {
		p.ID, p.RawID = base([]byte("ed")), base([]byte("ed"))
		hash := sha256.Sum256(encode(t, p.client))
		p.signature = ed25519.Sign(private, append(bytes.Clone(p.auth), hash[:]...))
	}
	if _, err := party.Proved(bound, ceremony, d.resigned(d.get(options), sign)); err != nil {
		t.Error(err)
	}
}

// attestedData is authenticator data with a new key (section 6.5.1).
func attestedData(t *testing.T, id []byte, key map[int]any) []byte {
	t.Helper()
	public, err := webauthncbor.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(party.ID))
	data := append(hash[:], present|verified|attested, 0, 0, 0, 0)
	data = append(data, make([]byte, 16)...) // no AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(id)))
	return append(append(data, id...), public...)
}
