package otp

import (
	"encoding/base64"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
)

// The rates at which codes may be sent, whoever asks for them: another
// challenge, browser, node or person shares them.
var (
	// SMSPerNumber keeps a person's telephone from being rung all day.
	SMSPerNumber = []limits.Rate{
		{Count: 1, Period: Wait},
		{Count: 3, Period: 10 * time.Minute},
		{Count: 5, Period: time.Hour},
		{Count: 10, Period: 24 * time.Hour},
	}
	// SMSPerBlock holds for all numbers that differ in their last four digits
	// only. Carriers give numbers out in such blocks, and who gets a share of
	// what a message costs (artificially inflated traffic) asks for codes to
	// many numbers of one.
	SMSPerBlock = []limits.Rate{
		{Count: 30, Period: time.Hour},
		{Count: 100, Period: 24 * time.Hour},
	}
	// SMSInAll bounds what a day of it can cost at all. It is the default; who
	// has more people than that has to say so.
	SMSInAll = []limits.Rate{
		{Count: 1000, Period: time.Hour},
		{Count: 5000, Period: 24 * time.Hour},
	}
	// MailPerAddress is generous: a mail costs nothing, but a mailbox full of
	// codes hides what else arrives.
	MailPerAddress = []limits.Rate{
		{Count: 1, Period: Wait},
		{Count: 5, Period: 15 * time.Minute},
		{Count: 20, Period: 24 * time.Hour},
	}
)

// Charge is one budget that a send draws on. Key holds no number or address.
type Charge struct {
	Key   string
	Rates []limits.Rate
}

// Charges lists the budgets of a send, the narrowest first. to is a number in
// E.164 or an address in the one form that all its spellings share; inAll
// replaces SMSInAll unless it is empty.
func Charges(key []byte, factor identity.Factor, to string, inAll []limits.Rate) []Charge {
	if factor != identity.SMS {
		return []Charge{{name(key, "mail", to), MailPerAddress}}
	}
	if len(inAll) == 0 {
		inAll = SMSInAll
	}
	return []Charge{
		{name(key, "sms", to), SMSPerNumber},
		{name(key, "sms-block", block(to)), SMSPerBlock},
		{"send/sms-all", inAll},
	}
}

// block is a number without its last four digits.
func block(number string) string { return number[:max(0, len(number)-4)] }

func name(key []byte, kind, value string) string {
	return "send/" + kind + "/" + base64.RawURLEncoding.EncodeToString(seal.Digest(key, "send", kind, value))
}
