package contacts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// Courier carries messages out without making anybody wait; *notify.Courier is
// one.
type Courier interface {
	Send(ctx context.Context, m notify.Message) error
	Has(ch notify.Channel) bool
}

// Writer puts messages into words; *templates.Set is one.
type Writer interface {
	Code(lang string, m templates.CodeMessage) (subject, text string)
	Announce(lang string, a templates.Announcement) (subject, text string)
}

// Book reaches people. All its fields but Region and InAll are needed.
type Book struct {
	Ring    *seal.Ring
	Courier Courier
	Writer  Writer
	Budgets limits.Store
	Region  string        // whose numbers need no country code, "" for none
	InAll   []limits.Rate // codes by SMS to everybody together; otp.SMSInAll if empty
	Log     *slog.Logger
	Now     func() time.Time
}

// Address is where a code goes that may be no contact yet.
type Address struct {
	Kind identity.Factor // identity.SMS or identity.Email
	To   string          // as Read returned it
	Lang string          // BCP 47
}

// Has tells whether contacts of a kind can be written to at all.
func (b *Book) Has(kind identity.Factor) bool { return kind.Sent() && b.Courier.Has(channel(kind)) }

func channel(kind identity.Factor) notify.Channel {
	if kind == identity.SMS {
		return notify.SMS
	}
	return notify.Mail
}

// Seal makes a contact of an address that Read returned.
func (b *Book) Seal(s identity.Subject, to Address) accounts.Contact {
	c := accounts.Contact{ID: rand.Text(), Subject: s, Kind: to.Kind, Language: to.Lang, BoundAt: b.Now()}
	c.Address = b.Ring.Seal("contact", []byte(to.To), c.AddressBinding()...)
	for i, key := range b.Ring.Derive("contact digest") {
		digest := Digest(key, to.Kind, to.To)
		if i == 0 {
			c.Digest = digest
		} else {
			c.Older = append(c.Older, digest)
		}
	}
	return c
}

// Open is the inverse of Seal.
func (b *Book) Open(c accounts.Contact) (Address, error) {
	to, err := b.Ring.Open("contact", c.Address, c.AddressBinding()...)
	if err != nil {
		return Address{}, fmt.Errorf("contact %s: %w", c.ID, err)
	}
	return Address{Kind: c.Kind, To: string(to), Lang: c.Language}, nil
}

// Mask is what may be shown of a contact.
func (b *Book) Mask(c accounts.Contact) (string, error) {
	to, err := b.Open(c)
	if err != nil {
		return "", err
	}
	return Mask(to.Kind, to.To), nil
}

func (b *Book) key(purpose string) []byte { return b.Ring.Derive(purpose)[0] }

// SendCode sends a code. host is the one that the operator named for the site,
// for browsers to fill the code in there, "" where that is not known. A code
// that cannot be sent costs nothing: the error is TooMany, or
// notify.ErrUnavailable, and another factor has to be offered.
func (b *Book) SendCode(ctx context.Context, to Address, code string, p templates.CodePurpose, site, host string) error {
	if !b.Has(to.Kind) {
		return notify.ErrUnavailable
	}
	charges := otp.Charges(b.key("send"), to.Kind, Canonical(to.Kind, to.To), b.InAll)
	if p == templates.CodeContact {
		charges = otp.ByStranger(charges)
	}
	taken, err := b.charge(ctx, charges)
	if err != nil {
		return err
	}
	sms := to.Kind == identity.SMS
	m := templates.CodeMessage{SMS: sms, Purpose: p, Site: site, Code: code, Life: otp.Life, LastLine: otp.Bound(host, code)}
	subject, text := b.Writer.Code(to.Lang, m)
	err = b.Courier.Send(ctx, notify.Message{Channel: channel(to.Kind), To: to.To, Lang: to.Lang,
		Subject: subject, Text: text, Code: code, Purpose: "code_" + string(p)})
	if err != nil {
		return errors.Join(err, b.refund(ctx, taken))
	}
	return nil
}
