// Package notify carries messages out: mail by SMTP and SMS by a provider's
// HTTP interface. It is transport only. What is said, in which language and to
// whom, is others' business; so is how often somebody may be written to.
//
// A Courier has one queue for each channel. Send puts a message there and
// never waits for the network, so that a provider that is slow, wrong or dead
// stalls nobody's sign-in: it is told at once, by ErrUnavailable, that another
// factor has to be offered.
package notify

import (
	"context"
	"errors"
)

// Channel is a way to reach a person.
type Channel string

// The channels.
const (
	SMS  Channel = "sms"
	Mail Channel = "email"
)

// Message is what one person is sent. It is never logged whole.
type Message struct {
	Channel Channel
	To      string // a number in E.164 form, or a mail address
	Lang    string // of the text, as `en` or `zh`
	Subject string // of a mail
	Text    string
	Code    string // that is in the text, for providers whose templates take it apart; "" if none
	Purpose string // a stable word for the log, as `login`
}

// ErrUnavailable says that a message cannot be sent now.
var ErrUnavailable = errors.New("notify: the channel is not available")

// Carrier hands messages to one provider.
type Carrier interface {
	// Carries tells whether messages like m can be sent at all: some providers
	// send only what fits a template that they have approved.
	Carries(m Message) bool
	// Carry hands m over, and returns nil when the provider has it. An error is
	// a *Fault wherever more is known than that it is unclear.
	Carry(ctx context.Context, m Message) error
}
