package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
)

// TestSentCodePasses goes the whole way by SMS and by mail.
func TestSentCodePasses(t *testing.T) {
	for kind, to := range map[string]string{"sms": herNumber, "email": herMail} {
		r := newRig(t, allFactors)
		r.bindContact("alice", to)
		b := r.asked("alice")
		first := b.get("/.stepgate/challenge")
		if strings.Contains(first.body, to) || r.post.code(to) != "" {
			t.Errorf("%s: looking at the page sent something, or shows the contact", kind)
		}
		if a := b.does(kind, "do=send"); a.StatusCode != 200 || !shows(a, "code") {
			t.Fatalf("%s: %d %s", kind, a.StatusCode, a.body)
		}
		if a := b.does(kind, "code="+r.post.code(to)); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", kind, a.StatusCode, a.body)
		}
		if who := b.user(); who != "alice" {
			t.Errorf("%s: the wiki shows itself to %q", kind, who)
		}
		if c := r.account("alice").Credentials[0]; c.UsedAt.IsZero() {
			t.Errorf("%s: the use is not noted", kind)
		}
	}
}

// TestSentCodeIsForOneThing: a code of another challenge, person, contact, or
// for another use is wrong, and so is the one before.
func TestSentCodeIsForOneThing(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	r.bindContact("bob", "+8613912345679")
	alice, other, bob := r.asked("alice"), r.asked("alice"), r.asked("bob")
	alice.does("sms", "do=send")
	old := r.post.code(herNumber)
	r.sleep(61 * time.Second)
	other.does("sms", "do=send")
	elsewhere := r.post.code(herNumber)
	bob.does("sms", "do=send")
	bobs := r.post.code("+8613912345679")
	r.sleep(61 * time.Second)
	alice.does("sms", "do=send")
	newest := r.post.code(herNumber)
	for what, code := range map[string]string{"the one before": old, "of another browser": elsewhere, "of somebody else": bobs} {
		if code == newest {
			continue // once in a million times it is the right one by chance
		}
		if a := alice.does("sms", "code="+code); a.StatusCode == http.StatusSeeOther {
			t.Fatalf("%s passes", what)
		}
	}
	if a := alice.does("sms", "code="+newest); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the right one: %d %s", a.StatusCode, a.body)
	}
}

// TestSentCodeExpires after ten minutes.
func TestSentCodeExpires(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("sms", "do=send")
	id := b.formID()
	r.sleep(10 * time.Minute)
	if a := b.post(wayPage("sms"), "challenge="+id+"&code="+r.post.code(herNumber)); a.StatusCode == http.StatusSeeOther {
		t.Error("a code of ten minutes ago passes")
	}
}

// TestOneSentCodePassesOnce: of parallel uses one passes.
func TestOneSentCodePassesOnce(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("sms", "do=send")
	if n := passes(b, wayPage("sms"), "code="+r.post.code(herNumber)); n != 1 {
		t.Errorf("%d passed with one code", n)
	}
}

