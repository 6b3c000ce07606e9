package gateway_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
)

// bySMS is a browser in which a person passed with a code that was sent, and
// who also has an authenticator that is worth more.
func (r *rig) bySMS(name string) *browser {
	r.t.Helper()
	key := r.bind(name)
	r.bindContact(name, herNumber)
	b := r.asked(name)
	b.login = key
	b.does("sms", "do=send")
	if a := b.does("sms", "code="+r.post.code(herNumber)); a.StatusCode != http.StatusSeeOther {
		r.t.Fatalf("code: %d %s", a.StatusCode, a.body)
	}
	r.post.take()
	return b
}

func (r *rig) credential(name, id string) (accounts.Credential, bool) {
	r.t.Helper()
	all := r.account(name).Usable(r.clock())
	i := slices.IndexFunc(all, func(c accounts.Credential) bool { return c.ID == id })
	if i < 0 {
		return accounts.Credential{}, false
	}
	return all[i], true
}

// TestStolenNumberCannotClimb: who has got hold of a person's number alone can
// plan to remove what is stronger, and that is announced and canceled; what it
// adds is worth no more; and it takes the place of nothing.
func TestStolenNumberCannotClimb(t *testing.T) {
	r := newRig(t, allFactors)
	thief := r.bySMS("alice")
	r.codesOf("alice")
	if got := says(thief.posts("replace", "id=cred-alice")); got != "too_weak" {
		t.Errorf("replacing: %s", got)
	}
	if got := says(thief.posts("codes", "")); got != "too_weak" {
		t.Errorf("voiding codes: %s", got)
	}
	thief.posts("add", "factor=totp")
	a := thief.posts("add", "factor=totp")
	at := a.Header.Get("Location")
	page := thief.get(at)
	key, id := shownKey(page.body), challengeID.FindStringSubmatch(page.body)
	thief.post(at, "challenge="+id[1]+"&code1="+code(t, key, r.clock())+"&code2="+code(t, key, r.clock().Add(30*time.Second)))
	i := slices.IndexFunc(r.account("alice").Credentials, func(c accounts.Credential) bool {
		return c.Factor == identity.TOTP && c.ID != "cred-alice" && c.Strength == identity.Telephone
	})
	if i < 0 {
		t.Fatalf("what was added: %+v", r.account("alice").Credentials)
	}
	r.post.take()
	if asks := thief.get(securityPage + "/remove?id=cred-alice"); !strings.Contains(asks.body, "4 December 2026") {
		t.Errorf("the page does not say when: %s", asks.body)
	}
	if got := says(thief.posts("remove", "id=cred-alice")); got != "planned" {
		t.Fatalf("removing: %s", got)
	}
	c, ok := r.credential("alice", "cred-alice")
	if !ok || !c.RemoveAt.Equal(r.clock().Add(72*time.Hour)) {
		t.Errorf("%v %+v", ok, c)
	}
	if sent := r.post.take(); len(sent) != 1 || !slices.Contains(r.events(), audit.RemovalPlanned) {
		t.Errorf("told by %d messages", len(sent))
	}
	r.sleep(time.Hour)
	owner := r.browser()
	owner.signIn("alice", thief.login)
	if c, ok := r.credential("alice", "cred-alice"); !ok || !c.RemoveAt.IsZero() {
		t.Errorf("its use does not cancel: %v %+v", ok, c)
	}
}

// TestPlannedRemoval takes effect in time, unless it is canceled on the page.
func TestPlannedRemoval(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		r := newRig(t, allFactors)
		b := r.bySMS("alice")
		b.posts("remove", "id=cred-alice")
		if page := b.get(securityPage); !strings.Contains(page.body, "Will be removed on") {
			t.Errorf("the page does not say so: %s", page.body)
		}
		if cancel {
			r.post.take()
			if got := says(b.posts("keep", "id=cred-alice")); got != "kept" || len(r.post.take()) != 1 {
				t.Errorf("canceling: %s", got)
			}
		}
		r.sleep(72 * time.Hour)
		if _, ok := r.credential("alice", "cred-alice"); ok != cancel {
			t.Errorf("canceled: %v, there: %v", cancel, ok)
		}
	}
}

