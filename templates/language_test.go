package templates

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLanguageOfARequest(t *testing.T) {
	s := newSet(t, "")
	for _, c := range []struct{ accept, cookie, want string }{
		{"", "", "en"},
		{"zh-CN", "", "zh"},
		{"zh-TW", "", "zh"},
		{"de-DE,zh;q=0.8,en;q=0.5", "", "zh"},
		{"fr", "", "en"},
		{"en-GB", "zh", "zh"},
		{"zh", "en", "en"},
		{"zh", "klingon", "zh"},
		{"\x00;;q=x," + strings.Repeat("a-", 1000), "", "en"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
		}
		if got := s.speech(r).Code; got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestLanguageSwitchNeverLeavesTheHost(t *testing.T) {
	s := newSet(t, "")
	for back, want := range map[string]string{
		"/start?id=a%20b&x=%0A":         "/start?id=a%20b&x=%0A",
		"/.stepgate/challenge":          "/.stepgate/challenge",
		"/%E4%B8%AD":                    "/%E4%B8%AD",
		"":                              "/",
		"start":                         "/",
		"//evil":                        "/",
		"///evil":                       "/",
		`/\evil`:                        "/",
		`\\evil`:                        "/",
		`/a\..\b`:                       "/",
		"/%5Cevil":                      "/",
		"/%2Fevil":                      "/",
		"/%09/evil":                     "/",
		"/\t/evil":                      "/",
		"\t//evil":                      "/",
		"/a\r\nSet-Cookie: a=b":         "/",
		"/a%0D%0ASet-Cookie: a=b":       "/",
		"https://evil/":                 "/",
		"javascript:alert(1)":           "/",
		"/" + strings.Repeat("a", 3000): "/",
	} {
		q := url.Values{"to": {"zh"}, "back": {back}}
		w := httptest.NewRecorder()
		s.ServeLanguage(w, httptest.NewRequest("GET", base+"/language?"+q.Encode(), nil))
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%q: %d to %q, want %q", back, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestLanguageCookie(t *testing.T) {
	s := newSet(t, "")
	w := httptest.NewRecorder()
	s.ServeLanguage(w, httptest.NewRequest("GET", base+"/language?to=zh&back=/", nil))
	const want = "__Host-stepgate-language=zh; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	w = httptest.NewRecorder()
	s.ServeLanguage(w, httptest.NewRequest("GET", base+"/language?to=xx%0D%0A&back=/", nil))
	if got := w.Header().Get("Set-Cookie"); got != "" || w.Code != http.StatusSeeOther {
		t.Errorf("unknown language: %d, cookie %q", w.Code, got)
	}
}

func TestSwitchLeadsBackToThePage(t *testing.T) {
	s := newSet(t, "")
	for method, want := range map[string]string{"GET": "/start?id=7", "HEAD": "/start?id=7", "POST": base + "/challenge"} {
		r := httptest.NewRequest(method, "/start?id=7", nil)
		if got := s.back(r); got != want {
			t.Errorf("%s: back %q, want %q", method, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/start?id=7", nil)
	w := httptest.NewRecorder()
	s.Write(w, r, http.StatusOK, Frame{}, Challenge{})
	link := `href="/.stepgate/language?` + html.EscapeString("back=%2Fstart%3Fid%3D7&to=zh") + `" lang="zh-Hans" hreflang="zh-Hans">中文</a>`
	if !strings.Contains(w.Body.String(), link) {
		t.Errorf("page lacks %s", link)
	}
}
