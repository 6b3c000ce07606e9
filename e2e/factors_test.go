//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// TestFactorsWalk goes through the pages of every factor, in both languages at once.
func TestFactorsWalk(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "zh-CN"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := StartWalk(t, lang, "trust_browser 30d")
			b := w.Browser()
			resends := w.beginResend()
			numberBound := w.bindNumber(b)
			w.bindApp(t, b)
			w.bindPasskey(b)
			mailBound := w.bindMail(b)
			w.rebind(t, b)
			resends()
			w.byNumber(b, numberBound)
			w.byMail(b, mailBound)
		})
	}
}

const (
	bobsNumber  = "+8613812345671"
	davesNumber = "+8613812345672"
	erinsMail   = "erin@example.com"
)

// beginResend goes as far as the page that counts down to another code. What it returns goes on, when the minute is
// over, in the page as it stands.
func (w *Walk) beginResend() (goOn func()) {
	b := w.Browser()
	w.SignIn(b, "dave")
	w.Way(b, "sms")
	b.Fill("#address", davesNumber)
	b.Follow("#contact button")
	old := w.SMS.Code(w.t, davesNumber)
	if !Eval[bool](b, `document.querySelector("#send button").disabled`) {
		w.t.Error("another code can be had at once")
	}
	before := Eval[int](b, `+document.querySelector("#send [data-seconds]").textContent`)
	b.eventually("the countdown", func() bool {
		return Eval[int](b, `+document.querySelector("#send [data-seconds]").textContent`) < before
	})
	sent := time.Now()
	return func() {
		minuteAfter(sent)
		b.eventually("another code", func() bool { return Eval[bool](b, `!document.querySelector("#send button").disabled`) })
		w.Meet(b, "resend-1-ready")
		b.Follow("#send button")
		newest := w.SMS.Code(w.t, davesNumber)
		if w.Enter(b, old); !b.Has("#message") {
			w.t.Error("the code before is still good")
		}
		w.Meet(b, "resend-2-old-code")
		w.Enter(b, newest)
		b.Follow("#enable button")
		w.In(b, "dave")
	}
}

// minuteAfter waits until a number or address may be sent the next code.
func minuteAfter(last time.Time) { time.Sleep(time.Until(last.Add(time.Minute))) }

func (w *Walk) bindNumber(b *Browser) (bound time.Time) {
	w.SignIn(b, "bob")
	w.Meet(b, "bind-0-first")
	w.Way(b, "sms")
	b.Fill("#address", "138 1234")
	b.Follow("#contact button")
	w.Meet(b, "bind-sms-0-no-number")
	if !b.Has("#message") {
		w.t.Error("half a number is taken")
	}
	w.BindContact(b, "sms", bobsNumber, &w.SMS.inbox)
	w.In(b, "bob")
	w.SignOut(b)
	return time.Now()
}

func (w *Walk) bindApp(t *testing.T, b *Browser) {
	w.SignIn(b, "alice")
	key := enroll(t, b, -2)
	w.In(b, "alice")
	w.SignOut(b)
	w.SignIn(b, "alice")
	w.Meet(b, "app")
	enter(t, b, key, 0)
	w.In(b, "alice")
	w.SignOut(b)
}

func (w *Walk) bindPasskey(b *Browser) {
	b.Authenticator()
	w.SignIn(b, "carol")
	w.Way(b, "passkey")
	w.Meet(b, "bind-passkey")
	b.Fill("#name", "Notebook")
	b.Follow("#passkey button")
	w.In(b, "carol")
	w.SignOut(b)
	w.SignIn(b, "carol")
	w.Meet(b, "passkey")
	b.Follow("#passkey button")
	w.In(b, "carol")
	w.SignOut(b)
}

func (w *Walk) bindMail(b *Browser) (bound time.Time) {
	w.SignIn(b, "erin")
	w.Way(b, "email")
	w.BindContact(b, "email", erinsMail, &w.Mails.inbox)
	w.In(b, "erin")
	w.SignOut(b)
	return time.Now()
}

// rebind has carol bind an app in place of the passkey.
func (w *Walk) rebind(t *testing.T, b *Browser) {
	w.Users("require-rebinding", "carol")
	w.SignIn(b, "carol")
	b.Follow("#passkey button")
	w.Meet(b, "rebind")
	enroll(t, b, -2)
	w.In(b, "carol")
	w.SignOut(b)
}

// byNumber signs in with a code by SMS. A number gets one a minute.
func (w *Walk) byNumber(b *Browser, bound time.Time) {
	w.SignIn(b, "bob")
	w.Meet(b, "sms-1-ask")
	minuteAfter(bound)
	b.Follow("#send button")
	w.Meet(b, "sms-2-code")
	w.Enter(b, w.SMS.Code(w.t, bobsNumber))
	w.In(b, "bob")
	w.SignOut(b)
}

func (w *Walk) byMail(b *Browser, bound time.Time) {
	w.SignIn(b, "erin")
	w.Meet(b, "mail-1-ask")
	minuteAfter(bound)
	b.Follow("#send button")
	w.Meet(b, "mail-2-code")
	w.Enter(b, w.Mails.Code(w.t, erinsMail))
	w.In(b, "erin")
	w.SignOut(b)
}