// TestLastFactorStays: what counts at this site is never removed without
// another that does, and stays; codes and planned ones are no other.
func TestLastFactorStays(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) {
		s.Rules.Factors = []identity.Factor{identity.TOTP, identity.SMS, identity.Recovery} // no mail, no passkey
	})
	b := r.stocked("alice")
	r.bindMailFactor("alice")
	number, _ := r.account("alice").Contact(identity.SMS)
	if got := says(b.posts("contact/remove", "kind=sms")); got != "contact_removed" {
		t.Fatalf("the number beside an authenticator: %s", got)
	}
	if _, ok := r.credential("alice", number.ID); ok {
		t.Error("its factor is still there")
	}
	if got := says(b.posts("remove", "id=cred-alice")); got != "last" {
		t.Errorf("the authenticator beside a passkey and mail that do not count: %s", got)
	}
	if got := says(b.get(securityPage + "/remove?id=cred-alice")); got != "last" {
		t.Errorf("its page: %s", got)
	}
	if page := b.get(securityPage); strings.Contains(page.body, "remove?id=cred-alice") {
		t.Error("its removal is offered")
	}
	if got := says(b.posts("remove", "id=codes-alice")); got != "removed" {
		t.Errorf("the codes: %s", got)
	}
}

func (r *rig) bindMailFactor(name string) {
	r.t.Helper()
	c, _ := r.account(name).Contact(identity.Email)
	r.add(accounts.Credential{ID: c.ID, Subject: c.Subject, Factor: identity.Email, Name: "mail", BoundAt: r.clock(), Strength: identity.Mailbox, Noticed: true})
}

// TestChangesAreTold by all contacts, those that go as well.
func TestChangesAreTold(t *testing.T) {
	for below, c := range map[string]struct{ form, said string }{
		"remove": {"id=second-alice", "removed"}, "contact/remove": {"kind=email", "contact_removed"}, "enable": {"kind=email", "enabled"},
	} {
		r := newRig(t, allFactors)
		b := r.stocked("alice")
		if got := says(b.posts(below, c.form)); got != c.said {
			t.Errorf("%s: %s", below, got)
		}
		var to []string
		for _, m := range r.post.take() {
			to = append(to, m.To)
		}
		slices.Sort(to)
		if !slices.Equal(to, []string{herNumber, herMail}) {
			t.Errorf("%s: told %v", below, to)
		}
		if page := b.get(securityPage + "?done=removed&by=" + url.QueryEscape(b.token())); strings.Contains(page.body, `role="status"`) {
			t.Error("a word of nobody's is shown")
		}
	}
}

// TestNewCodes are shown once, work, and make the old ones void.
func TestNewCodes(t *testing.T) {
	r := newRig(t, allFactors)
	b := r.stocked("alice")
	old, _ := r.credential("alice", "codes-alice")
	a := b.posts("codes", "")
	codes := regexp.MustCompile(`<code>((?:\w{4}-){3}\w{4})</code>`).FindAllStringSubmatch(a.body, -1)
	if len(codes) != recovery.Count || a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.body, "data:text/plain") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if _, ok := r.credential("alice", old.ID); ok {
		t.Error("the old codes are still there")
	}
	if strings.Contains(b.get(securityPage).body+b.get(securityPage+"/codes").body, codes[0][1]) {
		t.Error("they are shown again")
	}
	in := r.asked("alice")
	passed := in.does("recovery", "code="+codes[3][1])
	to := passed.Header.Get("Location")
	if !strings.HasPrefix(to, securityPage+"/recovered?") {
		t.Fatalf("after a code: %d %s", passed.StatusCode, to)
	}
	page := in.get(to)
	if !strings.Contains(page.body, "You have 9 left") || !strings.Contains(page.body, `/home?id=start"`) {
		t.Errorf("%s", page.body)
	}
}