// passes counts how many of 100 parallel answers pass.
func passes(b *browser, at, fields string) (n int) {
	b.t.Helper()
	m := challengeID.FindStringSubmatch(b.get(at).body)
	if m == nil {
		b.t.Fatal("no form")
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 100 {
		each := b.copy()
		all.Go(func() {
			a, err := each.try("POST", at, "challenge="+url.QueryEscape(m[1])+"&"+fields, "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
			mu.Lock()
			defer mu.Unlock()
			if err == nil && a.StatusCode == http.StatusSeeOther {
				n++
			}
		})
	}
	all.Wait()
	return n
}

// TestSwitchingKeepsTheBudget: five attempts in a challenge, whatever the
// factor, and ten a day.
func TestSwitchingKeepsTheBudget(t *testing.T) {
	r := newRig(t, allFactors)
	key := r.bind("alice")
	r.bindContact("alice", herNumber)
	r.codesOf("alice")
	b := r.asked("alice")
	b.does("sms", "do=send")
	for i, way := range []string{"totp", "sms", "recovery", "totp"} {
		fields := "code=" + b.wrong(key)
		if way == "recovery" {
			fields = "code=2345-6789-ABCD-EFGH"
		}
		if a := b.does(way, fields); a.StatusCode != 422 {
			t.Fatalf("attempt %d by %s: %d %s", i, way, a.StatusCode, a.body)
		}
	}
	if a := b.does("sms", "code="+b.wrong(key)); a.StatusCode != 429 {
		t.Errorf("the fifth: %d", a.StatusCode)
	}
	if a := b.get(wayPage("totp")); shows(a, "code") {
		t.Error("another factor gives other attempts")
	}
}

// TestDeadProvider: what cannot be sent is said, costs nothing, and the other
// factors are offered.
func TestDeadProvider(t *testing.T) {
	r := newRig(t, allFactors)
	key := r.bind("alice")
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	id := b.formID()
	r.post.down = map[notify.Channel]bool{notify.SMS: true}
	a := b.post(wayPage("sms"), "challenge="+id+"&do=send")
	if strings.Contains(a.body, "factor=sms") || !shows(a, "code") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := b.answer(id, "code="+code(t, key, r.clock())); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the app: %d", a.StatusCode)
	}
}

// TestSendsAreLimited: three in ten minutes to a number, whoever asks.
func TestSendsAreLimited(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	for range 6 {
		b := r.asked("alice")
		b.does("sms", "do=send")
		r.sleep(61 * time.Second)
	}
	if n := len(r.post.take()); n != 3 {
		t.Errorf("%d messages in six minutes", n)
	}
}

// TestRecoveryCode passes once, is told, and leads to a new factor.
func TestRecoveryCode(t *testing.T) {
	r := newRig(t, allFactors)
	r.bind("alice")
	r.reach("alice", herMail)
	codes := r.codesOf("alice")
	b := r.asked("alice")
	spelled := strings.ToLower(strings.ReplaceAll(string(codes[3]), "-", " "))
	a := b.does("recovery", "code="+url.QueryEscape(spelled))
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/.stepgate/security/recovered?return=") {
		t.Fatalf("%d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if who := b.user(); who != "alice" {
		t.Errorf("the wiki shows itself to %q", who)
	}
	if told := r.post.take(); len(told) != 1 || told[0].To != herMail {
		t.Errorf("told: %+v", told)
	}
	r.sleep(6 * time.Minute)
	again := r.asked("alice")
	if a := again.does("recovery", "code="+url.QueryEscape(string(codes[3]))); a.StatusCode != 422 {
		t.Errorf("a second time: %d", a.StatusCode)
	}
}

// TestOneRecoveryCodePassesOnce: of parallel uses in one challenge, and in
// many.
func TestOneRecoveryCodePassesOnce(t *testing.T) {
	r := newRig(t, allFactors)
	r.bind("alice")
	codes := r.codesOf("alice")
	if n := passes(r.asked("alice"), wayPage("recovery"), "code="+string(codes[0])); n != 1 {
		t.Errorf("%d passed with one code in one challenge", n)
	}
	var browsers []*browser
	for range 5 {
		browsers = append(browsers, r.asked("alice"))
	}
	n := 0
	for _, b := range browsers {
		if a := b.does("recovery", "code="+string(codes[1])); a.StatusCode == http.StatusSeeOther {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d passed with one code in five challenges", n)
	}
}

// TestRecoveryCodeOfSomebodyElse, and of another realm's person of this name,
// is none.
func TestRecoveryCodeOfSomebodyElse(t *testing.T) {
	r := newRig(t, allFactors)
	for _, name := range []string{"alice", "bob"} {
		r.bind(name)
	}
	r.codesOf("alice")
	bobs := r.codesOf("bob")
	if a := r.asked("alice").does("recovery", "code="+string(bobs[0])); a.StatusCode != 422 {
		t.Errorf("%d", a.StatusCode)
	}
	if a := r.asked("bob").does("recovery", "code="+string(bobs[0])); a.StatusCode != http.StatusSeeOther {
		t.Errorf("it was spent by somebody else: %d", a.StatusCode)
	}
}

// TestTicketGate: who was reset sees no key without a ticket, and a ticket
// works once.
func TestTicketGate(t *testing.T) {
	r := newRig(t, allFactors)
	r.bind("alice")
	check(t, r.accounts.ResetFactors(t.Context(), subject("alice")))
	b := r.asked("alice")
	for _, way := range []string{"", "totp", "sms", "passkey", "recovery"} {
		if a := b.get(wayPage(way)); shownKey(a.body) != "" || strings.Contains(a.body, "data-options") || shows(a, "address") {
			t.Errorf("%q shows what binds: %s", way, a.body)
		}
	}
	if a := b.does("", "code1=123456&code2=654321&fresh=1&do=enable&address=%2B8613812345678"); a.StatusCode == http.StatusSeeOther {
		t.Fatal("the gate was passed without a ticket")
	}
	if a := b.does("", "code="+string(r.ticketFor("bob"))); a.StatusCode != 422 {
		t.Errorf("somebody else's ticket: %d", a.StatusCode)
	}
	ticket := r.ticketFor("alice")
	if a := b.does("", "code="+string(ticket)); shownKey(a.body) == "" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if a := r.asked("alice").does("", "code="+string(ticket)); a.StatusCode != 422 {
		t.Errorf("a second time: %d", a.StatusCode)
	}
	if _, a := b.bindsApp(); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestContactGate: with `enroll contact` a code to the contact on file comes
// before the key.
func TestContactGate(t *testing.T) {
	r := newRig(t, allFactors, enrolling(policy.EnrollContact))
	r.reach("alice", herMail)
	b := r.asked("alice")
	if a := b.get("/.stepgate/challenge"); shownKey(a.body) != "" || strings.Contains(a.body, herMail) {
		t.Errorf("%s", a.body)
	}
	b.does("email", "do=send")
	if a := b.does("email", "code="+r.post.code(herMail)); shownKey(a.body) == "" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if _, a := b.bindsApp(); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := r.asked("bob").get("/.stepgate/challenge"); shownKey(a.body) != "" {
		t.Error("who has no contact on file is shown a key")
	}
}

// TestFirstFactorBySMS binds a number in two steps: nothing is on file before
// the second.
func TestFirstFactorBySMS(t *testing.T) {
	r := newRig(t, allFactors)
	b := r.asked("alice")
	if a := b.does("sms", "address="+url.QueryEscape("138 1234 5678")); a.StatusCode != 422 {
		t.Errorf("a number of no country: %d", a.StatusCode)
	}
	if a := b.does("sms", "address="+url.QueryEscape("+86 138-1234-5678")); !shows(a, "code") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	a := b.does("sms", "code="+r.post.code(herNumber))
	if a.StatusCode != 200 || !strings.Contains(a.body, `value="enable"`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if account := r.account("alice"); len(account.Contacts) > 0 || account.State != identity.NeverBound {
		t.Errorf("before the person said so: %+v", account)
	}
	if a := b.does("sms", "do=enable"); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if account := r.account("alice"); len(account.Contacts) != 1 || len(account.Credentials) != 1 || account.Credentials[0].ID != account.Contacts[0].ID {
		t.Errorf("%+v", account)
	}
}

// TestEnableNeedsTheCode: the second step alone, or of another address, binds
// nothing.
func TestEnableNeedsTheCode(t *testing.T) {
	r := newRig(t, allFactors)
	b := r.asked("alice")
	b.does("sms", "do=enable")
	b.does("sms", "address="+url.QueryEscape(herNumber))
	b.does("sms", "do=enable")
	b.does("email", "do=enable")
	if r.account("alice").State != identity.NeverBound {
		t.Error("a number was bound without its code")
	}
}

// TestRebinding: an old factor is asked for, and a new one takes its place.
func TestRebinding(t *testing.T) {
	r := newRig(t, allFactors)
	key := r.bind("alice")
	r.sleep(time.Hour)
	check(t, r.accounts.RequireRebinding(t.Context(), subject("alice"), r.clock()))
	b := r.asked("alice")
	if a := b.get("/.stepgate/challenge"); shownKey(a.body) != "" {
		t.Fatal("a key is shown before the old factor")
	}
	if a := b.does("totp", "code="+code(t, key, r.clock())); shownKey(a.body) == "" || b.user() != "-" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	r.sleep(time.Minute)
	if _, a := b.bindsApp(); a.StatusCode != http.StatusSeeOther || b.user() != "alice" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if account := r.account("alice"); len(account.Credentials) != 1 || account.Rebinding() {
		t.Errorf("%+v", account)
	}
	r.sleep(6 * time.Minute)
	if a := r.asked("alice").does("totp", "code="+code(t, key, r.clock())); a.StatusCode == http.StatusSeeOther {
		t.Error("the old key still passes")
	}
}

// TestTooWeak: who holds only what does not count here binds what does, and
// that is worth no more than what it was bound by.
func TestTooWeak(t *testing.T) {
	r := newRig(t)
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("sms", "do=send")
	if a := b.does("sms", "code="+r.post.code(herNumber)); shownKey(a.body) == "" || b.user() != "-" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if _, a := b.bindsApp(); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for _, c := range r.account("alice").Credentials {
		if c.Strength > identity.Telephone {
			t.Errorf("a %s that an SMS vouched for is worth %d", c.Factor, c.Strength)
		}
	}
}

// TestTrustedBrowser: not before the person wants it, only this browser, and
// not after a change of factors.
func TestTrustedBrowser(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) { s.Rules.TrustBrowser = 30 * 24 * time.Hour })
	key := r.bind("alice")
	b := r.browser()
	b.signIn("alice", key)
	r.sleep(10 * time.Minute)
	if a := b.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatal("a browser is trusted that nobody wanted to be")
	}
	if a := b.does("totp", "trust=1&code="+code(t, key, r.clock())); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	r.sleep(29 * 24 * time.Hour)
	b.password("alice")
	if who := b.user(); who != "alice" {
		t.Errorf("the trusted browser is shown the wiki as %q", who)
	}
	if other := r.asked("alice"); other.user() != "-" {
		t.Error("another browser is trusted")
	}
	bobs := r.bind("bob")
	b.password("bob")
	if b.user() != "-" {
		t.Error("somebody else is trusted in this browser")
	}
	_ = bobs
	r.codesOf("alice")
	r.bindContact("alice", herNumber) // a change
	b.password("alice")
	if who := b.user(); who != "-" {
		t.Errorf("after a change of factors the browser is still trusted as %q", who)
	}
}

// TestTrustEnds after its time, and where the rules no longer know it.
func TestTrustEnds(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) { s.Rules.TrustBrowser = time.Hour })
	key := r.bind("alice")
	b := r.asked("alice")
	b.does("totp", "trust=1&code="+code(t, key, r.clock()))
	r.sleep(time.Hour)
	b.password("alice")
	if b.user() != "-" {
		t.Error("the trust has no end")
	}
	off := newRig(t, allFactors)
	key = off.bind("alice")
	b = off.asked("alice")
	b.does("totp", "trust=1&code="+code(t, key, off.clock()))
	off.sleep(10 * time.Minute)
	b.password("alice")
	if b.user() != "-" {
		t.Error("a browser is trusted although nobody offered it")
	}
}

