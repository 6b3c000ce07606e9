//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// prompt is how soon the pages of a login answer, whatever becomes of messages.
const prompt = 2 * time.Second

// TestFactorsFaults has the providers of messages fail in every way: no login waits for them, and the other factors
// work.
func TestFactorsFaults(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(*testing.T, *Walk){
		"500":   failingProvider,
		"slow":  slowProvider,
		"twice": twiceDelivered,
		"lost":  lostMail,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, StartWalk(t, "en", ""))
		})
	}
}

// TestFactorsDead stops the provider: after the first messages that it does not take the page says so, and the app
// works. When it is back, codes go out again.
func TestFactorsDead(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "zh-CN"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			deadProvider(t, StartWalk(t, lang, ""))
		})
	}
}

// equipped is somebody with an app, a number and a mail address, all of them factors, before a challenge in a browser
// that was never used.
type equipped struct {
	*visitor
	number, mail string
}

func equip(t *testing.T, w *Walk, n int) equipped {
	t.Helper()
	e := equipped{newVisitor(t, fmt.Sprintf("person%d", n)), fmt.Sprintf("+861381234%04d", 6000+n), fmt.Sprintf("person%d@example.com", n)}
	e.enroll(w.URL, w.URL, w.URL)
	e.adds(w.URL, "sms", e.number, &w.SMS.inbox)
	e.adds(w.URL, "email", e.mail, &w.Mails.inbox)
	fresh := newVisitor(t, e.name)
	fresh.key = e.key
	fresh.signIn(w.URL)
	return equipped{fresh, e.number, e.mail}
}

// adds binds a contact on the security page, and makes it a factor.
func (v *visitor) adds(base, kind, to string, box *inbox) {
	v.t.Helper()
	at := v.secures(base, "/contact?kind="+kind, "/contact", url.Values{"kind": {kind}}).Header.Get("Location")
	v.doesAt(base, at, url.Values{"address": {to}})
	v.doesAt(base, at, url.Values{"code": {box.Code(v.t, to)}})
	a := v.secures(base, "/enable?kind="+kind, "/enable", url.Values{"kind": {kind}})
	if !strings.Contains(a.Header.Get("Location"), "done=enabled") {
		v.t.Fatalf("%s is no factor: %s to %q\n%s", kind, a.Status, a.Header.Get("Location"), a.Text)
	}
}

// quickly sends a form of the challenge, and fails the test if that takes long.
func (v *visitor) quickly(w *Walk, factor string, form url.Values) Answer {
	v.t.Helper()
	began := time.Now()
	a := v.does(w.URL, factor, form)
	if took := time.Since(began); took > prompt {
		v.t.Errorf("%s at %s took %v", v.name, factor, took)
	}
	return a
}

// sends asks for a code.
func (v *visitor) sends(w *Walk, factor string) Answer {
	v.t.Helper()
	return v.quickly(w, factor, url.Values{"do": {"send"}})
}

// byApp passes with the app.
func (v *visitor) byApp(w *Walk, step int) {
	v.t.Helper()
	settle()
	code := Oathtool(v.t, v.key, time.Now().Add(time.Duration(step)*period))
	v.mustPass(v.quickly(w, "totp", url.Values{"code": {code}}))
}

func failingProvider(t *testing.T, w *Walk) {
	e := equip(t, w, 1)
	w.SMS.Does(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) })
	minuteAfter(time.Now())
	if a := e.sends(w, "sms"); a.StatusCode != http.StatusOK {
		t.Errorf("asked for a code: %s\n%s", a.Status, a.Text)
	}
	e.byApp(w, 0)
}

