package contacts

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

var alice = identity.Subject{Realm: "wiki", Name: "alice"}

// post is a courier whose mail bag can be looked into.
type post struct {
	sent    []notify.Message
	closed  map[notify.Channel]bool // not configured
	failing map[notify.Channel]bool // configured, and down
}

func (p *post) Has(ch notify.Channel) bool { return !p.closed[ch] }

func (p *post) Send(ctx context.Context, m notify.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.closed[m.Channel] || p.failing[m.Channel] {
		return notify.ErrUnavailable
	}
	p.sent = append(p.sent, m)
	return nil
}

// to lists who was written to.
func (p *post) to() (all []string) {
	for _, m := range p.sent {
		all = append(all, m.To)
	}
	return all
}

// purse keeps budgets in memory, by the arithmetic that the stores use.
type purse struct {
	tats   map[string]map[time.Duration]time.Time
	broken error
}

func (p *purse) Peek(context.Context, string, []limits.Rate, time.Time) (limits.Balance, error) {
	panic("nobody peeks")
}

func (p *purse) Charge(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	if err := errors.Join(p.broken, ctx.Err()); err != nil {
		return limits.Balance{}, err
	}
	out, after := limits.Balance{Allowed: true}, map[time.Duration]time.Time{}
	for _, r := range rates {
		next, b := r.Advance(p.tats[key][r.Period], now)
		if after[r.Period] = next; !b.Allowed {
			out.Allowed = false
		}
		if b.RetryAt.After(out.RetryAt) {
			out.RetryAt = b.RetryAt
		}
	}
	if out.Allowed {
		p.tats[key] = after
	}
	return out, nil
}

func (p *purse) Refund(_ context.Context, key string, rates []limits.Rate, now time.Time) error {
	for _, r := range rates {
		p.tats[key][r.Period] = r.Return(p.tats[key][r.Period], now)
	}
	return p.broken
}