// TestStuck files a request with a reference, once, with a check where the
// person wants one.
func TestStuck(t *testing.T) {
	r := newRig(t, allFactors)
	r.bind("alice")
	r.reach("alice", herMail)
	b := r.asked("alice")
	a := b.does("stuck", "do=file")
	filed, err := r.accounts.Requests(t.Context(), "staff", "", 10)
	check(t, err)
	if len(filed) != 1 || !strings.Contains(a.body, filed[0].Reference) || filed[0].Checked != "" {
		t.Fatalf("%+v %s", filed, a.body)
	}
	b.does("stuck", "do=send&kind=email")
	a = b.does("stuck", "kind=email&code="+r.post.code(herMail))
	again, err := r.accounts.Requests(t.Context(), "staff", "", 10)
	check(t, err)
	if len(again) != 1 || again[0].Checked != identity.Email || !strings.Contains(a.body, again[0].Reference) {
		t.Fatalf("%+v", again)
	}
	if again[0].Reference == filed[0].Reference {
		t.Error("who filed without a code can quote what was filed with one")
	}
	if a = r.asked("alice").does("stuck", "do=file"); strings.Contains(a.body, again[0].Reference) || strings.Contains(a.body, filed[0].Reference) {
		t.Errorf("who files without a code is told the reference of who had one: %s", a.body)
	}
	if b.user() != "-" {
		t.Error("a request lets in")
	}
}