// slowProvider takes ten seconds for an answer. As many people ask as there are who hand messages over, and more.
func slowProvider(t *testing.T, w *Walk) {
	var all []equipped
	for n := range 6 {
		all = append(all, equip(t, w, n))
	}
	minuteAfter(time.Now())
	w.SMS.Does(func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(10 * time.Second):
		case <-r.Context().Done():
		}
		rw.WriteHeader(http.StatusAccepted)
	})
	for _, e := range all {
		e.sends(w, "sms")
	}
	for i, e := range all {
		if i%2 == 0 {
			e.byApp(w, 0)
			continue
		}
		e.sends(w, "email")
		e.mustPass(e.quickly(w, "email", url.Values{"code": {w.Mails.Code(t, e.mail)}}))
	}
}

// twiceDelivered takes messages and answers 500, so that it gets them once more. The person reads the same code twice,
// and it is good once.
func twiceDelivered(t *testing.T, w *Walk) {
	e := equip(t, w, 1)
	minuteAfter(time.Now())
	before := w.SMS.Count(e.number)
	w.SMS.Does(func(rw http.ResponseWriter, r *http.Request) {
		w.SMS.take(new(discard), r)
		rw.WriteHeader(http.StatusInternalServerError)
	})
	e.sends(w, "sms")
	first, second := w.SMS.Code(t, e.number), w.SMS.Code(t, e.number)
	if first != second || w.SMS.Count(e.number) != before+2 {
		t.Errorf("%d messages with %s and %s", w.SMS.Count(e.number)-before, first, second)
	}
	e.mustPass(e.quickly(w, "sms", url.Values{"code": {first}}))
	again := newVisitor(t, e.name)
	again.key = e.key
	again.signIn(w.URL)
	if a := again.quickly(w, "sms", url.Values{"code": {second}}); passed(a) {
		t.Error("the code that came twice is good twice")
	}
	again.byApp(w, 0)
}

// discard is where an answer goes that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// lostMail is taken by the server and never comes.
func lostMail(t *testing.T, w *Walk) {
	e := equip(t, w, 1)
	minuteAfter(time.Now())
	w.Mails.Loses(true)
	a := e.sends(w, "email")
	for _, help := range []string{w.Says("arrival.title"), w.Says("arrival.spam"), w.Says("arrival.another")} {
		if !strings.Contains(a.Text, help) {
			t.Errorf("the page does not say %q:\n%s", help, a.Text)
		}
	}
	e.sends(w, "sms")
	e.mustPass(e.quickly(w, "sms", url.Values{"code": {w.SMS.Code(t, e.number)}}))
}

func deadProvider(t *testing.T, w *Walk) {
	var all []equipped
	for n := range 4 {
		all = append(all, equip(t, w, n))
	}
	minuteAfter(time.Now())
	w.SMS.Stop()
	for _, e := range all[1:] {
		e.sends(w, "sms")
	}
	eventually(t, "the gateway notices", 15*time.Second, func() bool { return strings.Contains(w.Logs(), "nothing is sent for a while") })
	noticed := time.Now()
	b := w.Browser()
	w.SignIn(b, all[0].name)
	w.Way(b, "sms")
	b.Follow("#send button")
	w.Meet(b, "dead-1-not-sent")
	if !strings.Contains(b.Page(), w.Says("message.not_sent.title")) || !Eval[bool](b, `document.querySelector(".others").open`) {
		t.Errorf("the page does not say that nothing was sent, or what else there is:\n%s", b.Page())
	}
	w.Way(b, "totp")
	enter(t, b, all[0].key, 0)
	w.Meet(b, "dead-2-noticed")
	b.Follow(`button[name=mine][value=yes]`)
	w.In(b, all[0].name)
	for _, e := range all[1:] {
		e.byApp(w, 0)
	}
	w.SMS.Start()
	w.SignOut(b)
	w.SignIn(b, all[0].name)
	w.Way(b, "sms")
	time.Sleep(time.Until(noticed.Add(32 * time.Second))) // when the gateway tries the provider again
	b.Follow("#send button")
	w.Enter(b, w.SMS.Code(t, all[0].number))
	w.In(b, all[0].name)
}