// TestStrangersDoNotSayWhereToGoOn: a page on the way leads where we said, and
// otherwise stays here.
func TestStrangersDoNotSayWhereToGoOn(t *testing.T) {
	r := newRig(t, allFactors)
	b := r.stocked("alice")
	for _, to := range []string{"https://evil.test/", "//evil.test/", "javascript:alert(1)", "/\\evil.test"} {
		for _, by := range []string{"", b.token()} {
			for _, page := range []string{"/recovered", "/noticed"} {
				a := b.get(securityPage + page + "?" + url.Values{"return": {to}, "seal": {by}}.Encode())
				for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
					if !strings.HasPrefix(link[1], "/.stepgate/") && link[1] != "/" {
						t.Errorf("%s leads to %s", page, link[1])
					}
				}
				if strings.Contains(a.Header.Get("Location")+a.Header.Get("Refresh"), "evil") {
					t.Errorf("%s leads to %s", page, to)
				}
			}
			if a := b.posts("noticed", url.Values{"return": {to}, "seal": {by}, "mine": {"yes"}}.Encode()); a.Header.Get("Location") != "/" {
				t.Errorf("the answer leads to %s", a.Header.Get("Location"))
			}
		}
	}
}

// TestNoticed shows at the next pass in another browser what was bound, until
// somebody says whose it was.
func TestNoticed(t *testing.T) {
	for mine, want := range map[string]string{"yes": "/home?id=start", "no": securityPage + "?advice="} {
		r := newRig(t, allFactors)
		key := r.bind("alice")
		r.add(accounts.Credential{ID: "odd", Subject: subject("alice"), Factor: identity.Passkey, Name: "Strange key", BoundAt: r.clock(), Strength: identity.Device,
			Bound: accounts.Place{Address: "203.0.113.77", Browser: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", Mark: []byte("elsewhere")}})
		for range 2 {
			b := r.browser()
			to := b.signIn("alice", key).Header.Get("Location")
			page := b.get(to)
			for _, part := range []string{"Strange key", "203.0.113.0/24", "Firefox 145 · Linux", "1 December 2026"} {
				if !strings.Contains(page.body, part) {
					t.Fatalf("%s: %q is not on the page: %s", to, part, page.body)
				}
			}
			r.sleep(time.Hour)
		}
		b := r.browser()
		to, err := url.Parse(b.signIn("alice", key).Header.Get("Location"))
		check(t, err)
		form := to.Query()
		form.Set("mine", mine)
		a := b.posts("noticed", form.Encode())
		if at := a.Header.Get("Location"); !strings.Contains(at, want) {
			t.Errorf("%s leads to %s", mine, at)
		}
		if advised := b.get(a.Header.Get("Location")); (mine == "no") != strings.Contains(advised.body, "Put your account in order") {
			t.Errorf("%s: %s", mine, advised.body)
		}
		r.sleep(time.Hour)
		if to := r.browser().signIn("alice", key).Header.Get("Location"); strings.Contains(to, "noticed") {
			t.Error("it is shown again")
		}
	}
}

// TestPasswordChangeEndsTrust: a change of the console's password by a verified
// request ends the trust in the person's browsers, a look at its page does not.
func TestPasswordChangeEndsTrust(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) {
		s.Rules.TrustBrowser = 24 * time.Hour
		s.Console.PasswordChange = match.Matches{{Methods: []string{"GET", "POST"}, Paths: []string{"/profile"}}}
	})
	key := r.bind("alice")
	b, bob := r.asked("alice"), r.verified("bob")
	if a := b.does("totp", "trust=1&code="+code(t, key, r.clock())); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	trusted := func() bool {
		all, err := r.accounts.Browsers(t.Context(), subject("alice"))
		check(t, err)
		return slices.ContainsFunc(all, func(k accounts.Browser) bool { return k.TrustedUntil.After(r.clock()) })
	}
	r.faults.calls = map[string]int{}
	b.get("/profile")
	b.post("/other", "x=1")
	bob.post("/profile", "new=1")
	b.browser().post("/profile", "new=1")
	if !trusted() || r.faults.calls["accounts.DistrustBrowsers"] != 1 { // bob's
		t.Fatalf("trusted: %v, %v", trusted(), r.faults.calls)
	}
	b.post("/profile", "new=1")
	if trusted() {
		t.Error("the trust is still there")
	}
}

// TestGoOnAtAnotherHost: where the console wants the person elsewhere, a page on
// the way leads there, and an altered address does not.
func TestGoOnAtAnotherHost(t *testing.T) {
	r := newRig(t, allFactors)
	r.bind("alice")
	code := r.codesOf("alice")[0]
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice."+secret)
		w.Header().Set("Location", "https://other.test/x?y=1")
		w.WriteHeader(http.StatusFound)
	})
	b := r.browser()
	b.post("/login", "u=alice&p=x")
	to := b.does("recovery", "code="+string(code)).Header.Get("Location")
	if page := b.get(to); !strings.Contains(page.body, `href="https://other.test/x?y=1"`) || !strings.Contains(page.body, "to <bdi>other.test</bdi>") {
		t.Errorf("%s: %s", to, page.body)
	}
	if page := b.get(strings.Replace(to, "other.test", "evil.test", 1)); strings.Contains(page.body, `href="https://`) {
		t.Errorf("an altered address: %s", page.body)
	}
}

