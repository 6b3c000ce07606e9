//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestFactorsHelp is what happens to people who lost their factors, or come with a ticket, in both languages at once.
func TestFactorsHelp(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "zh-CN"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := StartWalk(t, lang, "")
			b := w.Browser()
			w.reset(t, b)
			w.request(t, b)
			w.enrollByTicket(t, b)
			w.enrollByContact(t, b)
		})
	}
}

// reset loses alice's app; she comes back with a ticket.
func (w *Walk) reset(t *testing.T, b *Browser) {
	w.SignIn(b, "alice")
	enroll(t, b, -2)
	w.In(b, "alice")
	w.Users("reset", "alice")
	b.Goto(w.URL + "/")
	if b.Has("#name") {
		t.Error("the session outlives the reset")
	}
	w.SignIn(b, "alice")
	w.Meet(b, "ticket-1-ask")
	w.Enter(b, "WXYZ-2345-WXYZ-2345")
	if !b.Has("#message") || b.Has("svg.qr") {
		t.Errorf("any ticket is good:\n%s", b.Page())
	}
	w.Meet(b, "ticket-2-wrong")
	ticket := w.Ticket("ticket", "alice")
	w.Enter(b, strings.ToLower(strings.ReplaceAll(ticket, "-", " ")))
	w.Meet(b, "ticket-3-bind")
	enroll(t, b, -2)
	w.In(b, "alice")
	w.SignOut(b)
}

// request has bob say that he can use nothing; an administrator approves.
func (w *Walk) request(t *testing.T, b *Browser) {
	w.SignIn(b, "bob")
	enroll(t, b, -2)
	w.SignOut(b)
	w.SignIn(b, "bob")
	b.Follow(`button[value="stuck"]`)
	w.Meet(b, "stuck-1-ask")
	b.Follow("#file button")
	reference := b.Text(".reference code")
	w.Meet(b, "stuck-2-filed")
	if open := w.requests("--open"); !strings.Contains(open, reference) || !strings.Contains(open, "bob") {
		t.Errorf("the administrator sees no request %s:\n%s", reference, open)
	}
	b.Follow(".cancel button")
	ticket := w.Ticket("approve", reference)
	if open := w.requests("--open"); strings.Contains(open, reference) {
		t.Errorf("the request is still open:\n%s", open)
	}
	w.SignIn(b, "bob")
	w.Enter(b, ticket)
	key := enroll(t, b, -2)
	w.In(b, "bob")
	w.SignOut(b)
	w.SignIn(b, "bob")
	enter(t, b, key, 0)
	w.In(b, "bob")
	w.SignOut(b)
}

func (w *Walk) requests(more ...string) string {
	w.t.Helper()
	out, err := users(w.t.(*testing.T), w.Gateway, append([]string{"requests", "--realm", "staff"}, more...)...)
	if err != nil {
		w.t.Fatalf("users requests: %v\n%s", err, out)
	}
	return out
}

// enrollByTicket is the rule that nobody binds without one.
func (w *Walk) enrollByTicket(t *testing.T, b *Browser) {
	w.Rules("enroll ticket")
	w.SignIn(b, "carol")
	if b.Has("svg.qr") {
		t.Fatalf("a key is shown without a ticket:\n%s", b.Page())
	}
	w.Enter(b, w.Ticket("ticket", "carol"))
	enroll(t, b, -2)
	w.In(b, "carol")
	w.SignOut(b)
}

const danasMail, danasNumber = "dana@example.com", "+8613812345674"

// enrollByContact is the rule that a code to a contact on file comes first. Dana can use it for a request as well,
// before which she is asked to show that she reads it.
func (w *Walk) enrollByContact(t *testing.T, b *Browser) {
	w.Rules("enroll contact")
	w.Users("contact", "dana", "--new", "--mail", danasMail, "--phone", danasNumber, "--language", w.lang[:2])
	w.SignIn(b, "dana")
	if strings.Contains(b.Page(), danasNumber) || b.Has("svg.qr") {
		t.Errorf("a password alone shows a contact or a key:\n%s", b.Page())
	}
	w.Meet(b, "contact-1-ask")
	b.Follow("#send button")
	w.Meet(b, "contact-2-code")
	w.Enter(b, w.SMS.Code(t, danasNumber))
	enroll(t, b, -2)
	w.In(b, "dana")
	w.Mails.Told(t, danasMail, "dana") // of what was bound
	w.SignOut(b)
	w.SignIn(b, "dana")
	b.Follow(`button[value="stuck"]`)
	w.Meet(b, "check-1-ask")
	b.Follow(`#check button[value="email"]`)
	w.Meet(b, "check-2-code")
	w.Enter(b, w.Mails.Code(t, danasMail))
	w.Meet(b, "check-3-filed")
	if open := w.requests("--open"); !strings.Contains(open, "checked: email") {
		t.Errorf("the administrator does not see that dana reads her mail:\n%s", open)
	}
}
