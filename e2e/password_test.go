//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ownPage is a site whose console has no login, behind Stepgate's own page.
const ownPage = `{
	{{.Global}}
}
http://localhost:{{.Port}} {
	log
	stepgate notes {
		realm staff
		origin http://localhost:{{.Port}}
		first_factor password
	}
	reverse_proxy {{.Upstream}}
}
`

const (
	firstPassword  = "kettle orbit tulip"
	secondPassword = "lantern gravel sonnet"
)

// notes is a console without a login: whoever reaches it reads everything.
func notes(t *testing.T) *Console {
	t.Helper()
	const marker = "the quarterly numbers"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Notes</title><main><h1>Notes of <span id="who">` +
			r.Header.Get("Remote-User") + `</span></h1><p>` + marker + `</p></main>`))
	}))
	t.Cleanup(server.Close)
	return &Console{URL: server.URL, Addr: strings.TrimPrefix(server.URL, "http://"), Secret: "/numbers?of=q3", Marker: marker}
}

// users runs `stepgate users` beside the gateway.
func users(t *testing.T, g *Gateway, args ...string) (string, error) {
	t.Helper()
	out, err := g.Command(append([]string{"users"}, args...)...).CombinedOutput()
	return string(out), err
}

var linkPattern = regexp.MustCompile(`http://localhost:\d+/\S+#(\S+)`)

// invited makes a person and returns the link.
func invited(t *testing.T, g *Gateway, name string) (link, ticket string) {
	t.Helper()
	out, err := users(t, g, "create", name, "--realm", "staff")
	found := linkPattern.FindStringSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("users create: %v\n%s", err, out)
	}
	return found[0], found[1]
}

// ownSignIn types name and password into Stepgate's own page.
func ownSignIn(b *Browser, at, name, password string) {
	b.t.Helper()
	b.Goto(at)
	b.Fill("#name", name)
	b.Fill("#password", password)
	b.Follow("#signin button")
}

func newPassword(b *Browser, password string) {
	b.t.Helper()
	b.Fill("#password1", password)
	b.Fill("#password2", password)
	b.Follow("#newpassword button")
}

// TestPasswordMainJob: an administrator creates alice, who opens the link, sets her password, binds an authenticator,
// works, and changes the password, which ends her session in another browser.
func TestPasswordMainJob(t *testing.T) {
	console := notes(t)
	g := StartGateway(t, ownPage, console)
	link, ticket := invited(t, g, "alice")

	b := OpenBrowser(t)
	b.Goto(link)
	if at := b.URL(); strings.Contains(at, ticket) {
		t.Errorf("the ticket stays in the address %s", at)
	}
	accessible(t, b, "link")
	b.Follow("#link button")
	accessible(t, b, "first password")
	newPassword(b, "password1234")
	if !b.Has("#message") {
		t.Errorf("a common password is taken:\n%s", b.Page())
	}
	newPassword(b, firstPassword)
	key := enroll(t, b, -2)
	if !strings.Contains(b.Page(), console.Marker) || b.Text("#who") != "alice" {
		t.Fatalf("after the binding the browser is at %s:\n%s", b.URL(), b.Page())
	}

	other := OpenBrowser(t)
	ownSignIn(other, g.URL+console.Secret, "alice", "wrong")
	if !other.Has("#message") || strings.Contains(other.Page(), console.Marker) {
		t.Errorf("with a wrong password:\n%s", other.Page())
	}
	accessible(t, other, "wrong password")
	ownSignIn(other, g.URL+console.Secret, "alice", firstPassword)
	enter(t, other, key, 0)
	wasMe(t, other)
	if !strings.Contains(other.Page(), console.Marker) || !strings.HasSuffix(other.URL(), console.Secret) {
		t.Fatalf("elsewhere the browser is at %s:\n%s", other.URL(), other.Page())
	}

	b.Goto(g.URL + "/.stepgate/signin/password/change")
	accessible(t, b, "change")
	b.Fill("#password", firstPassword)
	newPassword(b, secondPassword)
	b.Screenshot("changed")
	b.Goto(g.URL + console.Secret)
	other.Goto(g.URL + console.Secret)
	if !strings.Contains(b.Page(), console.Marker) || strings.Contains(other.Page(), console.Marker) || !other.Has("#signin") {
		t.Errorf("here:\n%s\nelsewhere, at %s:\n%s", b.Page(), other.URL(), other.Page())
	}
	ownSignIn(other, g.URL, "alice", firstPassword)
	if onChallenge(other) {
		t.Error("the old password is right")
	}
	ownSignIn(other, g.URL, "alice", secondPassword)
	if !onChallenge(other) {
		t.Errorf("the new password is wrong:\n%s", other.Page())
	}

	late := OpenBrowser(t)
	late.Goto(link)
	late.Follow("#link button")
	if late.Has("#password1") {
		t.Error("the link works twice")
	}
	if strings.Contains(g.Logs(), ticket) || !strings.Contains(g.Logs(), "/.stepgate/signin/password/link") {
		t.Error("the log holds the ticket, or no requests")
	}
}

