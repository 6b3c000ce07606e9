package demo

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser sends requests to a console and keeps its session cookie.
type browser struct {
	t       *testing.T
	console http.Handler
	cookie  string
}

func newBrowser(t *testing.T, console http.Handler) *browser {
	return &browser{t: t, console: console}
}

func (b *browser) send(r *http.Request) *http.Response {
	b.t.Helper()
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie})
	}
	w := httptest.NewRecorder()
	b.console.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookie = c.Value
	}
	return w.Result()
}

func (b *browser) get(target string) *http.Response {
	b.t.Helper()
	return b.send(httptest.NewRequest("GET", target, nil))
}

func (b *browser) post(target string, fields ...string) *http.Response {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

func (b *browser) json(method, target, body string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return b.send(r)
}

// csrf reads the token that the page of keys puts into its forms.
func (b *browser) csrf() string {
	b.t.Helper()
	page := body(b.t, b.get("/keys"))
	m := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("no CSRF token on the page:\n%s", page)
	}
	return html.UnescapeString(m[1])
}

// keys asks the API which keys there are.
func (b *browser) keys() string {
	b.t.Helper()
	var keys []accessKey
	if err := json.Unmarshal([]byte(body(b.t, b.get("/api/keys"))), &keys); err != nil {
		b.t.Fatal(err)
	}
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return strings.Join(ids, " ")
}

// signIn returns a browser in which the person is signed in.
func signIn(t *testing.T, console http.Handler, user string) *browser {
	t.Helper()
	b := newBrowser(t, console)
	status(t, b.post("/login", "user", user, "password", user+"-demo"), http.StatusSeeOther)
	return b
}

func body(t *testing.T, a *http.Response) string {
	t.Helper()
	var s strings.Builder
	if err := a.Write(&s); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(s.String(), "\r\n\r\n")
	return text
}

func status(t *testing.T, a *http.Response, want int) {
	t.Helper()
	if a.StatusCode != want {
		t.Fatalf("status %d, want %d:\n%s", a.StatusCode, want, body(t, a))
	}
}

func leadsTo(t *testing.T, a *http.Response, want string) {
	t.Helper()
	status(t, a, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != want {
		t.Fatalf("leads to %q, want %q", got, want)
	}
}

func contains(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Fatalf("no %q in:\n%s", want, text)
	}
}

func TestStrangersMeetTheLogin(t *testing.T) {
	b := newBrowser(t, NewConsole())
	leadsTo(t, b.get("/"), "/login")
	leadsTo(t, b.get("/keys?tab=1"), "/login?next=%2Fkeys%3Ftab%3D1")
	leadsTo(t, b.post("/keys", "label", "x"), "/login")
	leadsTo(t, b.post("/keys/delete", "id", "lk-1001", "confirm", "yes"), "/login")
}

func TestStrangersGetNothingFromTheAPI(t *testing.T) {
	b := newBrowser(t, NewConsole())
	for _, a := range []*http.Response{
		b.get("/whoami"), b.get("/api/keys"), b.get("/events"), b.json("DELETE", "/api/keys/lk-1001", `{"confirm":"yes"}`),
	} {
		status(t, a, http.StatusUnauthorized)
		contains(t, a.Header.Get("Content-Type"), "application/json")
		contains(t, body(t, a), `{"error":"not signed in"}`)
	}
}

func TestPublicParts(t *testing.T) {
	b := newBrowser(t, NewConsole())
	for path, want := range map[string]string{
		"/healthz": "ok", "/style.css": "--paper", "/console.js": "quickDelete", "/icon.svg": "<svg", "/login": "Demo console",
	} {
		a := b.get(path)
		status(t, a, http.StatusOK)
		contains(t, body(t, a), want)
	}
	status(t, b.get("/nothing"), http.StatusNotFound)
}

func TestPagesNeedNoInlineCode(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	inline := regexp.MustCompile(`(?i)<script>|<style|\son\w+=|\sstyle=`)
	for _, path := range []string{"/", "/keys"} {
		a := b.get(path)
		contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'self'")
		page := body(t, a)
		contains(t, page, `Signed in as <b id="user">alice</b>`)
		contains(t, page, "Demo console")
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s: inline code %q", path, found)
		}
	}
}
