package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/pquerna/otp/totp"

	"github.com/stepgate/stepgate/demo"
)

// gate is a whole Caddy in this process, with Stepgate in front of the demo
// console. The console outlives it.
type gate struct {
	t       *testing.T
	address string
	home    string
	console string
	reached *visits
}

// siteText is the demo's site, with room for more words.
const siteText = `{
	admin off
	persist_config off
	auto_https off
	grace_period 2s
	storage file_system %[1]s/storage
	log default {
		output discard
	}
	stepgate {
		%[4]s
	}
}

http://%[2]s {
	bind 127.0.0.1
	stepgate demo {
		public /healthz
		first_factor console {
			login_page /login?next={return}
			login POST /login {
				username form user
				success status 303
				success set_cookie console_session
				failure status 401
			}
			subject probe /whoami /user
			session_cookie console_session
		}
	}
	reverse_proxy %[3]s
}
`

// newGate starts a gate on scratch folders.
func newGate(t *testing.T) *gate {
	reached := &visits{next: demo.NewConsole()}
	console := httptest.NewServer(reached)
	t.Cleanup(console.Close)
	g := &gate{t: t, address: freeAddress(t), home: t.TempDir(), console: strings.TrimPrefix(console.URL, "http://"), reached: reached}
	t.Setenv("XDG_DATA_HOME", g.home)
	t.Setenv("XDG_CONFIG_HOME", g.home)
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := g.load("brand Test"); err != nil {
		t.Fatal(err)
	}
	return g
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// config is the gate's JSON with lines for the global option.
func (g *gate) config(global string) []byte {
	text := fmt.Sprintf(siteText, g.home, g.address, g.console, global)
	config, err := adapt(text, "Caddyfile")
	if err != nil {
		g.t.Fatal(err)
	}
	return config
}

func (g *gate) load(global string) error { return caddy.Load(g.config(global), true) }

func (g *gate) mustLoad(global string) {
	g.t.Helper()
	if err := g.load(global); err != nil {
		g.t.Fatal(err)
	}
}

// refused loads what must be refused, and returns why.
func (g *gate) refused(global string) string {
	g.t.Helper()
	err := g.load(global)
	if err == nil {
		g.t.Fatalf("loaded with %q", global)
	}
	return err.Error()
}

func (g *gate) stop() {
	g.t.Helper()
	if err := caddy.Stop(); err != nil {
		g.t.Fatal(err)
	}
}

// data is a file of Stepgate's in Caddy's data directory.
func (g *gate) data(name string) string { return filepath.Join(g.home, "caddy", "stepgate", name) }

// remove takes a file away, with what SQLite keeps beside it.
func (g *gate) remove(path string) {
	g.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			g.t.Fatal(err)
		}
	}
}

// browser keeps cookies as a browser on localhost does.
type browser struct {
	g       *gate
	cookies map[string]string
	secret  string
	sends   http.Header // with each request, as the names are spelled
}

func (g *gate) browser() *browser { return &browser{g: g, cookies: map[string]string{}} }

// answer is what came back, read whole.
type answer struct {
	*http.Response
	body string
}

func (b *browser) get(path string) answer { return b.send(http.MethodGet, path, nil) }

func (b *browser) post(path string, form url.Values) answer {
	return b.send(http.MethodPost, path, form)
}

func (b *browser) send(method, path string, form url.Values) answer {
	b.g.t.Helper()
	a, err := b.try(method, path, form)
	if err != nil {
		b.g.t.Fatal(err)
	}
	return a
}

// try sends a request, and once more where a reload reset its connection.
// Caddy listens anew at each reload and closes the old socket a moment after
// the load has returned. The kernel resets what nobody had accepted from it,
// unless net.ipv4.tcp_migrate_req is set; who writes after the reset reads an
// EOF. Such a request was never read, so that it may be sent again.
func (b *browser) try(method, path string, form url.Values) (answer, error) {
	a, err := b.once(method, path, form)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		return b.once(method, path, form)
	}
	return a, err
}

func (b *browser) once(method, path string, form url.Values) (answer, error) {
	r, err := http.NewRequest(method, "http://"+b.g.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	maps.Copy(r.Header, b.sends)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = w.Body.Close() }()
	for _, ck := range w.Cookies() {
		b.cookies[ck.Name] = ck.Value
		if ck.MaxAge < 0 {
			delete(b.cookies, ck.Name)
		}
	}
	body, err := io.ReadAll(w.Body)
	return answer{w, string(body)}, err
}

// copy is the same browser for another goroutine.
func (b *browser) copy() *browser { return &browser{g: b.g, cookies: maps.Clone(b.cookies)} }

// login passes the console's own form and stands before the challenge.
func (b *browser) login(name string) answer {
	b.g.t.Helper()
	a := b.post("/login", url.Values{"user": {name}, "password": {name + "-demo"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/.stepgate/challenge" {
		b.g.t.Fatalf("login as %s: %s to %q", name, a.Status, a.Header.Get("Location"))
	}
	return b.get("/.stepgate/challenge")
}

var (
	challengeField = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
	keyField       = regexp.MustCompile(`secret=([A-Z2-7]+)`)
)

func (b *browser) answer(page answer, fields ...string) answer {
	b.g.t.Helper()
	id := challengeField.FindStringSubmatch(page.body)
	if id == nil {
		b.g.t.Fatalf("no challenge on the page:\n%s", page.body)
	}
	form := url.Values{"challenge": {id[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.post("/.stepgate/challenge", form)
}

// enroll signs in for the first time, with the codes of the step before this
// one and of this one.
func (b *browser) enroll(name string) {
	b.g.t.Helper()
	awaitQuietStep()
	page := b.login(name)
	key := keyField.FindStringSubmatch(page.body)
	if key == nil {
		b.g.t.Fatalf("no key on the page:\n%s", page.body)
	}
	b.secret = key[1]
	b.answer(page, "code1", b.code(-1), "code2", b.code(0))
	b.mustSee(name)
}

// awaitQuietStep keeps a step's end from falling between making a code and
// checking it.
func awaitQuietStep() {
	if into := time.Now().Unix() % 30; into >= 24 {
		time.Sleep(time.Duration(30-into) * time.Second)
	}
}

func (b *browser) code(steps int) string { return codeOf(b.g.t, b.secret, steps) }

func codeOf(t *testing.T, secret string, steps int) string {
	code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// mustSee finds the person's page.
func (b *browser) mustSee(name string) {
	b.g.t.Helper()
	if a := b.get("/whoami"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, name) {
		b.g.t.Fatalf("%s does not see the console: %s\n%s", name, a.Status, a.body)
	}
}

// mustNotSee finds nothing of the console.
func (b *browser) mustNotSee() {
	b.g.t.Helper()
	if a := b.get("/whoami"); a.StatusCode == http.StatusOK {
		b.g.t.Fatalf("without a second factor:\n%s", a.body)
	}
}
