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
	Owner   []byte               `json:"owner"` // the Holder's own handle, which its first key may not have
	Session webauthn.SessionData `json:"session"`
}

func begun(options any, to purpose, h Holder, s *webauthn.SessionData) (json.RawMessage, []byte, error) {
	public, err := json.Marshal(options)
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	kept, err := json.Marshal(ceremony{to, h.Handle, *s})
	if err != nil {
		return nil, nil, &Error{Unusable, err}
	}
	return public, kept, nil
}

// resume takes a ceremony up again. Whose it is, for what, where and until
// when is asked here, before a look at the answer.
func (p Party) resume(h Holder, to purpose, kept, answer []byte) (*webauthn.WebAuthn, person, webauthn.SessionData, error) {
	refuse := func(k Kind, err error) (*webauthn.WebAuthn, person, webauthn.SessionData, error) {
		return nil, person{}, webauthn.SessionData{}, &Error{k, err}
	}
	if len(answer) > MaxAnswer {
		return refuse(TooLarge, errTooLarge)
	}
	var c ceremony
	if err := json.Unmarshal(kept, &c); err != nil {
		return refuse(WrongCeremony, err)
	}
	w, who, err := p.open(h)
	switch s := c.Session; {
	case err != nil:
		return nil, person{}, s, err
	case c.Purpose != to, s.RelyingPartyID != p.ID:
		return refuse(WrongCeremony, errWrongCeremony)
	case len(h.Handle) == 0, !bytes.Equal(c.Owner, h.Handle), !bytes.Equal(s.UserID, who.Handle):
		return refuse(WrongOwner, errWrongOwner)
	case !time.Now().Before(s.Expires):
		return refuse(Expired, errExpired)
	}
	return w, who, c.Session, nil
}
