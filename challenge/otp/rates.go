package otp

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
)

// How many codes may be sent, whoever asks for them: another challenge,
// browser, node or person shares these bounds. Those for one number or address
// hold for every stretch of their period, wherever it begins.
var (
	// SMSPerNumber keeps a person's telephone from being rung all day.
	SMSPerNumber = []limits.Rate{
		{Count: 1, Period: Wait},
		{Count: 3, Period: 10 * time.Minute},
		{Count: 5, Period: time.Hour},
		{Count: 10, Period: 24 * time.Hour},
	}
	// MailPerAddress is generous: a mail costs nothing, but a mailbox full of
	// codes hides what else arrives.
	MailPerAddress = []limits.Rate{
		{Count: 1, Period: Wait},
		{Count: 5, Period: 15 * time.Minute},
		{Count: 20, Period: 24 * time.Hour},
	}
	// SMSPerBlock holds for all numbers that differ in their last four digits
	// only. Carriers give numbers out in such blocks, and who gets a share of
	// what a message costs (artificially inflated traffic) asks for codes to
	// many numbers of one. It refills evenly.
	SMSPerBlock = []limits.Rate{
		{Count: 30, Period: time.Hour},
		{Count: 100, Period: 24 * time.Hour},
	}
	// SMSInAll bounds what a day of it can cost at all, and refills evenly. It
	// is the default; who has more people than that has to say so.
	SMSInAll = []limits.Rate{
		{Count: 1000, Period: time.Hour},
		{Count: 5000, Period: 24 * time.Hour},
	}
)

// Charge is a budget that a send draws on: an attempt of any one of Keys, the
// first that has one. The keys hold no number or address.
type Charge struct {
	Keys  []string
	Rates []limits.Rate
}

// Charges lists the budgets of a send, the narrowest first; it takes one
// attempt from each. to is a number in E.164 or an address in the one form
// that all its spellings share; inAll replaces SMSInAll unless it is empty.
func Charges(key []byte, factor identity.Factor, to string, inAll []limits.Rate) []Charge {
	if factor != identity.SMS {
		return windows(name(key, "mail", to), MailPerAddress)
	}
	if len(inAll) == 0 {
		inAll = SMSInAll
	}
	return append(windows(name(key, "sms", to), SMSPerNumber),
		Charge{[]string{name(key, "sms-block", block(to))}, SMSPerBlock},
		Charge{[]string{"send/sms-all"}, inAll})
}

// windows makes of "so many in a period" as many places, each free again a
// period after it was taken. One budget that refills evenly would let through
// almost twice as many in the first period: all at once, and what refills.
func windows(key string, rates []limits.Rate) (all []Charge) {
	for _, r := range rates {
		c := Charge{Rates: []limits.Rate{{Count: 1, Period: r.Period}}}
		for place := range r.Count {
			c.Keys = append(c.Keys, fmt.Sprintf("%s/%s/%d", key, r.Period, place))
		}
		all = append(all, c)
	}
	return all
}

// ByStranger leaves the owner of a number or address half of every hour and
// day: of what is sent there because somebody typed it to bind it, who may be
// anybody. Otherwise who knows a number could use up what its owner signs in by.
func ByStranger(all []Charge) []Charge {
	for i, c := range all {
		if places := len(c.Keys); places > 1 && c.Rates[0].Period >= time.Hour {
			all[i].Keys = c.Keys[:(places+1)/2]
		}
	}
	return all
}

// block is a number without its last four digits.
func block(number string) string { return number[:max(0, len(number)-4)] }

func name(key []byte, kind, value string) string {
	return "send/" + kind + "/" + base64.RawURLEncoding.EncodeToString(seal.Digest(key, "send", kind, value))
}