// TestCheckCodeDoesNotPass: a code for a request is none for a pass.
func TestCheckCodeDoesNotPass(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("stuck", "do=send&kind=sms")
	check := r.post.code(herNumber)
	b.does("sms", "code="+check)
	if b.user() != "-" {
		t.Error("a code that was sent for a request passes")
	}
}

// TestLocked: an administrator's lock holds against every way.
func TestLockedByAdministrator(t *testing.T) {
	r := newRig(t, allFactors)
	key := r.bind("alice")
	waiting := r.asked("alice")
	id := waiting.formID()
	check(t, r.accounts.SetLocked(t.Context(), subject("alice"), r.clock()))
	if a := waiting.answer(id, "code="+code(t, key, r.clock())); a.StatusCode == http.StatusSeeOther {
		t.Error("a challenge that was begun before passes")
	}
	b := r.browser()
	if a := b.password("alice"); a.StatusCode != http.StatusForbidden {
		t.Errorf("%d", a.StatusCode)
	}
	check(t, r.accounts.SetLocked(t.Context(), subject("alice"), time.Time{}))
	b.signIn("alice", key)
}

// TestBindingIsNoticed: the next different browser shows that something was
// bound, once; the one that bound it does not.
func TestBindingIsNoticed(t *testing.T) {
	r := newRig(t, allFactors)
	b := r.asked("alice")
	key, a := b.bindsApp()
	if strings.Contains(a.Header.Get("Location"), "noticed") {
		t.Errorf("the browser that bound is led to %s", a.Header.Get("Location"))
	}
	r.sleep(10 * time.Minute)
	if a := b.signIn("alice", key); strings.Contains(a.Header.Get("Location"), "noticed") {
		t.Errorf("later the browser that bound is led to %s", a.Header.Get("Location"))
	}
	other := r.browser()
	if a := other.signIn("alice", key); !strings.HasPrefix(a.Header.Get("Location"), "/.stepgate/security/noticed?return=") {
		t.Errorf("another browser is led to %s", a.Header.Get("Location"))
	}
}

// TestTrailOfFactors: what happened is written down, codes are not.
func TestTrailOfFactors(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	b := r.asked("alice")
	b.does("sms", "do=send")
	sent := r.post.code(herNumber)
	b.does("sms", "code="+sent)
	var seen []audit.Event
	for _, e := range r.trail() {
		seen = append(seen, e.Event)
		for _, why := range e.Reasons {
			if strings.Contains(why.Detail, sent) || strings.Contains(why.Detail, herNumber) {
				t.Errorf("%s tells %q", e.Event, why.Detail)
			}
		}
	}
	for _, want := range []audit.Event{audit.CodeSent, audit.ChallengePassed} {
		if !slices.Contains(seen, want) {
			t.Errorf("%s is missing in %v", want, seen)
		}
	}
}
