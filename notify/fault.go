package notify

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is what an error means for the message and for the provider.
type Kind uint8

// The kinds. What is not known to be any other is Unclear.
const (
	// Unclear: the provider may have the message. It is not sent again, since
	// the person can ask for another, and two codes by one press of a button
	// confuse: the older no longer counts.
	Unclear Kind = iota
	// Temporary: the provider certainly does not have it, and may take it soon.
	Temporary
	// Deferred is Temporary because of whom the message is for: their mailbox is
	// full, or their number got too many. That says nothing about the next
	// message.
	Deferred
	// Refused: the provider does not want this one, for instance for its
	// number. That says nothing about the next message either.
	Refused
	// Broken: the provider wants none from us, for instance for our password.
	Broken
)

// Fault is an error of a known kind.
type Fault struct {
	Kind Kind
	Err  error
}

// Error implements error.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap is for package errors.
func (f *Fault) Unwrap() error { return f.Err }

// kind is that of any error of a carrier.
func kind(err error) Kind {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return Unclear
}

// again tells whether a second try makes sense.
func again(err error) bool {
	k := kind(err)
	return err != nil && (k == Temporary || k == Deferred)
}

// alive tells whether the provider works. Otherwise people could switch a
// channel off for everybody, by numbers that no provider takes.
func alive(err error) bool {
	k := kind(err)
	return err == nil || k == Deferred || k == Refused
}

// fault is an error of a kind, with what was done when it happened.
func fault(k Kind, format string, args ...any) error {
	return &Fault{k, fmt.Errorf(format, args...)}
}

// masked is an address as logs may have it: enough to find the entry for a
// person who calls, not enough to write to them.
func masked(to string) string {
	if at := strings.LastIndexByte(to, '@'); at > 0 {
		_, size := utf8.DecodeRuneInString(to)
		return to[:size] + "***" + to[at:]
	}
	if len(to) < 7 {
		return "***"
	}
	return "***" + to[len(to)-2:]
}

// scrubbed is what a provider said, without what it repeated of the message.
func scrubbed(err error, m Message) string {
	text := err.Error()
	for _, secret := range []string{m.Text, m.Subject, strings.TrimPrefix(m.To, "+"), m.Code} {
		if secret != "" {
			text = replaceFold(text, secret, "***")
		}
	}
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// replaceFold replaces ASCII text in whatever case it stands: servers repeat
// addresses in lower case.
func replaceFold(text, old, with string) string {
	lower, old := asciiLower(text), asciiLower(old)
	var out strings.Builder
	for {
		i := strings.Index(lower, old)
		if i < 0 {
			return out.String() + text
		}
		out.WriteString(text[:i] + with)
		text, lower = text[i+len(old):], lower[i+len(old):]
	}
}

// asciiLower keeps every byte's place, which strings.ToLower does not.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
