package templates

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const base = "/.stepgate"

func newSet(t *testing.T, overlay string) *Set {
	t.Helper()
	s, err := New(Options{Brand: "Example Cloud", Help: "Call 4321.", Base: base, Overlay: overlay})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get renders a view as a browser of that language gets it.
func get(s *Set, method, lang string, f Frame, v View) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://wiki.example.com/start?id=7", nil)
	r.Header.Set("Accept-Language", lang)
	w := httptest.NewRecorder()
	s.Write(w, r, http.StatusTeapot, f, v)
	return w
}

// everyPage calls f with each sample in each language.
func everyPage(t *testing.T, f func(t *testing.T, s *Set, lang, body string, p Sample)) {
	s := newSet(t, "")
	for _, p := range Samples() {
		for _, lang := range []string{"en", "zh"} {
			t.Run(p.Name+"/"+lang, func(t *testing.T) {
				f(t, s, lang, get(s, "GET", lang, p.Frame, p.View).Body.String(), p)
			})
		}
	}
}

func TestEveryPageIsSmallWithAllItLoads(t *testing.T) {
	const limit = 30 << 10
	loads := regexp.MustCompile(`(?:src|<link[^>]* href)="([^"]+)"`)
	everyPage(t, func(t *testing.T, s *Set, _, body string, _ Sample) {
		size, seen := len(body), map[string]bool{}
		for _, m := range loads.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			w := httptest.NewRecorder()
			s.ServeAsset(w, httptest.NewRequest("GET", m[1], nil))
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d", m[1], w.Code)
			}
			size += w.Body.Len()
		}
		if len(seen) != 3 {
			t.Errorf("loads %v, expected style, logo and icon", seen)
		}
		if size > limit {
			t.Errorf("%d bytes, limit %d", size, limit)
		}
	})
}

// The longest name that is let in, at its worst once escaped.
func TestLongestNameKeepsEnrollmentSmall(t *testing.T) {
	s := newSet(t, "")
	name := strings.Repeat("中", 85)
	e := Enroll{Asking: Asking{ID: "x"}, Key: strings.Repeat("A", 32), Issuer: "Example Cloud", Account: name,
		URL: "otpauth://totp/Example%20Cloud:" + strings.Repeat("%E4%B8%AD", 85) + "?secret=" + strings.Repeat("A", 32) + "&issuer=Example%20Cloud&algorithm=SHA1&digits=6&period=30"}
	w := get(s, "GET", "zh", Frame{Subject: name}, e)
	size := w.Body.Len()
	for _, path := range []string{s.assets.style, s.assets.logo, s.assets.favicon} {
		size += len(s.assets.files[path].body)
	}
	if w.Code != http.StatusTeapot || size > 30<<10 {
		t.Errorf("status %d, %d bytes", w.Code, size)
	}
}

// A page has the scripts of its view alone, the same whatever is on it.
func TestNoScriptAndNoInlineStyle(t *testing.T) {
	bad := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=|javascript:|https?://[^"<]*\.(?:css|js)`)
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		for _, s := range scriptsOf(p.View) {
			body = strings.Replace(body, s.element(), "", 1)
		}
		if m := bad.FindString(body); m != "" {
			t.Errorf("page has %q", m)
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") {
			t.Error("a value did not fit where it stands")
		}
	})
}

