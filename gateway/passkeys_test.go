package gateway_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// key is a software authenticator with one key.
type key struct {
	t      *testing.T
	auth   virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
	origin string // of the page that it believes to be on
}

// newKey makes a key whose coordinates have all their bytes: the software
// authenticator drops leading zeros, which COSE forbids (RFC 9053, section
// 7.1.1).
func newKey(t *testing.T) *key {
	t.Helper()
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		parsed, err := x509.ParsePKCS8PrivateKey(c.Key.Data)
		check(t, err)
		point, err := parsed.(*ecdsa.PrivateKey).PublicKey.Bytes()
		check(t, err)
		if point[1] != 0 && point[33] != 0 {
			c.Counter = 1
			return &key{t: t, auth: virtualwebauthn.NewAuthenticator(), cred: c, origin: "https://wiki.test"}
		}
	}
}

func (k *key) party() virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{ID: strings.TrimPrefix(k.origin, "https://"), Name: "Test", Origin: k.origin}
}

var shownOptions = regexp.MustCompile(`data-mode="(create|get)" data-options="([^"]*)"`)

// answers does what the script of a page does with the key, "" where the page
// asks for none.
func (k *key) answers(page *reply) string {
	k.t.Helper()
	m := shownOptions.FindStringSubmatch(page.body)
	if m == nil {
		return ""
	}
	if options := html.UnescapeString(m[2]); m[1] == "get" {
		o, err := virtualwebauthn.ParseAssertionOptions(options)
		check(k.t, err)
		return virtualwebauthn.CreateAssertionResponse(k.party(), k.auth, k.cred, *o)
	} else {
		o, err := virtualwebauthn.ParseAttestationOptions(options)
		check(k.t, err)
		return virtualwebauthn.CreateAttestationResponse(k.party(), k.auth, k.cred, *o)
	}
}

// touches answers the page of passkeys.
func (b *browser) touches(k *key) *reply {
	b.t.Helper()
	answer := k.answers(b.get(wayPage("passkey")))
	if answer == "" {
		b.t.Fatal("no page asks for a passkey")
	}
	return b.does("passkey", "name=Blue+key&answer="+url.QueryEscape(answer))
}

// bindsKey gives a person a first passkey; her browser is left behind.
func (r *rig) bindsKey(name string, k *key) {
	r.t.Helper()
	b := r.asked(name)
	if a := b.touches(k); a.StatusCode != http.StatusSeeOther || b.user() != name {
		r.t.Fatalf("binding: %d %s", a.StatusCode, a.body)
	}
	r.sleep(6 * time.Minute) // a pass is no longer fresh
}

// detail is what the newest record of an event says.
func (r *rig) detail(e audit.Event) policy.Reason {
	r.t.Helper()
	for _, rec := range r.trail() {
		if rec.Event == e {
			return rec.Reasons[0]
		}
	}
	return policy.Reason{}
}

var onlyPasskeys = counting(identity.Passkey, identity.Recovery)

// TestPasskeyLogin goes the whole way: bound at the first sign-in, and asked
// for at the next.
func TestPasskeyLogin(t *testing.T) {
	r, k := newRig(t, onlyPasskeys), newKey(t)
	r.bindsKey("alice", k)
	bound := r.account("alice").Credentials[0]
	if bound.Factor != identity.Passkey || bound.Name != "Blue key" || bound.Strength != identity.Key || bound.LastStep != 1 ||
		bytes.Contains(bound.Secret, k.cred.ID) {
		t.Errorf("bound: %+v", bound)
	}
	k.cred.Counter = 2
	b := r.asked("alice")
	if a := b.touches(k); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if c := r.account("alice").Credentials[0]; c.LastStep != 2 || !c.UsedAt.Equal(r.clock()) {
		t.Errorf("the use is not noted: %+v", c)
	}
}

// TestPasskeyAnswerCountsOnce: an answer that was checked says nothing more,
// in this browser or in another one.
func TestPasskeyAnswerCountsOnce(t *testing.T) {
	r, k := newRig(t, onlyPasskeys), newKey(t)
	r.bindsKey("alice", k)
	k.cred.Counter = 2
	b, other := r.asked("alice"), r.asked("alice")
	answer := "answer=" + url.QueryEscape(k.answers(b.get(wayPage("passkey"))))
	if a := other.does("passkey", answer); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("in another browser: %d", a.StatusCode)
	}
	if n := passes(b, wayPage("passkey"), answer); n != 1 {
		t.Errorf("%d passed with one answer", n)
	}
}

// TestPasskeyOfSomebodyElse is none of hers.
func TestPasskeyOfSomebodyElse(t *testing.T) {
	r, hers, his := newRig(t, onlyPasskeys), newKey(t), newKey(t)
	r.bindsKey("alice", hers)
	r.bindsKey("bob", his)
	his.cred.Counter = 2
	if a := r.asked("alice").touches(his); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if why := r.detail(audit.ChallengeFailed); why.Detail != "unknown_key" {
		t.Errorf("the trail says %+v", why)
	}
}

