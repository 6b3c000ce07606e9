package gateway_test

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/argon"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
)

// dated is what differs between two answers of one minute.
var dated = regexp.MustCompile(`Date: [^\r]*\r\n`)

const (
	herPassword = "correct horse battery"
	newPassword = "tulip kettle orbit"
	ownPage     = "/.stepgate/signin/password"
)

// office is a rig before a console that has no login.
type office struct {
	*rig
	hasher *quickHasher
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{newRig(t), new(quickHasher)}
	o.site.Console, o.site.SignIns = new(firstfactor.Console), []gateway.SignIn{gateway.PasswordSignIn{}}
	o.svc.Passwords = &firstfactor.Passwords{Store: faultyPasswords{o.rig.accounts, o.faults}, Budgets: faultyBudgets{o.rig.accounts.Budgets(), o.faults},
		Hasher: o.hasher, Ring: o.ring, Now: o.clock}
	o.gateway = gateway.New(o.site, o.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	return o
}

// invite makes a person and returns the ticket of the link.
func (o *office) invite(name string) accounts.Ticket {
	o.t.Helper()
	check(o.t, o.rig.accounts.CreatePerson(o.t.Context(), subject(name), o.clock()))
	return o.ticket(name)
}

func (o *office) ticket(name string) accounts.Ticket {
	o.t.Helper()
	ticket := accounts.NewTicket()
	check(o.t, o.rig.accounts.IssueLink(o.t.Context(), subject(name), ticket.Digest(), o.clock().Add(accounts.LinkLife)))
	return ticket
}

// employ makes a person with a password and an authenticator.
func (o *office) employ(name string) (key string) {
	o.t.Helper()
	_, err := o.svc.Passwords.Redeem(o.t.Context(), "staff", o.invite(name), herPassword)
	check(o.t, err)
	return o.bind(name)
}

// typed sends name and password to the own page.
func (b *browser) typed(name, password string, headers ...string) *reply {
	b.t.Helper()
	return b.post(ownPage+"?return=/private", url.Values{"name": {name}, "password": {password}}.Encode(), headers...)
}

// goesIn signs in with a code one step after the last.
func (b *browser) goesIn(name, password, key string) {
	b.t.Helper()
	b.sleep(30 * time.Second)
	if a := b.typed(name, password); a.StatusCode != 303 {
		b.t.Fatalf("sign-in: %d %s", a.StatusCode, a.body)
	}
	if a := b.answer(b.formID(), "code="+code(b.t, key, b.clock())); a.StatusCode != 303 || a.Header.Get("Location") != "/private" {
		b.t.Fatalf("code: %d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
}

func (b *browser) inside() bool {
	b.t.Helper()
	return strings.Contains(b.get("/private").body, protected)
}

// quickHasher hashes nothing; it can be busy, and counts.
type quickHasher struct {
	busy atomic.Bool
	runs atomic.Int64
}

func (h *quickHasher) Hash(_ context.Context, password string) (string, error) {
	return "h$" + password, h.run()
}

func (h *quickHasher) Verify(_ context.Context, encoded, password string) (right, old bool, err error) {
	return encoded == "h$"+password, false, h.run()
}

func (h *quickHasher) run() error {
	h.runs.Add(1)
	if h.busy.Load() {
		return argon.ErrBusy
	}
	return nil
}

type faultyPasswords struct {
	accounts.Passwords
	f *faults
}

func (s faultyPasswords) Person(ctx context.Context, who identity.Subject) (accounts.Person, error) {
	return ask(ctx, s.f, "passwords.Person", func() (accounts.Person, error) { return s.Passwords.Person(ctx, who) })
}

func (s faultyPasswords) Link(ctx context.Context, realm string, digest []byte, now time.Time) (identity.Subject, error) {
	return ask(ctx, s.f, "passwords.Link", func() (identity.Subject, error) { return s.Passwords.Link(ctx, realm, digest, now) })
}

func (s faultyPasswords) RedeemLink(ctx context.Context, who identity.Subject, digest, password []byte, now time.Time) error {
	return tell(ctx, s.f, "passwords.RedeemLink", func() error { return s.Passwords.RedeemLink(ctx, who, digest, password, now) })
}

func (s faultyPasswords) SetPassword(ctx context.Context, who identity.Subject, old, password []byte, set time.Time) error {
	return tell(ctx, s.f, "passwords.SetPassword", func() error { return s.Passwords.SetPassword(ctx, who, old, password, set) })
}

func TestPasswordSignIn(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	b := o.browser()
	if a := b.get("/private"); a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/.stepgate/signin") {
		t.Fatalf("nobody is led to %s", a.Header.Get("Location"))
	}
	if a := b.get(ownPage + "?return=/private"); a.StatusCode != 200 || !strings.Contains(a.body, `name="password"`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if a := b.typed("alice", "wrong"); a.StatusCode != 422 || len(a.Cookies()) != 0 {
		t.Errorf("a wrong password: %d, %v", a.StatusCode, a.Cookies())
	}
	if a := b.typed("alice", herPassword); a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("the right one: %d %s", a.StatusCode, a.body)
	}
	if b.inside() {
		t.Error("the password alone is enough")
	}
	b.clean("before the second factor")
	b.goesIn("alice", herPassword, key)
	o.console.got()
	if !b.inside() {
		t.Error("alice sees nothing")
	}
	if got := o.console.got(); len(got) != 1 || got[0].Header.Get("Remote-User") != "alice" {
		t.Errorf("the console is told %v", got)
	}
	if want := []audit.Event{audit.PasswordFailed, audit.ChallengeAsked}; !slices.Equal(o.events()[:2], want) {
		t.Errorf("the trail has %v", o.events())
	}
}

// Whoever asks cannot tell whether there is such a person: the same answers,
// byte for byte, after the same calls of the stores.
func TestPasswordAnswersAreTheSame(t *testing.T) {
	var first string
	var runs int64
	for _, name := range []string{"aaaaa", "bbbbb", "ccccc", "Aaaaa"} {
		o := newOffice(t)
		o.employ("aaaaa")
		o.invite("bbbbb")
		b, before := o.browser(), o.hasher.runs.Load()
		var all strings.Builder
		for range 12 {
			raw := b.typed(name, "wrong").raw
			all.WriteString(strings.ReplaceAll(raw, name, "NNNNN"))
		}
		got, did := dated.ReplaceAllString(all.String(), ""), o.hasher.runs.Load()-before
		if first == "" {
			first, runs = got, did
		}
		if got != first || did != runs || runs != 10 {
			t.Errorf("%s: %d hashes, for the first %d, and\n%s\nfor the first\n%s", name, did, runs, got, first)
		}
	}
	if strings.Count(first, "429 Too Many") != 2 || strings.Count(first, "Retry-After") != 2 {
		t.Errorf("nobody is locked in\n%s", first)
	}
}

func TestPasswordTrailNamesNobodyUnknown(t *testing.T) {
	o := newOffice(t)
	o.employ("alice")
	b := o.browser()
	b.typed("hunter2-typed-as-name", "wrong")
	b.typed("alice", "hunter2")
	trail := o.trail()
	if trail[0].Subject != subject("alice") || !trail[1].Subject.IsZero() {
		t.Errorf("%+v", trail[:2])
	}
	for _, r := range trail {
		if r.Event == audit.PasswordFailed && strings.Contains(r.Reasons[0].Detail+r.Reference+r.Browser+r.Subject.Name, "hunter2") {
			t.Errorf("the trail has what was typed: %+v", r)
		}
	}
}

// A machine that hashes as much as it may says so at once, and serves all else.
func TestPasswordBusy(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	b := o.browser()
	b.goesIn("alice", herPassword, key)
	o.hasher.busy.Store(true)
	for range 20 {
		if a := o.browser().typed("alice", herPassword); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
			t.Fatalf("%d %v", a.StatusCode, a.Header)
		}
	}
	if !b.inside() {
		t.Error("others are not served")
	}
	o.hasher.busy.Store(false)
	if a := o.browser().typed("alice", herPassword); a.StatusCode != 303 {
		t.Errorf("afterwards: %d: the attempts were not given back", a.StatusCode)
	}
}

func TestPasswordFormsOfOtherSites(t *testing.T) {
	o := newOffice(t)
	o.employ("alice")
	ticket := o.invite("bob")
	for path, form := range map[string]url.Values{
		"":        {"name": {"alice"}, "password": {herPassword}},
		"/link":   {"ticket": {string(ticket)}, "password1": {newPassword}, "password2": {newPassword}},
		"/change": {"password": {herPassword}, "password1": {newPassword}, "password2": {newPassword}},
	} {
		for _, header := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.test"} {
			a := o.browser().post(ownPage+path, form.Encode(), header)
			if a.StatusCode != 403 || len(a.Cookies()) != 0 {
				t.Errorf("%s with %s: %d, %v", path, header, a.StatusCode, a.Cookies())
			}
		}
	}
	if _, err := o.svc.Passwords.LinkOf(t.Context(), "staff", ticket); err != nil {
		t.Errorf("the link was spent: %v", err)
	}
}