func TestNamesAreOnlyText(t *testing.T) {
	s := newSet(t, "")
	evil := "</bdi><script>alert(1)</script>\u202e{n}\"' onload=x"
	views := []View{
		Challenge{Asking: Asking{ID: evil, Message: Message{Kind: WrongCode}}, Credential: evil},
		Enroll{Asking: Asking{ID: evil}, Key: evil, URL: "javascript:alert(1)", Issuer: evil, Account: evil},
		Enroll{Asking: Asking{ID: evil}, Account: evil, Expired: true},
		Notice{Kind: NoticeContinue, Detail: evil, Next: "javascript:alert(1)"},
	}
	for _, v := range views {
		body := get(s, "GET", "en", Frame{Subject: evil, Reference: evil}, v).Body.String()
		if strings.Contains(body, "<script") || strings.Contains(body, `="javascript:`) || strings.Contains(body, `value="</bdi>`) {
			t.Errorf("%T: markup or a script's address got through:\n%s", v, body)
		}
		if !strings.Contains(body, `<bdi>&lt;/bdi&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u202e{n}&#34;&#39; onload=x</bdi>`) {
			t.Errorf("%T: the name is not shown as it is, isolated:\n%s", v, body)
		}
	}
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestHeaders(t *testing.T) {
	s := newSet(t, "")
	want := map[string]string{
		"Content-Type":               "text/html; charset=utf-8",
		"Content-Language":           "zh-Hans",
		"Content-Security-Policy":    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Cache-Control":              "no-store",
		"X-Frame-Options":            "DENY",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Vary":                       "Accept-Language, Cookie",
	}
	for _, p := range Samples() {
		w := get(s, "GET", "zh-CN,zh;q=0.9,en;q=0.8", p.Frame, p.View)
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: status %d", p.Name, w.Code)
		}
		for name, value := range want {
			if all := scriptsOf(p.View); len(all) > 0 && name == "Content-Security-Policy" {
				value += "; script-src"
				for _, s := range all {
					value += " 'sha256-" + sha256Of(string(s)) + "'"
				}
			}
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s: %q, want %q", p.Name, name, got, value)
			}
		}
	}
}

func TestRetryAfterSaysWhatThePageSays(t *testing.T) {
	s, now := newSet(t, ""), time.Now()
	for _, c := range []struct {
		view View
		want string
	}{
		{Challenge{Asking: Asking{LockedUntil: now.Add(25 * time.Minute)}}, "1500"},
		{Notice{Kind: NoticeUnavailable, RetryAt: now.Add(-time.Second)}, "1"},
		{Notice{Kind: NoticeUnavailable}, ""},
		{Enroll{URL: "otpauth://totp/a"}, ""},
	} {
		if got := get(s, "GET", "en", Frame{Now: now}, c.view).Header().Get("Retry-After"); got != c.want {
			t.Errorf("%+v: Retry-After %q, want %q", c.view, got, c.want)
		}
	}
}

func TestHeadHasTheHeadersAlone(t *testing.T) {
	s, p := newSet(t, ""), Samples()[0]
	full, head := get(s, "GET", "en", p.Frame, p.View), get(s, "HEAD", "en", p.Frame, p.View)
	if head.Body.Len() != 0 {
		t.Errorf("HEAD has a body of %d bytes", head.Body.Len())
	}
	if got := head.Header().Get("Content-Length"); got != strconv.Itoa(full.Body.Len()) {
		t.Errorf("Content-Length %s, GET has %d", got, full.Body.Len())
	}
}

