package gateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

const securityPage = "/.stepgate/security"

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is that of the forms of the person's page.
func (b *browser) token() string {
	b.t.Helper()
	a := b.get(securityPage)
	m := tokenField.FindStringSubmatch(a.body)
	if m == nil {
		b.t.Fatalf("no form on the page: %d %s", a.StatusCode, a.body)
	}
	return m[1]
}

// posts sends a form of the page.
func (b *browser) posts(below, fields string) *reply {
	b.t.Helper()
	return b.post(securityPage+"/"+below, "token="+url.QueryEscape(b.token())+"&"+fields)
}

// says is what the page says that was done.
func says(a *reply) string {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || u.Path != securityPage {
		return fmt.Sprintf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	return u.Query().Get("done")
}

// stocked is a person with two authenticators, a number that is a factor, an
// address that is not, and codes, in a browser that passed with the first.
func (r *rig) stocked(name string) *browser {
	r.t.Helper()
	b := r.verified(name)
	r.add(accounts.Credential{ID: "second-" + name, Subject: subject(name), Factor: identity.Passkey, Name: "Laptop of " + name,
		BoundAt: r.clock(), Strength: identity.Device, Noticed: true})
	r.bindContact(name, map[string]string{"alice": herNumber, "bob": "+8613912345679"}[name])
	r.reach(name, name+"@example.com")
	r.codesOf(name)
	r.post.take()
	return b
}

// handles are the ids that the page's forms of a part send, in order.
func (b *browser) handles(below string) (all []string) {
	b.t.Helper()
	for _, list := range []string{"/sessions", "/browsers"} {
		for _, m := range regexp.MustCompile(`formaction="`+securityPage+"/"+below+`" name="id" value="([^"]+)"`).FindAllStringSubmatch(b.get(securityPage+list).body, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// attempts are a form for each part that does something, which changes
// something of who sends it.
func (r *rig) attempts(b *browser, name string) map[string]string {
	r.t.Helper()
	other := r.browser()
	other.signIn(name, b.login)
	number, _ := r.account(name).Contact(identity.SMS)
	planned := r.clock().Add(time.Hour)
	check(r.t, r.accounts.PlanRemoval(r.t.Context(), subject(name), number.ID, planned))
	all := map[string]string{
		"add": "factor=totp", "rename": "id=cred-" + name + "&name=Renamed", "replace": "id=cred-" + name, "remove": "id=second-" + name,
		"prefer": "factor=passkey", "codes": "", "contact": "kind=email", "enable": "kind=email", "keep": "id=" + number.ID,
		"contact/remove": "kind=email", "browser/forget": "id=" + b.handles("browser/forget")[0], "session/end": "id=" + b.handles("session/end")[0],
		"sessions/end": "", "noticed": "mine=yes",
	}
	for below := range gateway.SecurityPosts() {
		if _, ok := all[below]; !ok {
			r.t.Errorf("nothing tries %s", below)
		}
	}
	return all
}

// state is all that a person has, to be compared.
func (r *rig) state(name string) string {
	r.t.Helper()
	browsers, err := r.accounts.Browsers(r.t.Context(), subject(name))
	check(r.t, err)
	live, err := r.store.List(r.t.Context(), subject(name), r.clock())
	check(r.t, err)
	a := r.account(name)
	for i := range a.Credentials { // which a look at the codes uses
		a.Credentials[i].UsedAt, a.Credentials[i].LastStep = time.Time{}, 0
	}
	return fmt.Sprintf("%+v %d browsers %d sessions", a, len(browsers), len(live))
}

// TestSecurityForms: no form of another site, of another session or without a
// token changes anything, and each does with the right one.
func TestSecurityForms(t *testing.T) {
	for below := range gateway.SecurityPosts() {
		t.Run(below, func(t *testing.T) {
			r := newRig(t, allFactors)
			alice, bob := r.stocked("alice"), r.stocked("bob")
			form := r.attempts(alice, "alice")[below]
			check(t, r.accounts.Prefer(t.Context(), subject("alice"), identity.TOTP))
			own, stranger := alice.token(), bob.token()
			before := r.state("alice")
			at := securityPage + "/" + below
			for what, headers := range map[string][]string{
				"another site": {"Sec-Fetch-Site: cross-site"}, "a sibling": {"Sec-Fetch-Site: same-site"}, "another origin": {"Origin: https://evil.test"},
			} {
				if a := alice.post(at, "token="+own+"&"+form, headers...); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s: %d", what, a.StatusCode)
				}
			}
			for what, token := range map[string]string{"none": "", "another person's": stranger, "an altered one": own[1:]} {
				if got := says(alice.post(at, "token="+token+"&"+form)); got != "stale" {
					t.Errorf("token %s: %s", what, got)
				}
			}
			if a := alice.get(at + "?token=" + own + "&" + form); a.StatusCode == http.StatusOK && strings.Contains(a.body, "wxyz") {
				t.Error("a GET did it")
			}
			if after := r.state("alice"); after != before {
				t.Errorf("something changed:\n%s\n%s", before, after)
			}
			if a := alice.post(at, "token="+own+"&"+form); strings.HasPrefix(says(a), "4") || slices.Contains([]string{"stale", "gone", "last", "too_weak"}, says(a)) {
				t.Errorf("the right form: %d %s", a.StatusCode, says(a))
			}
			manages := below == "add" || below == "replace" || below == "contact" || below == "noticed"
			if after := r.state("alice"); (after == before) != manages {
				t.Errorf("the right form changed: %v", after != before)
			}
		})
	}
}

// TestSecurityNeedsAFreshPass: five minutes after the pass, each change asks
// for another, leads back to the page that asked, and only then is done.
func TestSecurityNeedsAFreshPass(t *testing.T) {
	for below, needed := range gateway.SecurityPosts() {
		t.Run(below, func(t *testing.T) {
			r := newRig(t, allFactors)
			alice := r.stocked("alice")
			form := r.attempts(alice, "alice")[below]
			r.sleep(5*time.Minute + time.Second)
			before := r.state("alice")
			a := alice.posts(below, form)
			to := a.Header.Get("Location")
			if led := strings.HasPrefix(to, "/.stepgate/challenge?id="); led != needed {
				t.Fatalf("%d %s", a.StatusCode, to)
			}
			if !needed {
				return
			}
			if after := r.state("alice"); after != before {
				t.Errorf("something changed:\n%s\n%s", before, after)
			}
			if a = alice.stepsUp(a, alice.login); !strings.HasPrefix(a.Header.Get("Location"), securityPage+"/"+below) {
				t.Fatalf("back to %s", a.Header.Get("Location"))
			}
			if asks := alice.get(a.Header.Get("Location")); asks.StatusCode != http.StatusOK || !strings.Contains(asks.body, `action="`+securityPage+"/"+below+`"`) {
				t.Errorf("the page that asked: %d %s", asks.StatusCode, asks.body)
			}
		})
	}
}

// TestSecurityBelowVerified: who gave only the password sees no secret, no
// picture of one, no contact, and changes nothing; nor does nobody.
func TestSecurityBelowVerified(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	forms, token := r.attempts(alice, "alice"), alice.token()
	before := r.state("alice")
	half, nobody := r.asked("alice"), r.browser()
	for _, below := range gateway.SecurityPages() {
		for what, b := range map[string]*browser{"/.stepgate/challenge": half, "/login?return=": nobody} {
			a := b.get(securityPage + strings.TrimSuffix("/"+below, "/"))
			if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), what) {
				t.Errorf("%s: %d %s", below, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	for below, form := range forms {
		for _, b := range []*browser{half, nobody} {
			if a := b.post(securityPage+"/"+below, "token="+token+"&"+form); a.StatusCode != http.StatusSeeOther || strings.Contains(a.Header.Get("Location"), "security?done") {
				t.Errorf("%s: %d %s", below, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	half.get("/.stepgate/challenge")
	for _, hidden := range []string{"138****5678", herNumber, "alice@example.com", "e***.com", `class="qr"`, "Laptop of alice"} {
		if strings.Contains(nobody.wire.String(), hidden) || hidden != "138****5678" && strings.Contains(half.wire.String(), hidden) {
			t.Errorf("%s is shown", hidden)
		}
	}
	if n := len(r.sessionsOf("alice")); n != 3 || strings.Split(r.state("alice"), "browsers")[0] != strings.Split(before, "browsers")[0] {
		t.Errorf("something changed, %d sessions", n)
	}
}

func (r *rig) sessionsOf(name string) []string {
	r.t.Helper()
	live, err := r.store.List(r.t.Context(), subject(name), r.clock())
	check(r.t, err)
	var all []string
	for _, s := range live {
		all = append(all, string(s.ID[:]))
	}
	return all
}

// TestSecurityOthersThings: ids of somebody else are as if there were none, and
// nothing of theirs changes.
func TestSecurityOthersThings(t *testing.T) {
	r := newRig(t, allFactors)
	alice, bob := r.stocked("alice"), r.stocked("bob")
	forms := r.attempts(bob, "bob")
	before, her := r.state("bob"), r.state("alice")
	for _, below := range []string{"rename", "replace", "remove", "keep", "browser/forget", "session/end"} {
		if got := says(alice.posts(below, forms[below])); got != "gone" {
			t.Errorf("%s: %s", below, got)
		}
		if page := alice.get(securityPage + "/" + below + "?" + forms[below]); strings.Contains(page.body, "bob") {
			t.Errorf("%s: the page tells of it: %s", below, page.body)
		}
	}
	if after := r.state("bob"); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	if after := r.state("alice"); after != her {
		t.Errorf("something of hers changed:\n%s\n%s", her, after)
	}
}

// TestSecurityManagedByOthers: where people do not manage their factors, they
// see them, and may end sessions and forget browsers, and no more.
func TestSecurityManagedByOthers(t *testing.T) {
	for below, needed := range gateway.SecurityPosts() {
		r := newRig(t, allFactors, func(s *gateway.Site) { s.Rules.Manage = false })
		alice := r.stocked("alice")
		form := r.attempts(alice, "alice")[below]
		before := r.account("alice")
		a := alice.posts(below, form)
		refused := needed || below == "keep"
		if (a.StatusCode == http.StatusForbidden) != refused {
			t.Errorf("%s: %d %s", below, a.StatusCode, a.Header.Get("Location"))
		}
		if refused && (fmt.Sprint(r.account("alice")) != fmt.Sprint(before) || !slices.ContainsFunc(r.trail(), func(rec audit.Record) bool {
			return rec.Event == audit.RequestRefused && rec.Reasons[0].Code == policy.ReasonNotManageable
		})) {
			t.Errorf("%s: something changed, or nothing was recorded", below)
		}
		page := alice.get(securityPage)
		if !strings.Contains(page.body, "138****5678") || !strings.Contains(page.body, "Laptop of alice") {
			t.Errorf("what there is is not shown: %s", page.body)
		}
		for _, offered := range []string{"/rename", "/remove", "/replace", "/contact", "/codes", "/add", "/prefer", "/enable", "/keep"} {
			if strings.Contains(page.body, securityPage+offered) {
				t.Errorf("%s is offered", offered)
			}
		}
	}
}

// TestEndingOthers really ends them: their cookies get no answer of the
// console, and their browsers are asked again at once.
func TestEndingOthers(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	thief, bob := r.browser(), r.stocked("bob")
	thief.signIn("alice", alice.login)
	old := thief.copy()
	old.user() // its session is near
	if got := says(alice.posts("sessions/end", "")); got != "others_ended" {
		t.Fatal(got)
	}
	r.console.got()
	if who := old.user(); who != "-" || len(r.console.got()) > 0 {
		t.Errorf("the old cookie shows the wiki of %q", who)
	}
	if who := alice.user(); who != "alice" || bob.user() != "bob" {
		t.Errorf("here: %q", who)
	}
	if a := thief.password("alice"); a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Errorf("a browser that passed minutes ago: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if got := r.post.take(); len(got) == 0 || !slices.Contains(r.events(), audit.OthersEnded) {
		t.Error("nobody was told")
	}
	r.forgetNear()
	if who := old.user(); who != "-" {
		t.Errorf("after a restart the old cookie shows the wiki of %q", who)
	}
}

// TestEndingOthersEndsTrust: a laptop that is lost is asked again, however
// long it was to be trusted.
func TestEndingOthersEndsTrust(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) { s.Rules.TrustBrowser = 30 * 24 * time.Hour })
	alice := r.stocked("alice")
	r.sleep(time.Minute)
	lost := r.asked("alice")
	lost.does("totp", "trust=1&code="+code(t, alice.login, r.clock()))
	r.sleep(time.Hour / 2)
	if lost.password("alice"); lost.user() != "alice" {
		t.Fatal("the browser is not trusted")
	}
	if got := says(alice.posts("sessions/end", "")); got != "others_ended" {
		t.Fatal(got)
	}
	if lost.password("alice"); lost.user() != "-" {
		t.Error("a browser whose sessions were ended is still trusted")
	}
}

// TestEndingOne ends that one.
func TestEndingOne(t *testing.T) {
	r := newRig(t, allFactors)
	alice := r.stocked("alice")
	other, third := r.browser(), r.browser()
	other.signIn("alice", alice.login)
	third.signIn("alice", alice.login)
	ids := alice.handles("session/end")
	if len(ids) != 2 {
		t.Fatalf("%d others", len(ids))
	}
	if got := says(alice.posts("session/end", "id="+ids[0])); got != "session_ended" { // last seen first
		t.Fatal(got)
	}
	if third.user() != "-" || other.user() != "alice" || alice.user() != "alice" {
		t.Error("another one ended")
	}
}