// Whoever signed in before, in this browser, is out when somebody else does.
func TestPasswordOfSomebodyElse(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	o.employ("bob")
	b := o.browser()
	b.goesIn("alice", herPassword, key)
	stolen := b.copy()
	b.typed("bob", herPassword)
	if b.inside() || stolen.inside() {
		t.Error("alice's session went on")
	}
}

func TestPasswordLinkSetsTheFirstPassword(t *testing.T) {
	o := newOffice(t)
	ticket := o.invite("alice")
	b := o.browser()
	form := func(more ...string) *reply {
		f := url.Values{"ticket": {string(ticket)}}
		if len(more) > 0 {
			f.Set("password1", more[0])
			f.Set("password2", more[1])
		}
		return b.post(ownPage+"/link", f.Encode())
	}
	for range 3 { // looking at it spends nothing
		if a := b.get(ownPage + "/link"); a.StatusCode != 200 || !strings.Contains(a.Header.Get("Content-Security-Policy"), "script-src 'sha256-") {
			t.Fatalf("%d %v", a.StatusCode, a.Header)
		}
		if a := form(); a.StatusCode != 200 || !strings.Contains(a.body, `value="alice"`) {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
	for _, weak := range [][2]string{{"", ""}, {"short", "short"}, {"password1234", "password1234"}, {"alice-2026-1", "alice-2026-1"}, {newPassword, newPassword + " "}} {
		if a := form(weak[0], weak[1]); a.StatusCode != 422 || strings.Contains(a.body, newPassword) || len(a.Cookies()) != 0 {
			t.Errorf("%q: %d %s", weak, a.StatusCode, a.body)
		}
	}
	if a := form(newPassword, newPassword); a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	page := b.get("/.stepgate/challenge")
	key := shownKey(page.body)
	id := challengeID.FindStringSubmatch(page.body)[1]
	a := b.answer(id, "code1="+code(t, key, b.clock().Add(-30*time.Second))+"&code2="+code(t, key, b.clock()))
	if a.StatusCode != 303 || !b.inside() {
		t.Errorf("after the binding: %d %s", a.StatusCode, a.body)
	}
	for _, spent := range []*reply{form(), form(herPassword, herPassword)} {
		if spent.StatusCode != 403 {
			t.Errorf("used again: %d", spent.StatusCode)
		}
	}
	if a := o.browser().typed("alice", newPassword); a.StatusCode != 303 {
		t.Errorf("the password is %d", a.StatusCode)
	}
}

// One link, a hundred at once: one of them is signed in.
func TestPasswordLinkOnceAmongAHundred(t *testing.T) {
	o := newOffice(t)
	form := url.Values{"ticket": {string(o.invite("alice"))}, "password1": {newPassword}, "password2": {newPassword}}.Encode()
	var in, busy atomic.Int64
	crowd(100, func(int) {
		a, err := o.browser().try("POST", ownPage+"/link", form, append(slices.Clone(page), "Content-Type: application/x-www-form-urlencoded")...)
		switch {
		case err != nil || a.StatusCode == 503: // a store under such a load may miss its two seconds
			busy.Add(1)
		case a.StatusCode == 303:
			in.Add(1)
		case a.StatusCode != 403:
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	if in.Load() > 1 || in.Load() == 0 && busy.Load() == 0 {
		t.Errorf("%d used it", in.Load())
	}
}

func TestPasswordLinkForAForgottenOne(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	old := o.browser()
	old.goesIn("alice", herPassword, key)
	ticket := o.ticket("alice")
	if !old.inside() || o.browser().typed("alice", herPassword).StatusCode != 303 {
		t.Error("a link that nobody used changed something")
	}
	b := o.browser()
	a := b.post(ownPage+"/link", url.Values{"ticket": {string(ticket)}, "password1": {newPassword}, "password2": {newPassword}}.Encode())
	if a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if shownKey(b.get("/.stepgate/challenge").body) != "" {
		t.Error("a link opens a new binding")
	}
	if old.inside() {
		t.Error("the session that the old password began goes on")
	}
	if b.inside() {
		t.Error("the link alone is enough")
	}
}

// changes sends the form of a change.
func (b *browser) changes(old, password, again string) *reply {
	b.t.Helper()
	return b.post(ownPage+"/change", url.Values{"password": {old}, "password1": {password}, "password2": {again}}.Encode())
}

func TestPasswordChangeEndsOtherSessions(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	other, b := o.browser(), o.browser()
	other.goesIn("alice", herPassword, key)
	b.goesIn("alice", herPassword, key)
	stolen := b.copy()
	if a := b.get(ownPage + "/change"); a.StatusCode != 200 || !strings.Contains(a.body, `name="password1"`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for what, a := range map[string]*reply{
		"wrong old":     b.changes("wrong", newPassword, newPassword),
		"too short":     b.changes(herPassword, "short", "short"),
		"typed amiss":   b.changes(herPassword, newPassword, newPassword+"x"),
		"no old at all": b.changes("", newPassword, newPassword),
	} {
		if a.StatusCode != 422 || !b.inside() || !other.inside() {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
	if a := b.changes(herPassword, newPassword, newPassword); a.StatusCode != 200 || len(a.Cookies()) != 1 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if !b.inside() || other.inside() || stolen.inside() {
		t.Errorf("inside: here %v, elsewhere %v, with the cookie of before %v", b.inside(), other.inside(), stolen.inside())
	}
	o.forgetNear()
	if !b.inside() || other.inside() {
		t.Error("the store knows better")
	}
	if o.browser().typed("alice", herPassword).StatusCode == 303 || o.browser().typed("alice", newPassword).StatusCode != 303 {
		t.Error("the old password is right, or the new one wrong")
	}
	if !slices.Contains(o.events(), audit.PasswordChanged) {
		t.Errorf("the trail has %v", o.events())
	}
}

// A change needs a person who signed in here, and a second factor of moments
// ago.
func TestPasswordChangeNeedsAFreshPass(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	b := o.browser()
	unchanged := func(what string, a *reply, status int) {
		t.Helper()
		if a.StatusCode != status || status == 303 && a.Header.Get("Location") != ownPage+"?return="+ownPage+"/change" {
			t.Errorf("%s: %d %s %s", what, a.StatusCode, a.Header.Get("Location"), a.body)
		}
		got, err := o.svc.Passwords.SignIn(t.Context(), firstfactor.SignIn{Realm: "staff", Name: "alice", Password: newPassword, Network: what})
		if err != nil || !got.Identity.IsZero() {
			t.Errorf("%s changed the password (%v)", what, err)
		}
	}
	unchanged("nobody", b.changes(herPassword, newPassword, newPassword), 303)
	unchanged("nobody looks", b.get(ownPage+"/change"), 303)
	b.typed("alice", herPassword)
	unchanged("first factor", b.changes(herPassword, newPassword, newPassword), 303)
	b.goesIn("alice", herPassword, key)
	o.sleep(5*time.Minute + time.Second)
	if a := b.changes(herPassword, newPassword, newPassword); !strings.HasPrefix(a.Header.Get("Location"), "/.stepgate/challenge?id=") {
		t.Errorf("later: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := b.changes(herPassword, newPassword, newPassword); a.StatusCode == 200 {
		t.Error("a step-up that only was begun changed the password")
	}
	if a := b.stepsUp(b.get(ownPage+"/change"), key); a.Header.Get("Location") != ownPage+"/change" {
		t.Errorf("after the fresh pass the browser is led to %s", a.Header.Get("Location"))
	}
	if a := b.changes(herPassword, newPassword, newPassword); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Guesses of the old password at the change are limited as those at the
// sign-in are.
func TestPasswordChangeIsLimited(t *testing.T) {
	o := newOffice(t)
	key := o.employ("alice")
	b := o.browser()
	b.goesIn("alice", herPassword, key)
	for range 10 {
		b.changes("wrong", newPassword, newPassword)
	}
	if a := b.changes(herPassword, newPassword, newPassword); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// Rule 1: whatever of the stores fails, nobody is in and no link is lost.
func TestPasswordFaultsDeny(t *testing.T) {
	o := newOffice(t)
	o.employ("alice")
	for _, method := range []string{"passwords.Person", "budgets.Charge", "budgets.Refund", "trail.Append", "sessions.Create", "challenges.Create", "accounts.Account"} {
		o.faults.set(method, false)
		b := o.browser()
		a := b.typed("alice", herPassword)
		if o.faults.count(method) == 0 || a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || b.jar["__Host-stepgate-wiki"] != "" {
			t.Errorf("%s (%d calls): %d, %v", method, o.faults.count(method), a.StatusCode, b.jar)
		}
	}
	o.faults.set("", false)
	ticket := o.invite("bob")
	for _, method := range []string{"passwords.Link", "passwords.RedeemLink"} {
		o.faults.set(method, false)
		a := o.browser().post(ownPage+"/link", url.Values{"ticket": {string(ticket)}, "password1": {newPassword}, "password2": {newPassword}}.Encode())
		if a.StatusCode != 503 {
			t.Errorf("%s: %d", method, a.StatusCode)
		}
	}
	o.faults.set("", false)
	if _, err := o.svc.Passwords.LinkOf(t.Context(), "staff", ticket); err != nil {
		t.Errorf("the link is lost: %v", err)
	}
}

func TestPasswordPagesAreOursAlone(t *testing.T) {
	o := newOffice(t)
	o.employ("alice")
	for _, path := range []string{"/other", "/link/x", "/changes", "//", "/%6cink"} {
		if a := o.browser().get(ownPage + path); a.StatusCode != 404 {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if a := o.browser().send("PUT", ownPage, ""); a.StatusCode != 405 {
		t.Errorf("PUT: %d", a.StatusCode)
	}
	o.plain.Store(true)
	if a := o.browser().typed("alice", herPassword); a.StatusCode != 403 || len(a.Cookies()) != 0 {
		t.Errorf("over plain HTTP: %d", a.StatusCode)
	}
	o.plain.Store(false)
	for _, to := range []string{"//evil.test", "https://evil.test", "/\\evil.test", "/.stepgate/cancel", "javascript:alert(1)"} {
		b := o.browser()
		b.post(ownPage+"?return="+url.QueryEscape(to), url.Values{"name": {"alice"}, "password": {herPassword}}.Encode())
		o.sleep(30 * time.Second)
		a := b.answer(b.formID(), "code="+code(t, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", o.clock()))
		if a.Header.Get("Location") != "/" {
			t.Errorf("%s leads to %s (%d)", to, a.Header.Get("Location"), a.StatusCode)
		}
		o.sleep(6 * time.Minute)
	}
	if got := o.console.got(); len(got) != 0 {
		t.Errorf("the console got %v", got)
	}
}
