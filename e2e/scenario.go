//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// threeLines is the README's promise: a console that has a preset needs no more.
func threeLines(name, preset string) string {
	return fmt.Sprintf(`{
	{{.Global}}
}
http://localhost:{{.Port}} {
	stepgate %s {
		first_factor console %s
	}
	reverse_proxy {{.Upstream}}
}
`, name, preset)
}

// period is a TOTP time step.
const period = 30 * time.Second

// onChallenge tells whether the browser stands before a challenge of ours.
func onChallenge(b *Browser) bool { return strings.Contains(b.URL(), "/.stepgate/challenge") }

// enroll binds an authenticator on the page that shows its key, with the codes of the two steps that lie from..from+1
// steps away from now, and returns the key.
func enroll(t *testing.T, b *Browser, from int) string {
	t.Helper()
	if !onChallenge(b) || !b.Has("svg.qr") {
		t.Fatalf("no key is shown at %s:\n%s", b.URL(), b.Page())
	}
	key := strings.ReplaceAll(b.Text(".key"), " ", "")
	settle()
	now := time.Now()
	b.Fill("#code1", Oathtool(t, key, now.Add(time.Duration(from)*period)))
	b.Fill("#code2", Oathtool(t, key, now.Add(time.Duration(from+1)*period)))
	b.Follow("#answer button")
	return key
}

// settle waits until a time step has just begun, if it is about to end: codes are typed and judged within one.
func settle() {
	if left := period - time.Duration(time.Now().UnixNano())%period; left < 8*time.Second {
		time.Sleep(left + 100*time.Millisecond)
	}
}

// enter types the code of the step that lies so many steps from now.
func enter(t *testing.T, b *Browser, key string, step int) {
	t.Helper()
	if !onChallenge(b) || !b.Has("#code") {
		t.Fatalf("no code is asked for at %s:\n%s", b.URL(), b.Page())
	}
	settle()
	b.Fill("#code", Oathtool(t, key, time.Now().Add(time.Duration(step)*period)))
	b.Follow("#answer button")
}

// wasMe answers the page that tells in a browser what was bound in another one.
func wasMe(t *testing.T, b *Browser) {
	t.Helper()
	if !strings.Contains(b.URL(), "/.stepgate/security/noticed") {
		t.Fatalf("nothing is told of what was bound in another browser at %s:\n%s", b.URL(), b.Page())
	}
	b.Follow("button[name=mine][value=yes]")
}

// wrong is a code of six digits that is right at no time near now.
func wrong(t *testing.T, key string) string {
	t.Helper()
	for guess := range 1000 {
		code, near := fmt.Sprintf("%06d", guess), false
		for step := -25; step <= 3; step++ {
			near = near || Oathtool(t, key, time.Now().Add(time.Duration(step)*period)) == code
		}
		if !near {
			return code
		}
	}
	t.Fatal("no code is wrong")
	return ""
}

// accessible fails the test if axe-core finds anything.
func accessible(t *testing.T, b *Browser, page string) {
	t.Helper()
	for _, v := range b.Axe() {
		t.Errorf("%s: %v", page, v)
	}
}

var (
	keyPattern       = regexp.MustCompile(`secret=([A-Z2-7]+)`)
	challengePattern = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
)

// rawPass passes or binds with a raw client that holds the jar of a login's answer, and returns the answer.
func rawPass(t *testing.T, raw *Raw, jar, key string, step int) (Answer, string) {
	t.Helper()
	page := raw.Get("/.stepgate/challenge", "Cookie: "+jar, "Accept: text/html")
	id := challengePattern.FindStringSubmatch(page.Text)
	if id == nil {
		t.Fatalf("no challenge: %s\n%s", page.Status, page.Text)
	}
	settle()
	form := url.Values{"challenge": {id[1]}}
	if found := keyPattern.FindStringSubmatch(page.Text); found != nil {
		key = found[1]
		form.Set("code1", Oathtool(t, key, time.Now().Add(time.Duration(step-1)*period)))
		form.Set("code2", Oathtool(t, key, time.Now().Add(time.Duration(step)*period)))
	} else {
		form.Set("code", Oathtool(t, key, time.Now().Add(time.Duration(step)*period)))
	}
	return raw.Post("/.stepgate/challenge", form, "Cookie: "+jar, "Accept: text/html"), key
}

// withheld fails the test if an answer gives away what only a second factor opens: the console's marker, or a session
// cookie that the console takes.
func withheld(t *testing.T, what string, console *Console, a Answer, sessionCookies string) {
	t.Helper()
	if strings.Contains(a.Text, console.Marker) {
		t.Errorf("%s: the secret is in the answer (%s)", what, a.Status)
	}
	names := regexp.MustCompile(sessionCookies)
	for _, c := range a.Cookies() {
		if names.MatchString(c.Name) && c.MaxAge >= 0 && (c.Expires.IsZero() || c.Expires.After(time.Now())) {
			t.Errorf("%s: the answer (%s) sets %s=%s", what, a.Status, c.Name, c.Value)
		}
	}
	stolen := Jar(a)
	if stolen == "" {
		return
	}
	direct := NewRaw(t, console.URL).Get(console.Secret, "Cookie: "+stolen)
	if strings.Contains(direct.Text, console.Marker) {
		t.Errorf("%s: the console takes the cookies of the answer: %s", what, stolen)
	}
}
