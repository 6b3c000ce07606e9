//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
)

const (
	alicesMail   = "alice@example.com"
	alicesNewOne = "alice.b@example.com"
	alicesNumber = "+8613812345675"
)

// TestFactorsSecurityPage has alice do all that the security page offers, in both languages at once.
func TestFactorsSecurityPage(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "zh-CN"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := StartWalk(t, lang, "trust_browser 30d")
			b := w.Browser()
			b.Authenticator()
			key := w.trust(t, b)
			w.stepUp(t, b, key)
			contact := w.contacts(t, b)
			key = w.manage(t, b)
			codes := w.codes(t, b)
			other := w.noticed(t, key)
			w.ends(t, b, other)
			w.recovered(t, other, codes)
			w.forgets(t, b, other)
			w.planned(t, b, contact, key)
		})
	}
}

// trust binds an app and has the browser trusted: the next login there needs the password alone.
func (w *Walk) trust(t *testing.T, b *Browser) (key string) {
	w.SignIn(b, "alice")
	key = enroll(t, b, -2)
	w.SignOut(b)
	w.SignIn(b, "alice")
	b.Click("input[name=trust]")
	w.Meet(b, "trust")
	enter(t, b, key, 0)
	w.In(b, "alice")
	w.SignOut(b)
	w.SignIn(b, "alice")
	w.In(b, "alice")
	return key
}

// stepUp asks for a factor before a change, since trust is none.
func (w *Walk) stepUp(t *testing.T, b *Browser, key string) {
	w.Security(b)
	w.Meet(b, "security-1-begin")
	b.Follow(`a[href*="/security/contact?kind=email"]`)
	if !onChallenge(b) {
		t.Fatalf("a trusted browser changes contacts without a factor, at %s:\n%s", b.URL(), b.Page())
	}
	w.Meet(b, "security-2-stepup")
	enter(t, b, key, 1)
	if !strings.Contains(b.URL(), "/security/contact?kind=email") {
		t.Errorf("after the step-up the browser is at %s:\n%s", b.URL(), b.Page())
	}
}

// contacts binds a mail address, changes it, binds a number and makes it a factor. The old address is told.
func (w *Walk) contacts(t *testing.T, b *Browser) (sent time.Time) {
	give := func(to string, box *inbox) {
		t.Helper()
		b.Fill("#address", to)
		b.Follow("#contact button")
		w.Enter(b, box.Code(t, to))
		w.Done(b, "contact")
	}
	w.Change(b, "contact?kind=email", "security-3-mail")
	w.Meet(b, "security-4-address")
	give(alicesMail, &w.Mails.inbox)
	w.Meet(b, "security-5-done")
	w.Mails.Told(t, alicesMail, w.Says("announce.contact_bound.subject"))
	w.Change(b, "contact?kind=email", "security-6-change")
	give(alicesNewOne, &w.Mails.inbox)
	w.Mails.Told(t, alicesMail, w.Says("announce.contact_changed.subject"))
	w.Mails.Told(t, alicesNewOne, w.Says("announce.contact_changed.subject"))
	w.Change(b, "contact?kind=sms", "security-7-number")
	give(alicesNumber, &w.SMS.inbox)
	sent = time.Now()
	w.Change(b, "enable?kind=sms", "security-8-enable")
	w.Done(b, "enabled")
	w.told(t, "factor_bound")
	return sent
}

// told waits until alice is told by all contacts.
func (w *Walk) told(t *testing.T, what string) {
	t.Helper()
	w.Mails.Told(t, alicesNewOne, w.Says("announce."+what+".subject"))
	w.SMS.Told(t, alicesNumber, w.Says("announce."+what+".subject"))
}

// manage adds a passkey, renames it, has it come first, takes it away again, and replaces the app by that of a new
// telephone.
func (w *Walk) manage(t *testing.T, b *Browser) (key string) {
	w.Security(b)
	b.Follow(`button[formaction$="/security/add"][value="passkey"]`)
	w.Meet(b, "security-add-passkey")
	b.Fill("#name", "Notebook")
	b.Follow("#passkey button")
	w.Done(b, "added")
	w.told(t, "factor_bound")

	w.Ask(b, "rename?id=", "security-rename")
	b.Fill("#name", "<b>Old phone</b>")
	w.Do(b)
	w.Done(b, "renamed")
	if !strings.Contains(b.Page(), "<b>Old phone</b>") {
		t.Errorf("the new name is not shown:\n%s", b.Page())
	}

	Eval[any](b, `document.getElementById("prefer").value = "passkey"`)
	b.Follow("form.choose button")
	w.Meet(b, "security-prefer")
	w.Do(b)
	w.Done(b, "preferred")

	w.Change(b, "replace?id=", "security-replace")
	w.Meet(b, "security-replace-key")
	key = enroll(t, b, -2)
	w.Done(b, "replaced")
	w.told(t, "factor_replaced")
	return key
}

