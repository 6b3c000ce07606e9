package passkey

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Kind is the step at which a ceremony failed, as the log and the trail have
// it. A person is told less.
type Kind string

// The kinds. Those of an answer stand in the order in which they are looked
// at.
const (
	Unusable   Kind = "unusable"   // no ceremony can be at this party: an address instead of a name, no brand, no handle
	Unreadable Kind = "unreadable" // a stored key is not what was stored
	NoKey      Kind = "no_key"     // there is nothing to prove with here

	TooLarge      Kind = "too_large"
	WrongCeremony Kind = "wrong_ceremony" // begun for something else, or at another party
	WrongOwner    Kind = "wrong_owner"    // begun by somebody else, or the key says that it is somebody else's
	Expired       Kind = "expired"
	Malformed     Kind = "malformed"

	UnknownKey           Kind = "unknown_key"
	KeysChanged          Kind = "keys_changed" // a key was bound or removed since the ceremony began
	WrongType            Kind = "wrong_type"   // client data of the other kind of ceremony
	ChallengeMismatch    Kind = "challenge_mismatch"
	OriginMismatch       Kind = "origin_mismatch"
	CrossOrigin          Kind = "cross_origin" // from inside a frame of a page elsewhere
	PartyMismatch        Kind = "rp_mismatch"
	NotPresent           Kind = "not_present"  // nobody touched it
	NotVerified          Kind = "not_verified" // no PIN, no biometry, although demanded
	UnsupportedAlgorithm Kind = "unsupported_algorithm"
	Attestation          Kind = "attestation"
	BadSignature         Kind = "bad_signature"
	BackupState          Kind = "backup_state" // flags that cannot be, or that can never change and did
	AlreadyBound         Kind = "already_bound"
	Refused              Kind = "refused" // for a reason that has no word here
)

// Error is why a ceremony failed. Err may quote what the browser sent: it is
// for the log alone.
type Error struct {
	Kind Kind
	Err  error
}

// Error is for the log.
func (e *Error) Error() string { return "passkey: " + string(e.Kind) + ": " + detail(e.Err) }

// Unwrap returns what the library said.
func (e *Error) Unwrap() error { return e.Err }

// detail adds what the library says only to those who ask.
func detail(err error) string {
	var e *protocol.Error
	if errors.As(err, &e) && e.DevInfo != "" {
		return err.Error() + ": " + e.DevInfo
	}
	return err.Error()
}

var (
	errTooLarge      = errors.New("the answer is larger than any authenticator's")
	errWrongCeremony = errors.New("the ceremony was begun for something else")
	errWrongOwner    = errors.New("the ceremony was begun by somebody else")
	errExpired       = errors.New("the ceremony took too long")
	errNoKey         = errors.New("no key is bound at this relying party")
	errAlreadyBound  = errors.New("the key is bound already")
)

// The library decides; it has one kind of error for most of what it finds.
// What follows only names, in the library's own order, what it refused.

// whyNotRegistered names the step of section 7.1 that failed.
func (p Party) whyNotRegistered(s webauthn.SessionData, a *protocol.ParsedCredentialCreationData, err error) Kind {
	object := a.Response.AttestationObject
	if k := p.why(s, protocol.CreateCeremony, a.Response.CollectedClientData, object.AuthData); k != "" {
		return k
	}
	switch {
	case !supported(object.AuthData.AttData.CredentialPublicKey):
		return UnsupportedAlgorithm
	case !bytes.Equal(a.RawID, object.AuthData.AttData.CredentialID):
		return Malformed
	case impossible(object.AuthData.Flags):
		return BackupState
	case object.Format != string(protocol.AttestationFormatNone) || len(object.AttStatement) > 0:
		return Attestation
	}
	return Refused
}

// whyNotProved names the step of section 7.2 that failed.
func (p Party) whyNotProved(who person, s webauthn.SessionData, a *protocol.ParsedCredentialAssertionData, err error) Kind {
	c, known := find(who.keys, a.RawID)
	switch handle := a.Response.UserHandle; {
	case !known:
		return UnknownKey
	case !allowed(s, who.keys, a.RawID):
		return KeysChanged
	case len(handle) > 0 && !bytes.Equal(handle, who.Handle):
		return WrongOwner
	}
	if k := p.why(s, protocol.AssertCeremony, a.Response.CollectedClientData, a.Response.AuthenticatorData); k != "" {
		return k
	}
	flags := a.Response.AuthenticatorData.Flags
	var e *protocol.Error
	switch {
	case errors.As(err, &e) && e.Type == protocol.ErrAssertionSignature.Type:
		return BadSignature
	case impossible(flags) || flags.HasBackupEligible() != c.Flags.BackupEligible:
		return BackupState
	}
	return Refused
}

// allowed tells whether the ceremony was begun with this key, and with none
// that is gone.
func allowed(s webauthn.SessionData, keys []webauthn.Credential, id []byte) bool {
	named := false
	for _, a := range s.AllowedCredentialIDs {
		if _, bound := find(keys, a); !bound {
			return false
		}
		named = named || bytes.Equal(a, id)
	}
	return named
}

// why names the step that both ceremonies have in common, "" when it is none
// of them.
func (p Party) why(s webauthn.SessionData, want protocol.CeremonyType, d protocol.CollectedClientData, a protocol.AuthenticatorData) Kind {
	hash := sha256.Sum256([]byte(p.ID))
	switch {
	case d.Type != want:
		return WrongType
	case d.Challenge != s.Challenge:
		return ChallengeMismatch
	case !protocol.IsOriginInHaystack(d.Origin, p.Origins):
		return OriginMismatch
	case d.CrossOrigin || d.TopOrigin != "":
		return CrossOrigin
	case !bytes.Equal(a.RPIDHash, hash[:]):
		return PartyMismatch
	case !a.Flags.HasUserPresent():
		return NotPresent
	case s.UserVerification == protocol.VerificationRequired && !a.Flags.HasUserVerified():
		return NotVerified
	}
	return ""
}

func supported(public []byte) bool {
	var k webauthncose.PublicKeyData
	if err := webauthncbor.Unmarshal(public, &k); err != nil {
		return false
	}
	for _, a := range algorithms {
		if webauthncose.COSEAlgorithmIdentifier(k.Algorithm) == a.Algorithm {
			return true
		}
	}
	return false
}

// impossible tells whether a key is backed up that cannot be (section 6.1.3).
func impossible(f protocol.AuthenticatorFlags) bool {
	return f.HasBackupState() && !f.HasBackupEligible()
}