// TestSecurityOfPeopleOfAnIssuer: they see sessions, browsers and activity, and
// have nothing to add; without a session they are led to the console's pages.
func TestSecurityOfPeopleOfAnIssuer(t *testing.T) {
	r := byHeader(t, always, local)
	b, alice := r.browser(), "X-Sso-User: alice"
	if a := b.get(securityPage, alice); a.Header.Get("Location") != "/" {
		t.Errorf("before a session: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if b.sees(alice) != "alice" {
		t.Fatal("alice is not let in")
	}
	page := b.get(securityPage, alice)
	if !strings.Contains(page.body, "You sign in by single sign-on") || !strings.Contains(page.body, "Recent activity") || strings.Contains(page.body, securityPage+"/add") {
		t.Errorf("%d %s", page.StatusCode, page.body)
	}
	m := tokenField.FindStringSubmatch(page.body)
	for _, form := range []string{"add?factor=totp", "codes?", "contact?kind=email"} {
		below, fields, _ := strings.Cut(form, "?")
		if a := b.post(securityPage+"/"+below, "token="+m[1]+"&"+fields, alice); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "nothing to confirm with") {
			t.Errorf("%s: %d %s", below, a.StatusCode, a.body)
		}
	}
	if got := says(b.post(securityPage+"/sessions/end", "token="+m[1], alice)); got != "others_ended" {
		t.Errorf("ending the others: %s", got)
	}
}

// TestOwnPasswordChangeEndsTrust, and is told to the person; a wrong old one is
// neither. The page offers it.
func TestOwnPasswordChangeEndsTrust(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	o.reach("alice", herMail)
	b := o.browser()
	b.goesIn("alice", herPassword, key)
	trusted := func() bool {
		all, err := o.rig.accounts.Browsers(t.Context(), subject("alice"))
		check(t, err)
		if len(all) != 1 {
			t.Fatalf("%d browsers", len(all))
		}
		return !all[0].TrustedUntil.IsZero()
	}
	all, err := o.rig.accounts.Browsers(t.Context(), subject("alice"))
	check(t, err)
	check(t, o.rig.accounts.TrustBrowser(t.Context(), subject("alice"), all[0].Place.Mark, o.clock().Add(time.Hour)))
	if page := b.get(securityPage); !strings.Contains(page.body, ownPage+"/change") {
		t.Errorf("the page does not offer it: %s", page.body)
	}
	if b.changes("wrong", newPassword, newPassword); !trusted() || len(o.post.take()) > 0 {
		t.Error("a wrong old password ends the trust, or is told as a change")
	}
	if a := b.changes(herPassword, newPassword, newPassword); a.StatusCode != http.StatusOK || trusted() {
		t.Errorf("%d, trusted: %v", a.StatusCode, trusted())
	}
	if sent := o.post.take(); len(sent) != 1 || sent[0].To != herMail || sent[0].Purpose != "announce_password_changed" {
		t.Errorf("told %v", sent)
	}
}
