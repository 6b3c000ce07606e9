package contacts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/templates"
)

// both are a number and an address of one person.
func (d *desk) both() []accounts.Contact {
	return []accounts.Contact{d.Seal(alice, number("+8613800138000")), d.Seal(alice, mailbox("alice@example.com"))}
}

func TestAnnouncementsReachAllContacts(t *testing.T) {
	d := newDesk(t)
	old := d.Seal(alice, number("+8613900139000"))
	d.Announce(context.Background(), append(d.both(), old), Announcement{Kind: templates.AnnounceContactChanged, Site: "wiki",
		Address: "203.0.113.77", Browser: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", Detail: "+86 138****8000"})
	if got := d.post.to(); !slices.Equal(got, []string{"+8613800138000", "alice@example.com", "+8613900139000"}) {
		t.Fatalf("told %v", got)
	}
	sms, mail := d.post.sent[0].Text, d.post.sent[1].Text
	if want := "【Example Cloud】已更换手机号或邮箱。账号：alice。如非本人操作或有疑问，请联系管理员。"; sms != want {
		t.Error(sms)
	}
	for _, part := range []string{"Account: alice\n", "Site: wiki\n", "When: 1 December 2026, 09:00 UTC\n", "Network: 203.0.113.0/24\n", "Browser: Firefox 145 · Linux\n", "What: +86 138****8000\n"} {
		if !strings.Contains(mail, part) {
			t.Errorf("%q is not in %q", part, mail)
		}
	}
	if strings.Contains(mail, "203.0.113.77") {
		t.Error("the whole address is in the mail")
	}
}

// TestHangingUpStopsNoAnnouncement: who changes another's account may not keep
// it from the owner by closing the connection.
func TestHangingUpStopsNoAnnouncement(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d.Announce(ctx, d.both(), Announcement{Kind: templates.AnnounceFactorRemoved})
	if n := len(d.post.sent); n != 2 {
		t.Errorf("%d messages went out; %s", n, d.log)
	}
}

// TestSomeAnnouncementsCannotHideOthers: a thief who uses up one kind's rate
// has used up no other.
func TestSomeAnnouncementsCannotHideOthers(t *testing.T) {
	d := newDesk(t)
	for range 100 {
		d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceRecoveryUsed})
	}
	if n := len(d.post.sent); n != 3+10 {
		t.Errorf("%d messages of one kind in an hour", n)
	}
	d.post.sent = nil
	d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceFactorRemoved})
	if n := len(d.post.sent); n != 2 {
		t.Errorf("%d messages of another kind", n)
	}
	d.now = d.now.Add(24 * time.Hour)
	d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceRecoveryUsed})
	if n := len(d.post.sent); n != 4 {
		t.Errorf("%d messages the day after", n)
	}
}

// TestAnnouncementsLeaveCodesAlone: both have rates of their own.
func TestAnnouncementsLeaveCodesAlone(t *testing.T) {
	d := newDesk(t)
	for range 50 {
		d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceFactorBound})
	}
	if err := d.send(number("+8613800138000")); err != nil {
		t.Error(err)
	}
}

func TestMinorNewsGoByMailWhereThereIsOne(t *testing.T) {
	d := newDesk(t)
	news := Announcement{Kind: templates.AnnounceSessionsEnded}
	d.Announce(context.Background(), d.both(), news)
	d.Announce(context.Background(), d.both()[:1], news)
	if got := d.post.to(); !slices.Equal(got, []string{"alice@example.com", "+8613800138000"}) {
		t.Errorf("told %v", got)
	}
	d.post.closed, d.post.sent = map[notify.Channel]bool{notify.Mail: true}, nil
	if d.Announce(context.Background(), d.both(), news); len(d.post.sent) != 1 {
		t.Error("nobody was told, for want of mail")
	}
}

// TestLostAnnouncementsAreLogged: nothing fails, nothing is silent, and the log
// holds no address.
func TestLostAnnouncementsAreLogged(t *testing.T) {
	d := newDesk(t)
	d.post.failing = map[notify.Channel]bool{notify.SMS: true, notify.Mail: true}
	d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceLocked})
	d.post.failing, d.purse.broken = nil, errors.New("the store is away")
	d.Announce(context.Background(), d.both(), Announcement{Kind: templates.AnnounceLocked})
	if log := d.log.String(); strings.Count(log, "kind=locked") != 4 || strings.Contains(log, "alice@") || strings.Contains(log, "13800138000") {
		t.Error(log)
	}
}
