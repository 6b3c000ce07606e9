package notify

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Twilio sends SMS through Twilio, or through whoever speaks its interface.
type Twilio struct {
	// Account is the account's SID, AC….
	Account string `json:"account"`
	// Token is the account's auth token.
	Token string `json:"token"`
	// From is the number or name to send from, or a messaging service, MG….
	From string `json:"from"`
	// Endpoint is another server than https://api.twilio.com, for instance that
	// of a region.
	Endpoint string `json:"endpoint,omitempty"`
}

// Validate says what is wrong with the settings.
func (t *Twilio) Validate() error {
	switch {
	case t.Account == "" || strings.ContainsAny(t.Account, "/?#%"):
		return errors.New("sms twilio: say which account, as `account AC0123456789abcdef0123456789abcdef`")
	case t.Token == "":
		return errors.New("sms twilio: say the account's auth token, as `token {file./run/secrets/twilio}`")
	case t.From == "":
		return errors.New("sms twilio: say what number or messaging service sends, as `from +15005550006`")
	}
	return checkAddress("endpoint", t.endpoint())
}

func (t *Twilio) endpoint() string { return cmp.Or(t.Endpoint, "https://api.twilio.com") }

// Carries implements Carrier.
func (t *Twilio) Carries(Message) bool { return true }

// Carry implements Carrier.
func (t *Twilio) Carry(ctx context.Context, m Message) error {
	sender := "From"
	if strings.HasPrefix(t.From, "MG") {
		sender = "MessagingServiceSid"
	}
	form := url.Values{"To": {m.To}, sender: {t.From}, "Body": {m.Text}}
	at := strings.TrimSuffix(t.endpoint(), "/") + "/2010-04-01/Accounts/" + t.Account + "/Messages.json"
	r, err := http.NewRequest(http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return &Fault{Broken, err}
	}
	r.Header.Set("Content-Type", formBody)
	r.SetBasicAuth(t.Account, t.Token)
	return ask(ctx, r, Success{}, "/code")
}
