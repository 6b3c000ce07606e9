package admin

import (
	"encoding/json"
	"unicode/utf8"
)

// Name is a person's name byte for byte. In JSON it is a string, or, where it
// is no UTF-8 and a string would not bring it back, {"base64": "…"}.
type Name string

type rawName struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (n Name) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(n)) {
		return json.Marshal(string(n))
	}
	return json.Marshal(rawName{[]byte(n)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Name) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		var raw rawName
		err := json.Unmarshal(text, &raw)
		*n = Name(raw.Base64)
		return err
	}
	return json.Unmarshal(text, (*string)(n))
}
