package templates

import (
	"html"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// leave is how a page lets go: whoever is inside goes back, all others cancel.
func leave(a Asking) []string {
	if a.Inside() {
		return []string{`href="/.stepgate/security"`}
	}
	return []string{`action="/.stepgate/cancel"`}
}

// contract is what the forms of a view send, and what must not be there.
func contract(v View) (want, not []string) {
	do := func(what string) string { return `name="do" value="` + what + `"` }
	const code, otp, answer, failure = `name="code"`, `autocomplete="one-time-code"`, `name="answer"`, `name="failure"`
	switch v := v.(type) {
	case SentCode:
		if !v.Sent {
			return []string{do("send")}, []string{code}
		}
		want = []string{do("send"), code, otp, `inputmode="numeric"`}
		if v.Why == "bind" {
			want = append(want, do("again"))
		}
		if v.Why == "check" {
			want = append(want, `name="kind" value="`+v.Kind+`"`)
		}
		return want, []string{do("file"), "maxlength"}
	case PasskeyCheck:
		return []string{`id="passkey" data-mode="get" data-options="{`, answer, failure}, []string{code}
	case EnrollPasskey:
		return []string{`id="passkey" data-mode="create" data-options="{`, answer, failure, `name="name" value="`}, []string{code}
	case RecoveryCheck, Ticket:
		return []string{code}, []string{"maxlength", otp, `inputmode="numeric"`}
	case Stuck:
		for _, c := range v.Checks {
			want = append(want, do("send"), `name="kind" value="`+c.Factor+`"`)
		}
		return append(want, do("file")), []string{code}
	case EnrollContact:
		return []string{`name="address" value="`, map[string]string{"sms": `type="tel"`, "email": `type="email"`}[v.Kind]}, []string{code}
	case EnrollSent:
		return []string{do("enable")}, []string{code}
	}
	return nil, nil
}

func TestFormsOfAllFactorsKeepTheirContract(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		v, ok := p.View.(interface{ asking() Asking })
		if !ok {
			return
		}
		a := v.asking()
		want, not := contract(p.View)
		if _, stuck := p.View.(Stuck); a.Locked() && !stuck {
			want, not = nil, append(not, `<form method="post"`, `name="code"`, `name="answer"`)
		}
		for _, w := range append(want, leave(a)...) {
			if !strings.Contains(body, w) {
				t.Errorf("lacks %s", w)
			}
		}
		for _, n := range not {
			if strings.Contains(body, n) {
				t.Errorf("has %s", n)
			}
		}
	})
}

func (a Asking) asking() Asking { return a }

var forms = regexp.MustCompile(`(?s)<form.*?</form>`)

// Every form of a challenge goes to the page's own address, with what stands
// behind its #, and says which challenge it means.
func TestFormsGoToThePagesOwnAddress(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		v, ok := p.View.(interface{ asking() Asking })
		if !ok {
			return
		}
		id := html.EscapeString(v.asking().ID)
		for _, form := range forms.FindAllString(body, -1) {
			if strings.Contains(form, " action=") && !strings.Contains(form, `action="/.stepgate/cancel"`) {
				t.Errorf("another address: %s", form)
			}
			if !strings.Contains(strings.ReplaceAll(form, "&#43;", "+"), `value="`+id+`"`) {
				t.Errorf("no challenge %s: %s", id, form)
			}
		}
	})
}

// Whoever cannot use what a page asks for sees all else that would do.
func TestPagesLeadToOtherWays(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		v, ok := p.View.(interface{ asking() Asking })
		if !ok || v.asking().Locked() {
			return
		}
		a := v.asking()
		switch p.View.(type) {
		case Ticket, Stuck, RequestFiled:
			a.Ways = nil // there are none
		}
		for _, w := range a.Ways {
			if !strings.Contains(body, `name="factor" value="`+w.Factor+`"`) {
				t.Errorf("no way to %s", w.Factor)
			}
			if w.Detail != "" && !strings.Contains(body, string(isolate(w.Detail))) {
				t.Errorf("%s without its name", w.Factor)
			}
		}
		if got := strings.Contains(body, `name="factor" value="stuck"`); got != a.Stuck && p.Name != "sentcode-sms-check" {
			t.Errorf("a way to ask for help: %v", got)
		}
	})
}

// Trust is offered with a proof at sign-in alone, and nobody gets it by
// default.
func TestTrustIsAChoice(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		want := false
		switch v := p.View.(type) {
		case Challenge:
			want = v.Trust > 0 && !v.Locked()
		case SentCode:
			want = v.Trust > 0 && !v.Locked() && v.Sent
		case PasskeyCheck:
			want = v.Trust > 0 && !v.Locked()
		case RecoveryCheck:
			want = v.Trust > 0 && !v.Locked()
		}
		if got := strings.Contains(body, `type="checkbox" name="trust" value="1"`); got != want {
			t.Errorf("offered: %v", got)
		}
		if regexp.MustCompile(`<input[^>]* checked`).MatchString(body) {
			t.Error("chosen for the person")
		}
	})
}

