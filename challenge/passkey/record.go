package passkey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// version is the form in which records are written now.
const version = 1

// record is what is stored of a key (section 4, "credential record").
type record struct {
	Version    int                 `json:"v"`
	Party      string              `json:"rp"`
	Handle     []byte              `json:"user"` // what the authenticator knows its owner by, for good
	Credential webauthn.Credential `json:"credential"`
}

func readRecord(raw []byte) (record, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{}, &Error{Unreadable, err}
	}
	if r.Version != version || r.Party == "" || len(r.Handle) == 0 || len(r.Credential.ID) == 0 {
		return record{}, &Error{Unreadable, fmt.Errorf("a record of version %d", r.Version)}
	}
	// A warning once given is the trail's; it says nothing of the next use.
	r.Credential.Authenticator.CloneWarning = false
	return r, nil
}

// Matches tells whether a stored key counts at a relying party. It counts
// only at the one that it was registered for: no browser would offer it
// anywhere else.
func Matches(raw []byte, rpID string) bool {
	r, err := readRecord(raw)
	return err == nil && r.Party == rpID
}

// person reads those of a person's keys that count at this party. An
// authenticator tells whose a key is by the handle that it was made under, so
// that one stays, whatever secret the digests of others are made with later.
func (p Party) person(h Holder) (person, error) {
	who := person{Holder: h}
	for _, raw := range h.Keys {
		r, err := readRecord(raw)
		if err != nil {
			return person{}, err
		}
		if r.Party == p.ID {
			who.Handle, who.keys = r.Handle, append(who.keys, r.Credential)
		}
	}
	return who, nil
}

func find(keys []webauthn.Credential, id []byte) (webauthn.Credential, bool) {
	i := slices.IndexFunc(keys, func(c webauthn.Credential) bool { return bytes.Equal(c.ID, id) })
	if i < 0 {
		return webauthn.Credential{}, false
	}
	return keys[i], true
}

// key is a credential as the caller sees and stores it; handle is its owner's,
// flags are those of the ceremony that just was.
func (p Party) key(handle []byte, c webauthn.Credential, flags protocol.AuthenticatorFlags) (Key, error) {
	k := Key{
		ID: c.ID, Counter: c.Authenticator.SignCount,
		Verified: flags.HasUserVerified(), Regressed: c.Authenticator.CloneWarning,
		Synced: flags.HasBackupState(), Label: label(c.Transport),
	}
	// No attestation was asked for, so there is nothing to check again later.
	c.Attestation = webauthn.CredentialAttestation{PublicKeyAlgorithm: c.Attestation.PublicKeyAlgorithm}
	var err error
	if k.Raw, err = json.Marshal(record{version, p.ID, handle, c}); err != nil {
		return Key{}, &Error{Unreadable, err}
	}
	return k, nil
}

// label reads how an authenticator is reached (section 5.8.4). A device's own
// keychain that can also be reached from elsewhere is the device.
func label(transports []protocol.AuthenticatorTransport) string {
	for _, l := range []struct {
		t    protocol.AuthenticatorTransport
		name string
	}{
		{protocol.Internal, "device"}, {protocol.Hybrid, "phone"},
		{protocol.USB, "key"}, {protocol.NFC, "key"}, {protocol.BLE, "key"}, {protocol.SmartCard, "key"},
	} {
		if slices.Contains(transports, l.t) {
			return l.name
		}
	}
	return ""
}