func TestFormsKeepTheirContract(t *testing.T) {
	field := func(name string) string { return `name="` + name + `"` }
	everyPage(t, func(t *testing.T, _ *Set, _, body string, p Sample) {
		var want, not []string
		switch v := p.View.(type) {
		case Challenge:
			want = leave(v.Asking)
			if !v.Locked() {
				want = append(want, field("challenge"))
			}
			if fields := &want; v.Locked() {
				fields = &not
				*fields = append(*fields, field("code"))
			} else {
				*fields = append(*fields, field("code"), `<form method="post"`, `autocomplete="one-time-code"`, " autofocus")
			}
			not = append(not, "maxlength")
		case Enroll:
			want = append(leave(v.Asking), `<form method="post"`, field("challenge"))
			if v.Expired {
				want, not = append(want, `name="fresh" value="1"`), []string{field("code1"), "otpauth:"}
			} else {
				want = append(want, field("code1"), field("code2"), `href="otpauth://totp/`, "JBSW</span> <span>Y3DP")
			}
		case Password:
			want, not = []string{`action="/.stepgate/signin/password?return=`, field("name"), field("password")}, []string{"maxlength"}
			if v.Locked() {
				want, not = nil, []string{"<form"}
			}
		case Link:
			want = []string{`action="/.stepgate/signin/password/link"`, field("ticket")}
		case NewPassword:
			want = []string{field("password1"), field("password2"), `autocomplete="new-password"`}
			switch {
			case v.Locked():
				want, not = nil, []string{"<form"}
			case v.First():
				want = append(want, `action="/.stepgate/signin/password/link"`, `type="hidden" name="ticket" value=`)
				not = []string{field("password"), "maxlength"}
			default:
				want = append(want, `action="/.stepgate/signin/password/change"`, field("password"))
			}
		case Security:
			want = []string{`<form method="post" id="own"`, field("token")}
			if !v.Manage {
				not = []string{"/security/remove", "/security/rename", "/security/add", "/security/contact", "/security/codes", "/security/prefer"}
			}
		case OwnList:
			want = []string{field("token")}
		case Change:
			want = []string{`<form method="post" action="/.stepgate/security/` + string(v.Do) + `"`, field("token"), `href="/.stepgate/security"`}
		case NewCodes:
			want = []string{` download="`, `href="data:text/plain;charset=utf-8,7KQ4-M2XP-R4WN-82KD`, "data-print hidden", "<code>HJKM-NPQR-STVW-XYZ2</code>"}
		case Recovered:
			want = []string{field("token"), `href="/.stepgate/security"`}
		case Noticed:
			want = []string{field("token"), field("return"), `name="mine" value="no"`}
		case Notice:
			not = []string{"<form"}
		}
		for _, w := range want {
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

// The pattern is the browser's first word on what a person pastes.
func TestCodePattern(t *testing.T) {
	body := get(newSet(t, ""), "GET", "en", Frame{}, Challenge{}).Body.String()
	m := regexp.MustCompile(`pattern="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal("no pattern")
	}
	pattern := regexp.MustCompile("^(?:" + m[1] + ")$")
	for code, want := range map[string]bool{
		"123456": true, "123 456": true, " 12-34-56 ": true, "１２３４５６": true,
		"12345": false, "1234567": false, "12345a": false, "": false,
	} {
		if pattern.MatchString(code) != want {
			t.Errorf("%q: %v", code, !want)
		}
	}
}

func TestMessagesHelp(t *testing.T) {
	s := newSet(t, "")
	now := time.Date(2026, 12, 1, 9, 41, 30, 0, time.FixedZone("CST", 8*60*60))
	f := Frame{Subject: "lin.wei", Reference: "7KQ4-M2XP", Now: now}
	for _, c := range []struct {
		view View
		want []string
	}{
		{Challenge{Credential: "Phone", BoundAt: now, Asking: Asking{Message: Message{Kind: WrongCode, Left: 1}}},
			[]string{"<bdi>lin.wei</bdi>", "<bdi>Phone</bdi>", "1 December 2026", "01:41:30 UTC", "1 attempt left", "7KQ4-M2XP", "Call 4321.", "<title>Error: "}},
		{Challenge{Asking: Asking{Message: Message{Kind: StaleCode, Ago: 4 * time.Minute, Left: 3}}},
			[]string{"about 4 minutes ago", "3 attempts left"}},
		{Challenge{Asking: Asking{LockedUntil: now.Add(25 * time.Minute)}},
			[]string{"1 December 2026, 02:07 UTC", "25 minutes", "7KQ4-M2XP", "Call 4321."}},
	} {
		body := get(s, "GET", "en", f, c.view).Body.String()
		for _, w := range c.want {
			if !strings.Contains(body, w) {
				t.Errorf("%+v: page lacks %q", c.view, w)
			}
		}
	}
}
