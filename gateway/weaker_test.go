package gateway_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
)

// counting lets some factors count, and all that can be sent be sent.
func counting(factors ...identity.Factor) func(*gateway.Site) {
	return func(s *gateway.Site) { s.Rules.Factors = factors }
}

// passkeyAt gives a person a passkey of a host.
func (r *rig) passkeyAt(name, host string) accounts.Credential {
	r.t.Helper()
	id := base64.StdEncoding.EncodeToString([]byte("key of " + name))
	raw := fmt.Sprintf(`{"v":1,"rp":%q,"user":%q,"credential":{"id":%q}}`, host, id, id)
	c := accounts.Credential{ID: "key-" + name, Subject: subject(name), Factor: identity.Passkey, Name: "Key",
		BoundAt: r.clock(), Strength: identity.Key, Noticed: true}
	c.Secret = r.ring.Seal("credential", []byte(raw), c.SecretBinding()...)
	r.add(c)
	return c
}

// TestStrongerFactorOfAnotherHost: who has a factor that counts, but not at
// the host that a client claims to come to, does not get around it by a weaker
// one.
func TestStrongerFactorOfAnotherHost(t *testing.T) {
	r := newRig(t, counting(identity.Passkey))
	r.passkeyAt("alice", "login.test")
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("sms", "do=send")
	if sent := r.post.code(herNumber); sent != "" {
		t.Error("a code was sent to pass by")
		b.does("sms", "code="+sent)
	}
	for _, c := range r.account("alice").Credentials {
		if c.Factor == identity.TOTP {
			t.Error("an app was bound")
		}
	}
}

// TestRebindingByWhatCounts: an administrator who wants a factor bound anew
// does not open the account to one that does not count.
func TestRebindingByWhatCounts(t *testing.T) {
	r := newRig(t, counting(identity.TOTP))
	r.bind("alice")
	r.bindContact("alice", herNumber)
	r.sleep(time.Hour)
	check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
	b := r.asked("alice")
	b.does("sms", "do=send")
	if sent := r.post.code(herNumber); sent != "" {
		t.Error("a code was sent to a number that does not count")
	}
}

// TestRebindingOfANumber: the same number, or another one, takes the place of
// the old, at once and with the challenge.
func TestRebindingOfANumber(t *testing.T) {
	for what, to := range map[string]string{"the same": herNumber, "another": "+8613912345679"} {
		r := newRig(t, counting(identity.SMS))
		r.bindContact("alice", herNumber)
		r.sleep(time.Hour)
		check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
		b := r.asked("alice")
		b.does("sms", "do=send")
		b.does("sms", "code="+r.post.code(herNumber))
		r.sleep(2 * time.Minute)
		b.does("sms", "address="+url.QueryEscape(to))
		b.does("sms", "code="+r.post.code(to))
		if a := b.does("sms", "do=enable"); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
			t.Fatalf("%s: %d %s", what, a.StatusCode, a.body)
		}
		account := r.account("alice")
		if len(account.Credentials) != 1 || len(account.Contacts) != 1 || account.Credentials[0].ID != account.Contacts[0].ID || account.Rebinding() {
			t.Errorf("%s: %+v", what, account)
		}
	}
}

// TestRebindingDoesNotClimb: a number that is bound where a mailbox was proved
// is worth no more than the mailbox, also if there was another number before.
func TestRebindingDoesNotClimb(t *testing.T) {
	r := newRig(t, counting(identity.SMS, identity.Email))
	number := r.bindContact("alice", herNumber)
	r.bindContact("alice", herMail)
	r.sleep(time.Hour)
	check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
	b := r.asked("alice")
	b.does("email", "do=send")
	b.does("email", "code="+r.post.code(herMail))
	b.does("sms", "address="+url.QueryEscape("+8613912345679"))
	b.does("sms", "code="+r.post.code("+8613912345679"))
	b.does("sms", "do=enable")
	for _, c := range r.account("alice").Credentials {
		if c.Strength > identity.Mailbox && c.ID != number.ID {
			t.Errorf("what a mailbox vouched for is worth %d: %+v", c.Strength, c)
		}
	}
}

// TestNumberThatBecameAFactor: who began to change a number when it was none,
// with less than it is worth now, does not take it over.
func TestNumberThatBecameAFactor(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herMail)
	number := r.reach("alice", herNumber)
	thief := r.asked("alice")
	thief.does("email", "do=send")
	thief.does("email", "code="+r.post.code(herMail))
	at := thief.posts("contact", "kind=sms").Header.Get("Location")
	m := challengeID.FindStringSubmatch(thief.get(at).body)
	if m == nil {
		t.Fatalf("no form at %q", at)
	}
	form := "challenge=" + url.QueryEscape(m[1])
	thief.post(at, form+"&address="+url.QueryEscape("+8613912345679"))
	r.add(accounts.Credential{ID: number.ID, Subject: subject("alice"), Factor: identity.SMS, Name: "number",
		BoundAt: r.clock(), Strength: identity.Telephone, Noticed: true})
	thief.post(at, form+"&code="+r.post.code("+8613912345679"))
	if c, _ := r.account("alice").Contact(identity.SMS); c.ID != number.ID {
		t.Error("the number is the thief's")
	}
}

// TestRebindingByTicket: who cannot use the old factor here binds the new one
// by a ticket, and that ends the old one as well.
func TestRebindingByTicket(t *testing.T) {
	r := newRig(t, allFactors)
	r.passkeyAt("alice", "login.test")
	r.sleep(time.Hour)
	check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
	b := r.asked("alice")
	b.does("", "code="+string(r.ticketFor("alice")))
	if _, a := b.bindsApp(); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if account := r.account("alice"); len(account.Credentials) != 1 || account.Rebinding() {
		t.Errorf("%+v", account)
	}
}
