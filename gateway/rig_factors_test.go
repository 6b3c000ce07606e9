package gateway_test

import (
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// Whom the messages of the tests go to.
const (
	herNumber = "+8613812345678"
	herMail   = "alice@example.com"
)

// allFactors lets everything count, mail too.
func allFactors(s *gateway.Site) {
	s.Rules.Factors = []identity.Factor{identity.TOTP, identity.Passkey, identity.SMS, identity.Email, identity.Recovery}
	s.Rules.Manage = true
}

// enrolling sets how people come to their first factor.
func enrolling(how policy.Enrolling) func(*gateway.Site) {
	return func(s *gateway.Site) { s.Rules.Enroll = how }
}

// reach puts a contact on file.
func (r *rig) reach(name, to string) accounts.Contact {
	r.t.Helper()
	kind := identity.SMS
	if to[0] != '+' {
		kind = identity.Email
	}
	c := r.svc.Flow.Book.Seal(subject(name), contacts.Address{Kind: kind, To: to, Lang: "en"})
	check(r.t, r.accounts.PutContact(r.t.Context(), c, ""))
	return c
}

// bindContact makes a contact a factor: the first one, or one more.
func (r *rig) bindContact(name, to string) accounts.Credential {
	r.t.Helper()
	contact := r.reach(name, to)
	c := accounts.Credential{ID: contact.ID, Subject: subject(name), Factor: contact.Kind, Name: "contact",
		BoundAt: r.clock(), Strength: contact.Kind.Strength(), Noticed: true}
	r.add(c)
	return c
}

func (r *rig) add(c accounts.Credential) {
	r.t.Helper()
	account := r.account(c.Subject.Name)
	if account.State != identity.Bound {
		check(r.t, r.accounts.BindFirst(r.t.Context(), c))
		return
	}
	check(r.t, r.accounts.Bind(r.t.Context(), c))
}

func (r *rig) account(name string) accounts.Account {
	r.t.Helper()
	a, err := r.accounts.Account(r.t.Context(), subject(name))
	check(r.t, err)
	return a
}

// codesOf makes recovery codes for a person who has a factor.
func (r *rig) codesOf(name string) []recovery.Code {
	r.t.Helper()
	c := accounts.Credential{ID: "codes-" + name, Subject: subject(name), Factor: identity.Recovery, Name: "Recovery codes",
		BoundAt: r.clock(), Strength: identity.Device, Noticed: true}
	codes := recovery.Make()
	var digests [][]byte
	for _, code := range codes {
		digests = append(digests, code.Digest(r.ring.Derive(recovery.Keys)[0], c.ID))
	}
	check(r.t, r.accounts.MakeCodes(r.t.Context(), c, digests))
	return codes
}

// ticketFor is what an administrator hands over.
func (r *rig) ticketFor(name string) recovery.Code {
	r.t.Helper()
	code, who := recovery.New(), subject(name)
	digest := code.TicketDigest(r.ring.Derive(recovery.TicketKeys)[0], who)
	check(r.t, r.accounts.IssueTicket(r.t.Context(), who, digest, r.clock().Add(accounts.TicketLife)))
	return code
}

// wayPage is where the forms of a challenge go.
func wayPage(way string) string { return "/.stepgate/challenge?factor=" + url.QueryEscape(way) }

// does sends a form of the page of a factor.
func (b *browser) does(way, fields string) *reply {
	b.t.Helper()
	at := wayPage(way)
	m := challengeID.FindStringSubmatch(b.get(at).body)
	if m == nil {
		b.t.Fatalf("no form at %s", at)
	}
	return b.post(at, "challenge="+url.QueryEscape(m[1])+"&"+fields)
}

// asked is a browser in which a person gave the password and is asked for more.
func (r *rig) asked(name string) *browser {
	r.t.Helper()
	b := r.browser()
	if a := b.password(name); a.StatusCode != http.StatusSeeOther {
		r.t.Fatalf("login: %d %s", a.StatusCode, a.body)
	}
	return b
}

// bindsApp scans the key that is shown and types two codes in a row.
func (b *browser) bindsApp() (key string, a *reply) {
	b.t.Helper()
	shown := b.get(wayPage("totp"))
	key = shownKey(shown.body)
	if key == "" {
		b.t.Fatalf("no key is shown: %d %s", shown.StatusCode, shown.body)
	}
	now := b.clock()
	return key, b.does("totp", "code1="+code(b.t, key, now)+"&code2="+code(b.t, key, now.Add(30*time.Second)))
}

// shows tells whether a page has the form that takes something.
func shows(a *reply, field string) bool {
	return regexp.MustCompile(`<input[^>]* name="` + field + `"`).MatchString(a.body)
}
