//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stepgate/stepgate/challenge/passkey"
)

// stand is the least that runs a passkey's ceremony: one page, our script, the check.
type stand struct {
	*httptest.Server
	party    passkey.Party
	holder   passkey.Holder
	verify   bool
	ceremony []byte
	rename   func(string) string // changes the options on their way
}

// script is one of our scripts, with a policy that lets only it run.
func pageScript(t *testing.T, name string) (element, policy string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(checkout(), "templates", name))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(source)
	return "<script>" + string(source) + "</script>",
		"default-src 'none'; form-action 'self'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func newStand(t *testing.T) *stand {
	t.Helper()
	script, policy := pageScript(t, "passkey.js")
	s := &stand{verify: true, holder: passkey.Holder{Handle: []byte("an opaque digest"), Name: "alice"}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if mode := strings.Trim(r.URL.Path, "/"); r.Method == http.MethodPost {
			fmt.Fprintf(w, "<p id=result>%s</p>", s.answer(mode, r))
		} else {
			s.page(w, mode, script)
		}
	}))
	t.Cleanup(s.Close)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	s.party = passkey.Party{ID: "localhost", Name: "Example Cloud", Origins: []string{s.URL}}
	return s
}

func (s *stand) page(w http.ResponseWriter, mode, script string) {
	begin := s.party.Prove
	if mode == "create" {
		begin = s.party.Register
	}
	options, ceremony, err := begin(s.holder, s.verify)
	if err != nil {
		fmt.Fprintf(w, "<p id=result>%v</p>", err)
		return
	}
	s.ceremony = ceremony
	shown := string(options)
	if s.rename != nil {
		shown = s.rename(shown)
	}
	fmt.Fprintf(w, `<!doctype html><title>Passkey</title><form method=post id=passkey data-mode=%s data-options="%s">
<input type=hidden name=answer><input type=hidden name=failure><button id=go>Go</button><button id=leave name=cancel value=1>Cancel</button></form>`,
		mode, html.EscapeString(shown))
	for _, name := range []string{"NotAllowedError", "InvalidStateError", "SecurityError", "NotSupportedError", "unsupported", "other"} {
		fmt.Fprintf(w, `<p hidden role=alert data-failure=%s>%s</p>`, name, name)
	}
	fmt.Fprint(w, script)
}

func (s *stand) answer(mode string, r *http.Request) string {
	if r.FormValue("cancel") != "" {
		return "canceled"
	}
	check := s.party.Proved
	if mode == "create" {
		check = s.party.Registered
	}
	k, err := check(s.holder, s.ceremony, []byte(r.FormValue("answer")))
	var e *passkey.Error
	switch {
	case errors.As(err, &e):
		return string(e.Kind)
	case k.Regressed:
		return "regressed"
	}
	s.holder.Keys = [][]byte{k.Raw}
	return "passed"
}

// result clicks and returns what the server made of the answer.
func (s *stand) result(b *Browser, mode string) string {
	b.Goto(s.URL + "/" + mode)
	b.Click("#go")
	return b.Text("#result")
}

// failure returns what the page says when the ceremony ends in the browser, where it has to stay usable.
func (s *stand) failure(t *testing.T, b *Browser, mode string) string {
	t.Helper()
	b.Goto(s.URL + "/" + mode)
	b.Click("#go")
	said := b.Text("[data-failure]:not([hidden])")
	if name := Eval[string](b, `document.querySelector("[name=failure]").value`); said != "other" && name != said {
		t.Errorf("the page says %s, the form %s", said, name)
	}
	if !Eval[bool](b, `document.querySelectorAll("[data-failure]:not([hidden])").length === 1 && !document.getElementById("go").disabled && document.activeElement.id === "go"`) {
		t.Errorf("after %s the button is lost", said)
	}
	return said
}