func TestAnotherCodeHasToWait(t *testing.T) {
	s, now := newSet(t, ""), time.Now()
	body := func(again time.Duration) string {
		v := SentCode{Asking: Asking{ID: "x"}, Kind: "sms", Masked: "+86 138****8000", Why: "pass", Sent: true, ResendAt: now.Add(again)}
		return get(s, "GET", "en", Frame{Now: now}, v).Body.String()
	}
	if got := body(45 * time.Second); !strings.Contains(got, ` disabled data-wait="45">Send another code<span data-waiting> (<span data-seconds>45</span> s)</span></button>`) {
		t.Errorf("no countdown:\n%s", got)
	}
	if got := body(time.Millisecond); !strings.Contains(got, ` data-wait="1"`) {
		t.Error("a fraction of a second is none")
	}
	if got := body(time.Hour); !strings.Contains(got, ` disabled data-wait="3600">Send another code</button>`) {
		t.Errorf("an hour is counted in seconds, or not waited for:\n%s", got)
	}
	if got := body(0); strings.Contains(got, " disabled data-wait") || strings.Contains(got, "<noscript>") {
		t.Errorf("a wait that is over still holds:\n%s", got)
	}
}

// The script parses what the attribute holds.
func TestPasskeyOptionsSurviveTheAttribute(t *testing.T) {
	s := newSet(t, "")
	options := `{"rp":{"name":"\"'><script>&amp;\u202e\\u0022 +中"}}`
	for _, v := range []View{PasskeyCheck{Options: []byte(options)}, EnrollPasskey{Options: []byte(options)}} {
		m := regexp.MustCompile(`data-options="([^"]*)"`).FindStringSubmatch(get(s, "GET", "en", Frame{}, v).Body.String())
		if m == nil || html.UnescapeString(m[1]) != options {
			t.Errorf("%T: %q", v, m)
		}
	}
}

// Of two references people would quote the wrong one.
func TestFiledRequestShowsOneReference(t *testing.T) {
	v := RequestFiled{Asking{ID: "x"}, "R4WN-82KD", true}
	body := get(newSet(t, ""), "GET", "en", Frame{Reference: "7KQ4-M2XP"}, v).Body.String()
	if strings.Contains(body, "7KQ4") || !strings.Contains(body, "R4WN-82KD") {
		t.Errorf("the page:\n%s", body)
	}
}

func TestMailIsCalledTheWeakerWay(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *Set, lang, body string, p Sample) {
		v, ok := p.View.(interface{ asking() Asking })
		if !ok || lang != "en" {
			return
		}
		kind := ""
		switch v := p.View.(type) {
		case SentCode:
			kind = v.Kind
		case EnrollContact:
			kind = v.Kind
		case EnrollSent:
			kind = v.Kind
		}
		if got := strings.Contains(body, "Codes by mail are the less secure way"); got != (kind == "email" && !v.asking().Locked()) {
			t.Errorf("the page says so: %v", got)
		}
		if got := strings.Contains(body, "<small>less secure</small>"); got != strings.Contains(body, `name="factor" value="email"`) {
			t.Errorf("the way says so: %v", got)
		}
	})
}

// The patterns of recovery codes and tickets let through what is read as one.
func TestWrittenPattern(t *testing.T) {
	body := get(newSet(t, ""), "GET", "en", Frame{}, RecoveryCheck{}).Body.String()
	m := regexp.MustCompile(`pattern="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal("no pattern")
	}
	pattern := regexp.MustCompile("^(?:" + html.UnescapeString(m[1]) + ")$")
	for code, want := range map[string]bool{
		"WXYZ-2345-WXYZ-2345": true, "wxyz2345wxyz2345": true, " wxyz 2345 wxyz 2345 ": true,
		"WXYZ–2345—WXYZ‐2345": true, "ＷＸＹＺ２３４５ＷＸＹＺ２３４５": true,
		"WXYZ-2345-WXYZ-234": false, "WXYZ-2345-WXYZ-23456": false, "WXYZ-2345-WXYZ-234?": false, "": false,
	} {
		if pattern.MatchString(code) != want {
			t.Errorf("%q: %v", code, !want)
		}
	}
}

// A change of language keeps the factor.
func TestLanguageKeepsTheWay(t *testing.T) {
	s := newSet(t, "")
	for _, method := range []string{"GET", "POST"} {
		r := httptest.NewRequest(method, base+"/challenge?id=abc&factor=sms", nil)
		w := httptest.NewRecorder()
		s.Write(w, r, 200, Frame{}, Ticket{})
		if want := "back=%2F.stepgate%2Fchallenge%3Fid%3Dabc%26factor%3Dsms&amp;to=zh"; !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: the link to the other language loses the way:\n%s", method, w.Body)
		}
	}
}
