package passkey

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

var (
	party = Party{ID: "example.com", Name: "Example Cloud",
		Origins: []string{"https://wiki.example.com", "https://blog.example.com:8443"}}
	other = Party{ID: "example.net", Name: "Example Cloud", Origins: []string{"https://wiki.example.net"}}
)

// holder is a person; the digest stands for one that the caller makes.
func holder(name string, keys ...Key) Holder {
	digest := sha256.Sum256([]byte(name))
	h := Holder{Handle: digest[:], Name: name}
	for _, k := range keys {
		h.Keys = append(h.Keys, k.Raw)
	}
	return h
}

// device is a software authenticator in a browser that can be told to lie.
type device struct {
	t      *testing.T
	id     string // the relying party that it believes to be at
	origin string
	auth   virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
}

func newDevice(t *testing.T, h Holder) *device {
	return &device{t, party.ID, party.Origins[0],
		virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: h.Handle}), newCredential(t)}
}

// newCredential makes a key whose coordinates have all their bytes: the
// software authenticator drops leading zeros, which COSE forbids (RFC 9053,
// section 7.1.1).
func newCredential(t *testing.T) virtualwebauthn.Credential {
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		parsed, err := x509.ParsePKCS8PrivateKey(c.Key.Data)
		if err != nil {
			t.Fatal(err)
		}
		point, err := parsed.(*ecdsa.PrivateKey).PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] != 0 && point[33] != 0 {
			return c
		}
	}
}

func (d *device) party() virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{ID: d.id, Name: party.Name, Origin: d.origin}
}

// create answers the options of a registration.
func (d *device) create(options []byte) []byte {
	d.t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		d.t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAttestationResponse(d.party(), d.auth, d.cred, *o))
}

// get answers the options of a proof.
func (d *device) get(options []byte) []byte {
	d.t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		d.t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAssertionResponse(d.party(), d.auth, d.cred, *o))
}

// bind registers the device for a person.
func (d *device) bind(h Holder) Key {
	d.t.Helper()
	options, ceremony := registering(d.t, h)
	k, err := party.Registered(h, ceremony, d.create(options))
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

func registering(t *testing.T, h Holder) (options, ceremony []byte) {
	t.Helper()
	options, ceremony, err := party.Register(h, true)
	if err != nil {
		t.Fatal(err)
	}
	return options, ceremony
}

func proving(t *testing.T, h Holder) (options, ceremony []byte) {
	t.Helper()
	options, ceremony, err := party.Prove(h, true)
	if err != nil {
		t.Fatal(err)
	}
	return options, ceremony
}

// parts are what an answer consists of, decoded, for tests to change.
type parts struct {
	ID, RawID, Type string
	client          map[string]any
	auth            []byte // authenticator data
	signature       []byte
	handle          []byte
}

// resigned is an answer to a proof with other parts, signed with the device's
// key: what a browser that lies, with an authenticator that does as told,
// could send.
func (d *device) resigned(answer []byte, change func(*parts)) []byte {
	d.t.Helper()
	response := map[string]string{}
	p := parts{handle: d.auth.Options.UserHandle, client: map[string]any{}}
	decode(d.t, answer, &struct {
		*parts
		Response *map[string]string
	}{&p, &response})
	decode(d.t, unbase(d.t, response["clientDataJSON"]), &p.client)
	p.auth = unbase(d.t, response["authenticatorData"])
	change(&p)
	client := encode(d.t, p.client)
	if p.signature == nil {
		p.signature = d.sign(p.auth, client)
	}
	return encode(d.t, map[string]any{"id": p.ID, "rawId": p.RawID, "type": p.Type, "response": map[string]string{
		"clientDataJSON": base(client), "authenticatorData": base(p.auth), "signature": base(p.signature), "userHandle": base(p.handle)}})
}

func (d *device) sign(auth, client []byte) []byte {
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte(nil), auth...), hash[:]...))
	signature, err := d.cred.Key.Sign(digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return signature
}

// unattested is an answer to a registration with other parts and, as browsers
// send it when no attestation is asked for, with nothing signed.
func unattested(t *testing.T, answer []byte, change func(*parts)) []byte {
	t.Helper()
	response := map[string]string{}
	p := parts{client: map[string]any{}}
	decode(t, answer, &struct {
		*parts
		Response *map[string]string
	}{&p, &response})
	decode(t, unbase(t, response["clientDataJSON"]), &p.client)
	var object protocol.AttestationObject
	if err := webauthncbor.Unmarshal(unbase(t, response["attestationObject"]), &object); err != nil {
		t.Fatal(err)
	}
	p.auth = object.RawAuthData
	change(&p)
	return encode(t, map[string]any{"id": p.ID, "rawId": p.RawID, "type": p.Type, "response": map[string]string{
		"clientDataJSON": base(encode(t, p.client)), "attestationObject": base(attestation(t, p.auth))}})
}

// attestation is an attestation object of format none (section 8.7).
func attestation(t *testing.T, auth []byte) []byte {
	t.Helper()
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": auth})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func base(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unbase(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// failed fails the test unless err is an Error of that kind.
func failed(t *testing.T, err error, want Kind) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v, want an error of kind %s", err, want)
	}
	if e.Kind != want {
		t.Errorf("%v, want kind %s", err, want)
	}
}
