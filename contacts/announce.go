package contacts

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// Announcement is something that happened to an account.
type Announcement struct {
	Kind    templates.AnnouncementKind
	Site    string    // "" where it concerns none
	Until   time.Time // when it takes effect, for what is planned
	Address string    // the client's; "" where an administrator did it
	Browser string    // its User-Agent
	Detail  string    // the name of a factor, a masked contact, a reference
}

// The rates of announcements, for one contact and one kind. They are apart for
// each kind, so that nobody can use up the notice of a removal with notices of
// something else.
var (
	announceSMS  = []limits.Rate{{Count: 3, Period: time.Hour}, {Count: 6, Period: 24 * time.Hour}}
	announceMail = []limits.Rate{{Count: 10, Period: time.Hour}, {Count: 30, Period: 24 * time.Hour}}
)

// announceTimeout bounds the look at the budgets; sending takes no time here.
const announceTimeout = 5 * time.Second

// Announce tells a person, by all contacts, each in its language, that
// something happened. What happened has happened: an announcement that cannot
// be sent is logged, never an error. cs are the contacts of one person; for a
// contact that was changed or removed, the old one with them. It goes on when
// the request has ended, lest a thief hang up in time. It is false where a
// contact has had too many of the kind: what may not happen in silence waits.
func (b *Book) Announce(ctx context.Context, cs []accounts.Contact, a Announcement) (within bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceTimeout)
	defer cancel()
	within = true
	for _, c := range cs {
		if minor(a.Kind) && c.Kind == identity.SMS && b.mailed(cs) {
			continue
		}
		if err := b.announce(ctx, c, a); err != nil {
			within = within && !errors.As(err, new(TooMany))
			b.Log.WarnContext(ctx, "an announcement was not sent", "kind", a.Kind, "subject", c.Subject.String(), "by", c.Kind, "error", err)
		}
	}
	return within
}

// minor tells what needs no SMS beside a mail: what takes no way into the
// account away and opens none.
func minor(k templates.AnnouncementKind) bool {
	return k == templates.AnnounceSessionsEnded || k == templates.AnnounceUnlocked || k == templates.AnnounceRequestRefused
}

// mailed tells whether the person reads mail that can be sent.
func (b *Book) mailed(cs []accounts.Contact) bool {
	for _, c := range cs {
		if c.Kind == identity.Email && b.Has(identity.Email) {
			return true
		}
	}
	return false
}

func (b *Book) announce(ctx context.Context, c accounts.Contact, a Announcement) error {
	to, err := b.Open(c)
	if err != nil {
		return err
	}
	if !b.Has(c.Kind) {
		return notify.ErrUnavailable
	}
	if _, err := b.take(ctx, b.announcing(to, a.Kind)); err != nil {
		return err
	}
	subject, text := b.Writer.Announce(c.Language, templates.Announcement{
		SMS: c.Kind == identity.SMS, Kind: a.Kind, Account: c.Subject.Name, Site: a.Site, At: b.Now(), Until: a.Until,
		Network: Network(a.Address), Browser: a.Browser, Detail: a.Detail})
	return b.Courier.Send(ctx, notify.Message{Channel: channel(c.Kind), To: to.To, Lang: c.Language,
		Subject: subject, Text: text, Purpose: "announce_" + string(a.Kind)})
}

// announcing is what an announcement is charged to.
func (b *Book) announcing(to Address, k templates.AnnouncementKind) otp.Charge {
	rates := announceMail
	if to.Kind == identity.SMS {
		rates = announceSMS
	}
	digest := seal.Digest(b.key("send"), "announce", string(k), string(to.Kind), Canonical(to.Kind, to.To))
	return otp.Charge{Keys: []string{"announce/" + base64.RawURLEncoding.EncodeToString(digest)}, Rates: rates}
}

// Network is an address as a message shows it: enough to tell home from
// abroad, not enough to tell one household from the next. "" if it is none.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}