// desk is a book with all that it needs, at a time that the test sets.
type desk struct {
	*Book
	post  *post
	purse *purse
	log   *bytes.Buffer
	now   time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	master, err := seal.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing("k1", master)
	if err != nil {
		t.Fatal(err)
	}
	set, err := templates.New(templates.Options{Brand: "Example Cloud", Base: "/.stepgate"})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{post: &post{}, purse: &purse{tats: map[string]map[time.Duration]time.Time{}}, log: &bytes.Buffer{},
		now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
	d.Book = &Book{Ring: ring, Courier: d.post, Writer: set, Budgets: d.purse,
		Log: slog.New(slog.NewTextHandler(d.log, nil)), Now: func() time.Time { return d.now }}
	return d
}

func number(to string) Address  { return Address{identity.SMS, to, "zh"} }
func mailbox(to string) Address { return Address{identity.Email, to, "en"} }

func (d *desk) send(to Address) error {
	return d.SendCode(context.Background(), to, "012345", templates.CodeSignIn, "wiki", "wiki.example.com")
}

func TestSealedContactsOpenInTheirRow(t *testing.T) {
	d := newDesk(t)
	to := number("+8613800138000")
	c := d.Seal(alice, to)
	if got, err := d.Open(c); err != nil || got != to {
		t.Fatalf("%v, %v", got, err)
	}
	if again := d.Seal(alice, to); again.ID == c.ID || !bytes.Equal(again.Digest, c.Digest) || bytes.Equal(again.Address, c.Address) {
		t.Error("ids and seals are fresh, digests are not")
	}
	if mask, err := d.Mask(c); err != nil || mask != "+86 138****8000" {
		t.Errorf("%s, %v", mask, err)
	}
	moved, other := c, c
	moved.Subject.Name, other.ID = "bob", "another"
	for _, c := range []accounts.Contact{moved, other} {
		if got, err := d.Open(c); !errors.Is(err, seal.ErrOpen) || got.To != "" {
			t.Errorf("a row that was copied opens: %v, %v", got, err)
		}
	}
}

func TestCodesInTheirLanguage(t *testing.T) {
	d := newDesk(t)
	if err := errors.Join(d.send(number("+8613800138000")), d.send(mailbox("a@example.com"))); err != nil {
		t.Fatal(err)
	}
	sms, mail := d.post.sent[0], d.post.sent[1]
	if want := "【Example Cloud】验证码 012345，用于登录 wiki，10 分钟内有效。请勿告知任何人。\n@wiki.example.com #012345"; sms.Text != want || sms.Subject != "" || sms.Channel != notify.SMS || sms.Code != "012345" {
		t.Errorf("%+v", sms)
	}
	if mail.Subject != "Example Cloud: your verification code" || !strings.Contains(mail.Text, "\n    012345\n") || mail.Channel != notify.Mail {
		t.Errorf("%+v", mail)
	}
}

// most is the largest number of moments in any stretch of a period.
func most(moments []time.Time, period time.Duration) (n int) {
	for i := range moments {
		j := i
		for j < len(moments) && moments[j].Sub(moments[i]) < period {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

// TestCodesHaveLimits sends to one number and one mailbox in all spellings, as
// fast as it goes, for two days: as many as the bounds say, and not one more.
func TestCodesHaveLimits(t *testing.T) {
	for kind, c := range map[identity.Factor]struct {
		spellings []string
		bounds    []limits.Rate
	}{
		identity.SMS:   {[]string{"+8613800138000", "0086 138 0013 8000", "１３８００１３８０００", "+86 (0) 138-0013-8000"}, otp.SMSPerNumber},
		identity.Email: {[]string{"lin.wei@example.com", "LIN.WEI+2@example.com.", "linwei@EXAMPLE.com"}, otp.MailPerAddress},
	} {
		d, sent := newDesk(t), []time.Time(nil)
		begin := d.now
		for i := 0; d.now.Before(begin.Add(48 * time.Hour)); i++ {
			to, err := Read(kind, c.spellings[i%len(c.spellings)], "CN")
			if err != nil {
				t.Fatal(err)
			}
			err = d.send(Address{kind, to, "en"})
			var over TooMany
			switch {
			case err == nil:
				sent = append(sent, d.now)
			case !errors.As(err, &over) || !over.RetryAt.After(d.now):
				t.Fatal(err)
			}
			d.now = d.now.Add(29 * time.Second)
		}
		for _, r := range c.bounds {
			if n := most(sent, r.Period); n != r.Count {
				t.Errorf("%s: %d in %s, want %d", kind, n, r.Period, r.Count)
			}
		}
	}
}

// TestStrangersLeaveTheOwnerCodes: who types a number that is not theirs, in
// the hope to bind it or to be a nuisance, does not use its owner's codes up.
func TestStrangersLeaveTheOwnerCodes(t *testing.T) {
	for _, to := range []Address{number("+8613800138000"), mailbox("alice@example.com")} {
		d, sent := newDesk(t), 0
		for range 24 * 60 {
			d.now = d.now.Add(59 * time.Second)
			if d.SendCode(t.Context(), to, "012345", templates.CodeContact, "wiki", "") == nil {
				sent++
			}
		}
		want := map[identity.Factor]int{identity.SMS: 5, identity.Email: 10}[to.Kind]
		if sent != want {
			t.Errorf("%s: %d to a stranger's, want %d", to.Kind, sent, want)
		}
		for range want {
			d.now = d.now.Add(time.Minute)
			var over TooMany
			err := d.send(to)
			if errors.As(err, &over) && over.RetryAt.Sub(d.now) <= time.Hour {
				d.now = over.RetryAt // the owner waits as everybody who asks often
				err = d.send(to)
			}
			if err != nil {
				t.Errorf("%s: the owner gets none: %v", to.Kind, err)
			}
		}
	}
}

// TestRetryAtIsTheMoment: a moment earlier there is no code, then there is.
func TestRetryAtIsTheMoment(t *testing.T) {
	d := newDesk(t)
	for range 30 {
		var over TooMany
		if err := d.send(number("+8613800138000")); errors.As(err, &over) {
			d.now = over.RetryAt.Add(-time.Second)
			if err := d.send(number("+8613800138000")); !errors.As(err, &over) {
				t.Fatalf("before it was time: %v", err)
			}
			d.now = over.RetryAt
		}
	}
	if n := len(d.post.sent); n < 10 {
		t.Errorf("%d codes for who waits as told", n)
	}
}

// TestRefusedCodesCostNothing: what was not sent is not counted, neither where
// the provider is down nor where another budget is empty.
func TestRefusedCodesCostNothing(t *testing.T) {
	d := newDesk(t)
	d.post.failing = map[notify.Channel]bool{notify.SMS: true}
	for range 20 {
		if err := d.send(number("+8613800138000")); !errors.Is(err, notify.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	d.post.failing = nil
	d.InAll = []limits.Rate{{Count: 1, Period: time.Hour}}
	if err := d.send(number("+8613900139000")); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var over TooMany
		if err := d.send(number("+8613800138000")); !errors.As(err, &over) || !over.RetryAt.Equal(d.now.Add(time.Hour)) {
			t.Fatal(err)
		}
	}
	d.InAll = []limits.Rate{{Count: 10, Period: 2 * time.Hour}}
	if err := d.send(number("+8613800138000")); err != nil {
		t.Errorf("the number paid for what others used up: %v", err)
	}
}

func TestNoCodeWithoutAChannelOrABudget(t *testing.T) {
	d := newDesk(t)
	d.post.closed = map[notify.Channel]bool{notify.SMS: true}
	if err := d.send(number("+8613800138000")); !errors.Is(err, notify.ErrUnavailable) || d.Has(identity.SMS) || !d.Has(identity.Email) || d.Has(identity.TOTP) {
		t.Error(err)
	}
	d.purse.broken = errors.New("the store is away")
	if err := d.send(mailbox("a@example.com")); !errors.Is(err, d.purse.broken) || len(d.post.sent) > 0 {
		t.Errorf("sent without being counted: %v", err)
	}
}

func TestBlocksOfNumbersHaveLimits(t *testing.T) {
	d := newDesk(t)
	for i := range 200 {
		to := "+861380013" + string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10), '0'})
		var over TooMany
		if err := d.send(number(to)); err != nil && !errors.As(err, &over) {
			t.Fatal(err)
		}
	}
	if n := len(d.post.sent); n != 30 {
		t.Errorf("%d codes to numbers of one block", n)
	}
}

// TestRotationCountsOn: who had an address counted by an older key is found by
// what the next contact brings along.
func TestRotationCountsOn(t *testing.T) {
	older, err := seal.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	newer, err := seal.NewKey("k2")
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(sealing string, keys ...seal.Key) accounts.Contact {
		ring, err := seal.NewRing(sealing, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return (&Book{Ring: ring, Now: time.Now}).Seal(alice, mailbox("alice@example.com"))
	}
	before, after, behind := sealed("k1", older), sealed("k2", older, newer), sealed("k1", older, newer)
	if bytes.Equal(before.Digest, after.Digest) || len(before.Older) != 0 || len(after.Older) != 1 || !bytes.Equal(after.Older[0], before.Digest) {
		t.Errorf("%x is not among %x", before.Digest, after.Older)
	}
	if !bytes.Equal(behind.Digest, before.Digest) || len(behind.Older) != 1 || !bytes.Equal(behind.Older[0], after.Digest) {
		t.Errorf("a node that does not seal by the new key yet counts by %x", behind.Older)
	}
}