// codes makes recovery codes: shown once, to print and to download.
func (w *Walk) codes(t *testing.T, b *Browser) (codes []string) {
	w.Change(b, "codes", "security-codes-ask")
	codes = writtenCode.FindAllString(b.Text("ol.codes"), -1)
	if len(codes) != 10 {
		t.Fatalf("there are %d recovery codes:\n%s", len(codes), b.Page())
	}
	w.Meet(b, "security-codes")
	file, err := url.PathUnescape(b.Attribute("a[download]", "href"))
	if err != nil {
		t.Error(err)
	}
	for _, code := range codes {
		if !strings.Contains(file, code) {
			t.Errorf("the file lacks %s: %s", code, file)
		}
	}
	Eval[any](b, `window.print = () => { document.title = "printed" }`)
	b.Click("[data-print]")
	if Eval[string](b, "document.title") != "printed" {
		t.Error("nothing is printed")
	}
	devtools(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	w.Meet(b, "security-codes-paper")
	devtools(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	w.told(t, "recovery_made")
	w.Security(b)
	for _, code := range codes {
		if strings.Contains(b.HTML(), code) {
			t.Error("a code is shown a second time")
		}
	}
	return codes
}

// noticed signs in with the new app in another browser, which says what was bound elsewhere.
func (w *Walk) noticed(t *testing.T, key string) (other *Browser) {
	other = w.Browser()
	w.SignIn(other, "alice")
	w.Way(other, "totp")
	enter(t, other, key, 0)
	w.Meet(other, "noticed")
	if !strings.Contains(other.URL(), "/security/noticed") {
		t.Fatalf("the other browser is told nothing, at %s:\n%s", other.URL(), other.Page())
	}
	other.Follow(`button[name=mine][value=yes]`)
	w.In(other, "alice")
	return other
}

// ends ends the other browser's session.
func (w *Walk) ends(t *testing.T, b, other *Browser) {
	w.Security(b)
	w.Meet(b, "security-9-full")
	b.Follow(`button[formaction$="/session/end"]`)
	w.Done(b, "session_ended")
	other.Goto(w.URL + "/")
	if other.Has("#name") {
		t.Errorf("the session that was ended goes on:\n%s", other.Page())
	}
	b.Goto(w.URL + "/")
	w.In(b, "alice")
}

// recovered signs in with a code on paper, which leads to something new, and to nothing a second time.
func (w *Walk) recovered(t *testing.T, other *Browser, codes []string) {
	w.SignIn(other, "alice")
	w.Way(other, "recovery")
	w.Meet(other, "recovery-1-ask")
	w.Enter(other, codes[3])
	w.Meet(other, "recovery-2-recovered")
	if !strings.Contains(other.URL(), "/security/recovered") {
		t.Fatalf("after a recovery code the browser is at %s:\n%s", other.URL(), other.Page())
	}
	w.told(t, "recovery_used")
	other.Authenticator()
	other.Follow(`button[formaction$="/security/add"][value="passkey"]`)
	other.Fill("#name", "Tablet")
	other.Follow("#passkey button")
	w.Done(other, "added")
	w.SignOut(other)
	w.SignIn(other, "alice")
	w.Way(other, "recovery")
	w.Enter(other, codes[3])
	if !onChallenge(other) || !other.Has("#message") {
		t.Errorf("a recovery code is good twice, at %s:\n%s", other.URL(), other.Page())
	}
	w.Meet(other, "recovery-3-used")
	w.Enter(other, codes[4])
	other.Follow(`main a[href="/"]`)
	w.In(other, "alice")
}

// forgets ends all other sessions, and forgets the other browser.
func (w *Walk) forgets(t *testing.T, b, other *Browser) {
	w.Security(b)
	b.Follow(`button[formaction$="/sessions/end"]`)
	w.Done(b, "others_ended")
	w.Mails.Told(t, alicesNewOne, w.Says("announce.sessions_ended.subject"))
	other.Goto(w.URL + "/")
	if other.Has("#name") {
		t.Errorf("a session outlives the end of all:\n%s", other.Page())
	}
	before := Eval[int](b, `document.querySelectorAll('[formaction$="/browser/forget"]').length`)
	b.Follow(`button[formaction$="/browser/forget"]`)
	w.Done(b, "forgotten")
	if after := Eval[int](b, `document.querySelectorAll('[formaction$="/browser/forget"]').length`); after != before-1 {
		t.Errorf("of %d browsers %d are left", before, after)
	}
}

// planned signs in by SMS, which is too weak to take an app away: that is planned, announced, and canceled by a word
// or by a use.
func (w *Walk) planned(t *testing.T, b *Browser, sent time.Time, key string) {
	w.SignOut(b)
	w.SignIn(b, "alice")
	if !onChallenge(b) {
		t.Fatalf("the browser is trusted although factors changed, at %s", b.URL())
	}
	w.Way(b, "sms")
	minuteAfter(sent)
	b.Follow("#send button")
	w.Enter(b, w.SMS.Code(t, alicesNumber))
	b.Follow(`button[name=mine][value=yes]`) // the passkey that was bound in the other browser
	w.In(b, "alice")
	w.removeApp(b, "removal-1-ask")
	w.Done(b, "planned")
	w.Meet(b, "removal-2-planned")
	w.told(t, "factor_removal_planned")
	b.Follow(`button[formaction$="/security/keep"]`)
	w.Done(b, "kept")
	w.told(t, "factor_removal_canceled")
	w.removeApp(b, "removal-1-ask")
	w.Done(b, "planned")
	w.told(t, "factor_removal_planned")
	w.SignOut(b)
	w.SignIn(b, "alice")
	w.Way(b, "totp")
	enter(t, b, key, 1)
	w.In(b, "alice")
	w.Security(b)
	if b.Has(`button[formaction$="/security/keep"]`) {
		t.Errorf("a use does not cancel the removal:\n%s", b.Page())
	}
	w.removeApp(b, "removal-3-at-once")
	w.Done(b, "removed")
	w.told(t, "factor_removed")
}

func (w *Walk) removeApp(b *Browser, picture string) {
	w.t.Helper()
	w.Security(b)
	b.Follow(`a[href*="/security/remove?id="][aria-label$="Authenticator"]`)
	w.Meet(b, picture)
	w.Do(b)
}
