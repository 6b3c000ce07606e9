//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/templates"
)

// TestPagesAccessible shows every page in every state to axe-core, in both languages and both color schemes, on a desk
// and on a phone, and keeps the pictures.
func TestPagesAccessible(t *testing.T) {
	server := samples(t)
	b := OpenBrowser(t)
	for _, language := range []string{"en", "zh-CN"} {
		b.SetLanguage(language)
		for _, dark := range []bool{false, true} {
			b.Dark(dark)
			for _, phone := range []bool{false, true} {
				if phone {
					b.Phone()
				} else {
					b.Desktop()
				}
				for _, s := range templates.Samples() {
					look(t, b, server.URL, s.Name, strings.Join([]string{language, scheme(dark), screen(phone)}, "-"))
				}
			}
		}
	}
}

// TestPagesOtherWay goes to another factor, and keeps what stands behind the #, which the console wants back.
func TestPagesOtherWay(t *testing.T) {
	server := samples(t)
	b := OpenBrowser(t)
	b.Goto(server.URL + "/challenge-several?return=x#/inbox/7")
	b.Click(".others summary")
	b.Follow(`.others button[value="sms"]`)
	if got, want := b.URL(), server.URL+"/challenge-several?id="+id(t, "challenge-several")+"&factor=sms#/inbox/7"; got != want {
		t.Errorf("%s leads to %s, want %s", "another way", got, want)
	}
}

// TestPagesPasskeyFails tries a passkey of another site: the page says what the browser found, and stays usable.
func TestPagesPasskeyFails(t *testing.T) {
	server := samples(t)
	b := OpenBrowser(t)
	for _, name := range []string{"passkey", "enrollpasskey"} {
		b.Goto(server.URL + "/" + name)
		b.Click("#passkey button")
		b.eventually("an alert", func() bool { return Eval[bool](b, `!document.querySelector("[data-failure=SecurityError]").hidden`) })
		if shown := Eval[int](b, `document.querySelectorAll("[data-failure]:not([hidden])").length`); shown != 1 {
			t.Errorf("%s shows %d alerts", name, shown)
		}
		accessible(t, b, name+" that failed")
		b.Screenshot(name + "-failed")
	}
}

func id(t *testing.T, name string) string {
	t.Helper()
	for _, s := range templates.Samples() {
		if c, ok := s.View.(templates.Challenge); ok && s.Name == name {
			return c.ID
		}
	}
	t.Fatalf("no challenge %s", name)
	return ""
}

func scheme(dark bool) string  { return map[bool]string{true: "dark", false: "light"}[dark] }
func screen(phone bool) string { return map[bool]string{true: "phone", false: "desk"}[phone] }

func look(t *testing.T, b *Browser, base, name, how string) {
	t.Helper()
	b.Goto(base + "/" + name)
	accessible(t, b, name+" "+how)
	if width := Eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); width > 0 {
		t.Errorf("%s %s is %d pixels too wide", name, how, width)
	}
	b.Screenshot(name + "-" + how)
}

// samples serves each page in each state at its name.
func samples(t *testing.T) *httptest.Server {
	t.Helper()
	set, err := templates.New(templates.Options{Brand: "Example Cloud", Base: "/.stepgate", Help: "Call 4321 and give the reference shown."})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.stepgate/assets/", set.ServeAsset)
	for _, s := range templates.Samples() {
		mux.HandleFunc("/"+s.Name, func(w http.ResponseWriter, r *http.Request) { set.Write(w, r, 200, s.Frame, s.View) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}
