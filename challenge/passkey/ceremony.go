package passkey

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

// purpose keeps the ceremonies apart: an answer to one kind never counts for
// the other, whatever it signs.
type purpose string

const (
	toRegister purpose = "create"
	toProve    purpose = "get"
)

// ceremony is what lies in the store between the options and the answer.
type ceremony struct {
	Purpose purpose              `json:"purpose"`
	Session webauthn.SessionData `json:"session"`
}

func begun(options any, to purpose, s *webauthn.SessionData) (json.RawMessage, []byte, error) {
	public, err := json.Marshal(options)
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	kept, err := json.Marshal(ceremony{to, *s})
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	return public, kept, nil
}

// resume takes a ceremony up again. Whose it is, for what, where and until
// when is asked here, before a look at the answer.
func (p Party) resume(h Holder, to purpose, kept, answer []byte) (*webauthn.WebAuthn, []webauthn.Credential, webauthn.SessionData, error) {
	refuse := func(k Kind, err error) (*webauthn.WebAuthn, []webauthn.Credential, webauthn.SessionData, error) {
		return nil, nil, webauthn.SessionData{}, &Error{k, err}
	}
	if len(answer) > MaxAnswer {
		return refuse(TooLarge, errTooLarge)
	}
	var c ceremony
	if err := json.Unmarshal(kept, &c); err != nil {
		return refuse(WrongCeremony, err)
	}
	switch s := c.Session; {
	case c.Purpose != to, s.RelyingPartyID != p.ID:
		return refuse(WrongCeremony, errWrongCeremony)
	case len(h.Handle) == 0, !bytes.Equal(s.UserID, h.Handle):
		return refuse(WrongOwner, errWrongOwner)
	case !time.Now().Before(s.Expires):
		return refuse(Expired, errExpired)
	}
	w, keys, err := p.open(h)
	return w, keys, c.Session, err
}