// TestPasskeyScript runs our script with the check behind it, in a browser whose authenticator does all it can.
func TestPasskeyScript(t *testing.T) {
	s, b := newStand(t), OpenBrowser(t)
	device := b.Authenticator()
	equal := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	equal("binding", s.result(b, "create"), "passed")
	equal("binding again", s.failure(t, b, "create"), "InvalidStateError")
	equal("proving", s.result(b, "get"), "passed")

	b.Goto(s.URL + "/get")
	Eval[any](b, `document.getElementById("go").focus()`)
	run(b, "enter", chromedp.KeyEvent(kb.Enter))
	equal("by keyboard", b.Text("#result"), "passed")
	b.Back()
	b.Click("#go")
	equal("back, and the same ceremony once more", b.Text("#result"), "passed") // its being used once is the store's business

	device.Knows(false)
	equal("without the PIN", s.failure(t, b, "get"), "NotAllowedError")
	device.Knows(true)
	b.Click("#go")
	equal("then with it", b.Text("#result"), "passed")
	device.Knows(false)
	s.verify = false
	equal("a touch", s.result(b, "get"), "passed")
	s.verify = true
	device.Knows(true)

	device.Lie(true, false, false)
	equal("another signature", s.result(b, "get"), "bad_signature")
	device.Lie(false, true, false)
	equal("nobody there", s.result(b, "get"), "not_present")
	device.Lie(false, false, true)
	equal("anybody there", s.result(b, "get"), "not_verified")
	device.Lie(false, false, false)
	equal("the truth", s.result(b, "get"), "passed")

	s.rename = func(o string) string { return strings.Replace(o, `"localhost"`, `"example.com"`, 1) }
	equal("another host's", s.failure(t, b, "get"), "SecurityError")
	s.rename = func(o string) string { return o[1:] }
	equal("broken options", s.failure(t, b, "get"), "other")
	s.rename = nil

	device.Copied()
	equal("an old copy", s.result(b, "get"), "regressed")
	b.Goto(s.URL + "/get")
	b.Click("#leave")
	equal("leaving", b.Text("#result"), "canceled")
	device.Remove()
}

// TestPasskeyOldBrowser takes away what browsers before WebAuthn level 3 lack, and then all of it.
func TestPasskeyOldBrowser(t *testing.T) {
	s, b := newStand(t), OpenBrowser(t)
	b.Authenticator()
	b.Before(`delete PublicKeyCredential.parseCreationOptionsFromJSON; delete PublicKeyCredential.parseRequestOptionsFromJSON
		delete PublicKeyCredential.prototype.toJSON`)
	if got := s.result(b, "create"); got != "passed" {
		t.Errorf("binding: %s", got)
	}
	if got := s.result(b, "get"); got != "passed" {
		t.Errorf("proving: %s", got)
	}

	b.Before("delete window.PublicKeyCredential")
	b.Goto(s.URL + "/get")
	if said := b.Text("[data-failure]:not([hidden])"); said != "unsupported" {
		t.Errorf("without WebAuthn the page says %s", said)
	}
	if !Eval[bool](b, `document.getElementById("go").disabled && !document.getElementById("leave").disabled`) {
		t.Error("the buttons do not tell what works")
	}
	b.Click("#leave")
	if got := b.Text("#result"); got != "canceled" {
		t.Errorf("leaving: %s", got)
	}
}

// TestPasskeyPagesWait counts down on a button, and prints.
func TestPasskeyPagesWait(t *testing.T) {
	serve := func(name, body string) *httptest.Server {
		script, policy := pageScript(t, name)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			fmt.Fprint(w, "<!doctype html>", body, script)
		}))
		t.Cleanup(server.Close)
		return server
	}
	b := OpenBrowser(t)
	b.Goto(serve("wait.js", `<button id=again data-wait=3 disabled>Send again<span data-waiting> in <span data-seconds>3</span> s</span></button>`).URL)
	if !Eval[bool](b, `document.getElementById("again").disabled`) || !strings.HasPrefix(b.Text("#again"), "Send again in ") {
		t.Error("the button does not wait")
	}
	b.Text("#again:enabled")
	if text := b.Text("#again"); text != "Send again" {
		t.Errorf("in the end it says %q", text)
	}
	began := time.Now()
	b.Goto(serve("wait.js", `<button id=again data-wait=0>Send again</button>`).URL)
	b.Text("#again:enabled")
	if time.Since(began) > 3*time.Second {
		t.Error("nothing to wait for")
	}

	b.Goto(serve("print.js", `<button id=paper data-print hidden>Print</button>`).URL)
	Eval[any](b, `window.print = () => { document.title = "printed" }`)
	b.Click("#paper")
	if title := Eval[string](b, "document.title"); title != "printed" {
		t.Error("nothing is printed")
	}
}