// TestPasswordLinkWithoutScript: who has scripts turned off pastes the link.
func TestPasswordLinkWithoutScript(t *testing.T) {
	console := notes(t)
	g := StartGateway(t, ownPage, console)
	link, _ := invited(t, g, "alice")
	b := OpenBrowser(t)
	b.Goto(strings.Split(link, "#")[0])
	b.Fill("#ticket", link)
	b.Follow("#link button")
	newPassword(b, firstPassword)
	if !onChallenge(b) || !b.Has("svg.qr") {
		t.Errorf("at %s:\n%s", b.URL(), b.Page())
	}
}

// TestPasswordUsersCommand: what administrators see, and who may not.
func TestPasswordUsersCommand(t *testing.T) {
	console := notes(t)
	g := StartGateway(t, ownPage, console)
	invited(t, g, "alice")
	says := func(want string, args ...string) {
		t.Helper()
		if out, _ := users(t, g, args...); !strings.Contains(out, want) {
			t.Errorf("users %v does not say %q:\n%s", args, want, out)
		}
	}
	says("there is a person of this name", "create", "Alice", "--realm", "staff")
	says("try again after", "link", "alice", "--realm", "staff")
	says("no person of this name", "link", "bob", "--realm", "staff")
	says("first_factor password", "create", "bob", "--realm", "other")
	says("--realm", "list")
	says("no password yet, a link until", "list", "--realm", "staff")
	says("the gateway has to run", "list", "--realm", "staff", "--socket", g.Dir+"/none.sock")
	socket := filepath.Join(g.Dir, "data", "caddy", "stepgate", "admin.sock")
	if file, err := os.Lstat(socket); err != nil || file.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", file, err)
	}
	if !strings.Contains(g.Logs(), "person.created") || !strings.Contains(g.Logs(), "uid ") {
		t.Errorf("the log does not say who made her:\n%s", g.Logs())
	}
	if err := g.Reload(strings.Replace(ownPage, "realm staff", "realm staff\n\t\tobserve 2020-01-01", 1)); err != nil {
		t.Fatal(err)
	}
	says("alice", "list", "--realm", "staff")
	g.Kill9()
	g.Restart()
	says("alice", "list", "--realm", "staff")
}

// TestPasswordUnknownNames: over the wire, who has no account is answered as who has one.
func TestPasswordUnknownNames(t *testing.T) {
	console := notes(t)
	g := StartGateway(t, ownPage, console)
	link, ticket := invited(t, g, "alice")
	raw := NewRaw(t, g.URL)
	a := raw.Post(strings.Split(strings.TrimPrefix(link, g.URL), "#")[0], url.Values{"ticket": {ticket}, "password1": {firstPassword}, "password2": {firstPassword}}, "Accept: text/html")
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s\n%s", a.Status, a.Text)
	}
	answer := func(name string) string {
		a := raw.Post("/.stepgate/signin/password", url.Values{"name": {name}, "password": {"wrong"}}, "Accept: text/html")
		a.Header.Del("Date")
		return strings.ReplaceAll(a.Status+a.Text, name, "NAME")
	}
	known, unknown := answer("alice"), answer("carol")
	if known != unknown || !strings.HasPrefix(known, "422") {
		t.Errorf("for a person\n%s\nfor nobody\n%s", known, unknown)
	}
}

// TestPasswordFlood: more sign-ins at once, from as many networks, than the machine may hash. Some are compared, the
// others hear at once that they were not, and everything else is served meanwhile.
func TestPasswordFlood(t *testing.T) {
	const crowd, patience = 300, 5 * time.Second
	trusting := "{{.Global}}\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32 ::1/128\n\t}"
	g := StartGateway(t, strings.Replace(ownPage, "{{.Global}}", trusting, 1), notes(t))
	var compared, busy atomic.Int64
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			begun := time.Now()
			res, err := flood(g.URL, fmt.Sprintf("10.0.%d.%d", i/200, 1+i%200))
			switch {
			case err != nil:
				t.Error(err)
			case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
				busy.Add(1)
			case res.StatusCode == http.StatusUnprocessableEntity:
				compared.Add(1)
			default:
				t.Errorf("%s", res.Status)
			}
			if took := time.Since(begun); took > patience {
				t.Errorf("an answer after %v", took)
			}
		})
	}
	raw := NewRaw(t, g.URL)
	for range 20 {
		begun := time.Now()
		if a := raw.Get("/.stepgate/signin/password", "Accept: text/html"); a.StatusCode != http.StatusOK || time.Since(begun) > patience {
			t.Errorf("meanwhile a page: %s after %v", a.Status, time.Since(begun))
		}
	}
	all.Wait()
	if compared.Load() == 0 || busy.Load() == 0 {
		t.Errorf("%d compared, %d turned away", compared.Load(), busy.Load())
	}
	t.Logf("%d compared, %d turned away", compared.Load(), busy.Load())
}

// flood sends one sign-in as if a proxy had passed it on from an address.
func flood(base, from string) (*http.Response, error) {
	form := strings.NewReader(url.Values{"name": {from}, "password": {"wrong"}}.Encode())
	req, err := http.NewRequest(http.MethodPost, base+"/.stepgate/signin/password", form)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html")
	req.Header.Set("X-Forwarded-For", from)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}
