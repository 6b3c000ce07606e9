package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

// browser is a client that keeps cookies and every byte that it receives.
type browser struct {
	*rig
	jar   map[string]string
	wire  bytes.Buffer
	login string // the code's secret
}

func (r *rig) browser() *browser { return &browser{rig: r, jar: map[string]string{}} }

// copy is another browser with the same cookies: they were stolen.
func (b *browser) copy() *browser {
	c := b.browser()
	for name, value := range b.jar {
		c.jar[name] = value
	}
	return c
}

// reply is an answer as it was received.
type reply struct {
	*http.Response
	body string
	raw  string
}

// page makes a request look like a person's page load.
var page = []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}

func (b *browser) get(uri string, headers ...string) *reply {
	b.t.Helper()
	return b.send("GET", uri, "", append(slices.Clone(page), headers...)...)
}

func (b *browser) fetch(uri string, headers ...string) *reply {
	b.t.Helper()
	return b.send("GET", uri, "", headers...)
}

func (b *browser) post(uri, form string, headers ...string) *reply {
	b.t.Helper()
	return b.send("POST", uri, form, slices.Concat(page, []string{"Content-Type: application/x-www-form-urlencoded"}, headers)...)
}

// send writes a request byte for byte, and keeps the cookies of the answer.
func (b *browser) send(method, uri, body string, headers ...string) *reply {
	b.t.Helper()
	a, err := b.try(method, uri, body, headers...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, uri, err)
	}
	return a
}

func (b *browser) try(method, uri, body string, headers ...string) (*reply, error) {
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, b.request(method, uri, body, headers)); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(conn)
	b.wire.Write(raw)
	if err != nil {
		return nil, err
	}
	return b.read(method, string(raw))
}

func (b *browser) request(method, uri, body string, headers []string) string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: wiki.test\r\n", method, uri)
	for _, h := range headers {
		out.WriteString(h + "\r\n")
	}
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Connection:") }) {
		out.WriteString("Connection: close\r\n")
	}
	if cookies := b.cookies(); cookies != "" {
		out.WriteString("Cookie: " + cookies + "\r\n")
	}
	if body != "" && !slices.Contains(headers, "Transfer-Encoding: chunked") {
		_, _ = fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
	}
	return out.String() + "\r\n" + body
}

func (b *browser) cookies() string {
	var pairs []string
	for name, value := range b.jar {
		pairs = append(pairs, name+"="+value)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "; ")
}

func (b *browser) read(method, raw string) (*reply, error) {
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, fmt.Errorf("%w in %q", err, raw[:min(len(raw), 200)])
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			body, err := io.ReadAll(res.Body)
			b.keep(res)
			return &reply{res, string(body), raw}, err
		}
	}
}

func (b *browser) keep(res *http.Response) {
	for _, line := range res.Header["Set-Cookie"] {
		ck, err := http.ParseSetCookie(line)
		switch {
		case err != nil:
		case ck.MaxAge < 0 || !ck.Expires.IsZero() && ck.Expires.Before(b.clock()):
			delete(b.jar, ck.Name)
		default:
			b.jar[ck.Name] = ck.Value
		}
	}
}

// password sends name and password; the answer is what the gateway makes of
// the console's.
func (b *browser) password(name string) *reply {
	b.t.Helper()
	return b.post("/login", "u="+name+"&p=pw-"+name)
}

var (
	challengeID = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
	keyGroups   = regexp.MustCompile(`(?s)<dd class="key">(.*?)</dd>`)
	tags        = regexp.MustCompile(`<[^>]*>|\s`)
)

// formID is the challenge that the pending page shows.
func (b *browser) formID() string {
	b.t.Helper()
	a := b.get("/.stepgate/challenge")
	m := challengeID.FindStringSubmatch(a.body)
	if m == nil {
		b.t.Fatalf("no challenge in %d %s", a.StatusCode, a.body)
	}
	return m[1]
}

func (b *browser) answer(id, fields string, headers ...string) *reply {
	b.t.Helper()
	return b.post("/.stepgate/challenge", "challenge="+url.QueryEscape(id)+"&"+fields, headers...)
}

// stepsUp answers the challenge that a verified session was led to.
func (b *browser) stepsUp(led *reply, key string) *reply {
	b.t.Helper()
	at := led.Header.Get("Location")
	m := challengeID.FindStringSubmatch(b.get(at).body)
	if m == nil {
		b.t.Fatalf("no challenge at %q: %d %s", at, led.StatusCode, led.body)
	}
	return b.post(at, "challenge="+url.QueryEscape(m[1])+"&code="+code(b.t, key, b.clock()))
}

// shownKey is the key that an enrollment page shows, "" if none.
func shownKey(body string) string {
	m := keyGroups.FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return tags.ReplaceAllString(m[1], "")
}

func code(t testing.TB, key string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(key, at)
	check(t, err)
	return c
}

// wrong is a code that is none of the key's, now or soon.
func (b *browser) wrong(key string) string {
	for i := 0; ; i++ {
		c := fmt.Sprintf("%06d", i)
		near := false
		for s := -25; s <= 2; s++ {
			near = near || c == code(b.t, key, b.clock().Add(time.Duration(s)*30*time.Second))
		}
		if !near {
			return c
		}
	}
}

// bind gives a person an authenticator, and returns its key.
func (r *rig) bind(name string) string {
	r.t.Helper()
	key := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	who := subject(name)
	c := accounts.Credential{ID: "cred-" + name, Subject: who, Factor: identity.TOTP, Name: "Authenticator", BoundAt: r.clock(), Strength: identity.Device, Noticed: true}
	c.Secret = r.ring.Seal("credential", []byte(key), c.SecretBinding()...)
	check(r.t, r.accounts.BindFirst(r.t.Context(), c))
	return key
}

func subject(name string) identity.Subject { return identity.Subject{Realm: "staff", Name: name} }

// signIn goes the whole way with one code of key, one step after the last.
func (b *browser) signIn(name, key string) *reply {
	b.t.Helper()
	b.sleep(30 * time.Second)
	if a := b.password(name); a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("login: %d %s", a.StatusCode, a.body)
	}
	a := b.answer(b.formID(), "code="+code(b.t, key, b.clock()))
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("code: %d %s", a.StatusCode, a.body)
	}
	return a
}

// verified is a browser in which a person has passed.
func (r *rig) verified(name string) *browser {
	r.t.Helper()
	b := r.browser()
	b.login = r.bind(name)
	b.signIn(name, b.login)
	return b
}

// user is whom the wiki shows its content to; "-" when nothing is shown.
func (b *browser) user() string {
	b.t.Helper()
	a := b.get("/private")
	if !strings.Contains(a.body, protected) {
		return "-"
	}
	_, name, _ := strings.Cut(a.body, "for ")
	return strings.Trim(name, `"`)
}

// clean fails if the client received a credential or protected content.
func (b *browser) clean(what string) {
	b.t.Helper()
	for _, mark := range []string{secret, protected} {
		if i := bytes.Index(b.wire.Bytes(), []byte(mark)); i >= 0 {
			from := max(0, i-300)
			b.t.Errorf("%s: the client received %q in %q", what, mark, b.wire.Bytes()[from:min(b.wire.Len(), i+60)])
		}
	}
}