// TestPasskeyVerified: the authenticator has to know the person, at binding and
// at each use, unless the policy has a touch suffice.
func TestPasskeyVerified(t *testing.T) {
	touch := func(s *gateway.Site) { s.Rules.TouchSuffices = true }
	r, k := newRig(t, onlyPasskeys), newKey(t)
	k.auth.Options.UserNotVerified = true
	if a := r.asked("alice").touches(k); a.StatusCode != http.StatusUnprocessableEntity || r.account("alice").State == identity.Bound {
		t.Errorf("a key that knows nobody is bound: %d", a.StatusCode)
	}
	k.auth.Options.UserNotVerified = false
	r.bindsKey("alice", k)
	k.auth.Options.UserNotVerified, k.cred.Counter = true, 2
	if a := r.asked("alice").touches(k); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a key that knows nobody passes: %d", a.StatusCode)
	}
	if why := r.detail(audit.ChallengeFailed); why.Code != policy.ReasonPasskey || why.Detail != "not_verified" {
		t.Errorf("the trail says %+v", why)
	}

	r, k = newRig(t, onlyPasskeys, touch), newKey(t)
	k.auth.Options.UserNotVerified = true
	r.bindsKey("alice", k)
	k.cred.Counter = 2
	if a := r.asked("alice").touches(k); a.StatusCode != http.StatusSeeOther {
		t.Errorf("where a touch suffices: %d %s", a.StatusCode, a.body)
	}
}

// TestPasskeyCopied: a counter that does not go forward is refused, written
// down and told; the key itself still passes.
func TestPasskeyCopied(t *testing.T) {
	r, k := newRig(t, onlyPasskeys), newKey(t)
	r.reach("alice", herMail)
	k.cred.Counter = 7
	r.bindsKey("alice", k)
	for _, counter := range []uint32{7, 6, 0} {
		r.post.take()
		k.cred.Counter = counter
		b := r.asked("alice")
		if a := b.touches(k); a.StatusCode != http.StatusUnprocessableEntity || b.user() == "alice" {
			t.Fatalf("counter %d: %d %s", counter, a.StatusCode, a.body)
		}
		if why := r.detail(audit.PasskeyRegressed); why.Code != policy.ReasonPasskeyCounter || why.Detail == "" {
			t.Errorf("counter %d: the trail says %+v", counter, why)
		}
		if told := r.post.take(); len(told) != 1 || told[0].To != herMail || !strings.Contains(told[0].Text, "Blue key") {
			t.Errorf("counter %d: told %+v", counter, told)
		}
	}
	k.cred.Counter = 8
	if a := r.asked("alice").touches(k); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the key itself: %d", a.StatusCode)
	}
}

// TestPasskeyOfAnotherHost is not offered, and takes nobody anywhere.
func TestPasskeyOfAnotherHost(t *testing.T) {
	r := newRig(t, allFactors)
	r.passkeyAt("alice", "blog.test")
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	for _, way := range []string{"", "sms", "passkey"} {
		if a := b.get(wayPage(way)); strings.Contains(a.body, "factor=passkey") || strings.Contains(a.body, "data-options") {
			t.Errorf("%q offers the passkey: %s", way, a.body)
		}
	}
	if a := b.does("sms", "do=send"); a.StatusCode != http.StatusOK {
		t.Errorf("what counts here: %d", a.StatusCode)
	}
}

// TestPasskeyOnAnotherPage: an answer that was made on a page elsewhere is
// refused, and the log tells the operator what did not fit.
func TestPasskeyOnAnotherPage(t *testing.T) {
	r, k := newRig(t, onlyPasskeys), newKey(t)
	r.bindsKey("alice", k)
	var log bytes.Buffer
	r.svc.Flow.Log = slog.New(slog.NewTextHandler(&log, nil))
	b := r.asked("alice")
	page := b.get(wayPage("passkey"))
	k.cred.Counter, k.origin = 2, "https://wiki.test.evil"
	answer := strings.TrimSpace(k.answers(page))
	if a := b.does("passkey", "answer="+url.QueryEscape(answer)); a.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("%d", a.StatusCode)
	}
	if why := r.detail(audit.ChallengeFailed); why.Detail != "origin_mismatch" {
		t.Errorf("the trail says %+v", why)
	}
	for _, want := range []string{"level=INFO", "site=wiki", "staff/alice", "origin_mismatch", "wiki.test.evil"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, &log)
		}
	}
	for name, value := range b.jar {
		if strings.Contains(log.String(), value) {
			t.Errorf("the log has %s", name)
		}
	}
}
