// Package passkey is the passkey as a factor: public keys that an
// authenticator made for one relying party and proves to hold (Web
// Authentication, level 3).
//
// It makes options for a browser, checks what comes back, and says which step
// failed. It keeps nothing: a ceremony and a bound key are bytes that the
// caller seals, stores and hands in again. That a ceremony is used once is the
// caller's business, since only a store can see to it.
package passkey

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Lifetime is how long a person may take: to find the key, to plug it in, to
// remember its PIN (section 15.1 advises at least five minutes).
const Lifetime = 5 * time.Minute

// MaxAnswer bounds what a browser may send. An answer with an RSA key and
// credProps takes less than 3 KiB.
const MaxAnswer = 8 << 10

// Party is a relying party: one realm at one host.
type Party struct {
	ID      string   // the RP ID: the realm's rp_id, or the host
	Name    string   // the brand, which authenticators show
	Origins []string // "https://host[:port]", each that may run a ceremony
}

// Usable tells whether a browser would run a ceremony here: the ID is a domain
// that each origin's host is in (section 5.1.3, step 8). An address is none.
func (p Party) Usable() bool {
	for _, origin := range p.Origins {
		u, err := url.Parse(origin)
		if err != nil {
			return false
		}
		if host := u.Hostname(); host != p.ID && !strings.HasSuffix(host, "."+p.ID) {
			return false
		}
	}
	return len(p.Origins) > 0 && protocol.ValidateRPID(p.ID) == nil
}

// Holder is who registers or proves.
type Holder struct {
	Handle []byte   // the user handle for a first key: a secret digest of 1 to 64 bytes (section 14.6.1); later keys get the first one's
	Name   string   // what authenticators list the passkey under
	Keys   [][]byte // the bound keys, each as Key.Raw
}

// Key is a bound key.
type Key struct {
	ID  []byte // the credential ID, unique among all people of a relying party (section 7.1, step 26)
	Raw []byte // what is stored, sealed by the caller: see Matches

	Counter   uint32 // the signature counter, 0 when the authenticator does not count; if Regressed, the one before
	Verified  bool   // the authenticator knew the person in this ceremony, by PIN or biometry: not merely a touch
	Regressed bool   // the counter stayed or fell although it counts (section 7.2, step 22): possibly there is a copy
	Synced    bool   // it is backed up, so that other devices of the person have it as well

	// Label says what kind of thing holds it, as a word for the catalogues:
	// "device", "phone", "key" or "" when the browser did not say.
	Label string
}

// Register begins to bind a key. options is what the page hands to the
// browser (PublicKeyCredentialCreationOptionsJSON); ceremony is what
// Registered needs. verify demands that the authenticator knows the person.
func (p Party) Register(h Holder, verify bool) (options json.RawMessage, ceremony []byte, err error) {
	w, who, err := p.open(h)
	if err != nil {
		return nil, nil, err
	}
	wanted := protocol.VerificationPreferred // so that the key serves where it is demanded later
	if verify {
		wanted = protocol.VerificationRequired
	}
	creation, session, err := w.BeginRegistration(who,
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: wanted}),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
		webauthn.WithCredentialParameters(algorithms),
		webauthn.WithExclusions(webauthn.Credentials(who.keys).CredentialDescriptors()),
		webauthn.WithExtensions(webauthn.WithExtensionCredProps()))
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	return begun(creation.Response, toRegister, h, session)
}

// Registered checks the browser's answer to Register's options (section 7.1)
// and returns the key to store.
func (p Party) Registered(h Holder, ceremony, answer []byte) (Key, error) {
	w, who, session, err := p.resume(h, toRegister, ceremony, answer)
	if err != nil {
		return Key{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Key{}, &Error{Malformed, err}
	}
	c, err := w.CreateCredential(who, session, parsed)
	if err != nil {
		return Key{}, &Error{p.whyNotRegistered(session, parsed, err), err}
	}
	if _, bound := find(who.keys, c.ID); bound {
		return Key{}, &Error{AlreadyBound, errAlreadyBound}
	}
	return p.key(who.Handle, *c, parsed.Response.AttestationObject.AuthData.Flags)
}

// Prove begins to prove that a person holds one of their keys. options is
// what the page hands to the browser (PublicKeyCredentialRequestOptionsJSON).
// A person without a key at this party gets an Error of kind NoKey.
func (p Party) Prove(h Holder, verify bool) (options json.RawMessage, ceremony []byte, err error) {
	w, who, err := p.open(h)
	if err != nil {
		return nil, nil, err
	}
	if len(who.keys) == 0 {
		return nil, nil, &Error{NoKey, errNoKey}
	}
	wanted := protocol.VerificationDiscouraged // a touch will do: no PIN for nothing
	if verify {
		wanted = protocol.VerificationRequired
	}
	request, session, err := w.BeginLogin(who, webauthn.WithUserVerification(wanted))
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	return begun(request.Response, toProve, h, session)
}

// Proved checks the browser's answer to Prove's options (section 7.2) and
// returns the key as it must be stored now. No error means that the signature
// is the key's; whoever calls must look at Regressed too, and refuse.
func (p Party) Proved(h Holder, ceremony, answer []byte) (Key, error) {
	w, who, session, err := p.resume(h, toProve, ceremony, answer)
	if err != nil {
		return Key{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Key{}, &Error{Malformed, err}
	}
	c, err := w.ValidateLogin(who, session, parsed)
	if err != nil {
		return Key{}, &Error{p.whyNotProved(who, session, parsed, err), err}
	}
	return p.key(who.Handle, *c, parsed.Response.AuthenticatorData.Flags)
}

// algorithms are what a key may sign with, the best liked first: every
// authenticator and browser knows the first, Windows Hello on old machines
// only the last.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// open makes the library's relying party, and reads those of the person's
// keys that count at it.
func (p Party) open(h Holder) (*webauthn.WebAuthn, person, error) {
	who, err := p.person(h)
	if err != nil {
		return nil, person{}, err
	}
	limit := webauthn.TimeoutConfig{Enforce: true, Timeout: Lifetime, TimeoutUVD: Lifetime}
	w, err := webauthn.New(&webauthn.Config{
		RPID: p.ID, RPDisplayName: p.Name, RPOrigins: p.Origins,
		Timeouts: webauthn.TimeoutsConfig{Login: limit, Registration: limit},
		// Some password managers add outputs that nobody asked for. None is
		// looked at here, and section 7.1 leaves it open.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, person{}, &Error{Unusable, fmt.Errorf("at %q: %w", p.ID, err)}
	}
	return w, who, nil
}

// person is a Holder as the library wants to see one.
type person struct {
	Holder
	keys []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return p.Handle }
func (p person) WebAuthnName() string                       { return p.Name }
func (p person) WebAuthnDisplayName() string                { return p.Name }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.keys }
