//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// rabbitmqLogin fills in the management UI's own form, which no page load follows.
func rabbitmqLogin(b *Browser, a Account) {
	b.t.Helper()
	b.Fill("input[name=username]", a.Name)
	b.Fill("input[name=password]", a.Password)
	b.Click("input[type=submit]")
}

// until waits until the page shows something.
func until(t *testing.T, b *Browser, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Screenshot("failed")
			t.Fatalf("%s: the browser is at %s, which reads:\n%s", what, b.URL(), b.Page())
		}
	}
}

func reads(t *testing.T, b *Browser, text string) {
	t.Helper()
	until(t, b, "waiting for "+text, func() bool { return strings.Contains(b.Page(), text) })
}

// TestRabbitMQInBrowser is the whole way of a person in the management UI: its own form, the challenge, queues of the
// default virtual host, whose name is a slash, the way out and in again.
func TestRabbitMQInBrowser(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, threeLines("broker", "rabbitmq"), broker)
	b := OpenBrowser(t)

	b.Goto(g.URL + "/#/queues")
	rabbitmqLogin(b, Account{Name: Alice.Name, Password: "wrong"})
	reads(t, b, "Login failed")
	rabbitmqLogin(b, Alice)
	reads(t, b, "reload this page")
	b.Screenshot("1-reload")
	b.Reload()
	key := enroll(t, b, -2)
	// The page that was wanted is the one behind the #, which no server ever sees.
	reads(t, b, broker.Marker)
	if !strings.HasSuffix(b.URL(), "/#/queues") {
		t.Errorf("after the binding the browser is at %s", b.URL())
	}
	b.Screenshot("2-queues")

	Eval[bool](b, `$('form[action="#/queues"] input[name=name]').val("made/here 1").closest("form").submit(), true`)
	reads(t, b, "made/here 1")
	b.Goto(g.URL + "/#/queues/%2F/made%2Fhere%201")
	reads(t, b, "Queue made/here 1")
	b.Screenshot("3-queue")
	if a := NewRaw(t, broker.URL).Get("/api/queues/%2F/made%2Fhere%201", Alice.Basic()); a.StatusCode != http.StatusOK {
		t.Errorf("the broker does not know the queue: %s", a.Status)
	}
	// The UI puts the credentials into the address of a download.
	status := Eval[int](b, `fetch("api/definitions?auth=" + get_cookie_value("auth")).then(r => r.status)`)
	if status != http.StatusOK {
		t.Errorf("definitions are answered with %d", status)
	}

	kept := b.Cookies()
	endSession(t, b, g, broker)
	for _, c := range kept {
		if strings.HasPrefix(c.Name, "__Host-stepgate-") {
			continue
		}
		if a := NewRaw(t, g.URL).Get(broker.Secret, "Cookie: "+c.Name+"="+c.Value); strings.Contains(a.Text, broker.Marker) {
			t.Errorf("the cookie %s opens the broker", c.Name)
		}
	}

	// In again, with one code, from a page whose session is over: its next calls have begun the sign-in.
	reads(t, b, "reload this page")
	b.Reload()
	enter(t, b, key, 0)
	wasMe(t, b)
	reads(t, b, "Queue made/here 1")
	b.Click("#logout input[type=submit]")
	until(t, b, "the UI's logout", func() bool { return b.Has("input[name=password]") })
	rabbitmqLogin(b, Bob)
	reads(t, b, "reload this page")
	b.Reload()
	if !onChallenge(b) || !b.Has("svg.qr") {
		t.Errorf("bob, who never bound anything, is at %s:\n%s", b.URL(), b.Page())
	}
}

// endSession takes the session away as its expiry would: the browser keeps all but its
// cookie, and the pass is not a matter of minutes any more.
func endSession(t *testing.T, b *Browser, g *Gateway, broker *Console) {
	t.Helper()
	for _, name := range []string{"__Host-stepgate-broker", "__Host-stepgate-browser"} {
		run(b, "drop "+name, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, network.DeleteCookies, network.DeleteCookiesParams{URL: g.URL, Name: name})
			return err
		}))
	}
	if text := Eval[string](b, `fetch("api/queues", {headers: {authorization: auth_header()}}).then(r => r.text())`); strings.Contains(text, broker.Marker) {
		t.Fatal("the broker is open without a session")
	}
}

// TestRabbitMQNativeDialog signs in by the browser's own dialog, for a console that has no page for it. Credentials in an
// address answer the dialog as a person would.
func TestRabbitMQNativeDialog(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, `{
	{{.Global}}
}
http://localhost:{{.Port}} {
	stepgate broker {
		first_factor console {
			login * {
				username basic
				success probe /api/whoami
			}
			subject probe /api/whoami /name
		}
	}
	reverse_proxy {{.Upstream}}
}
`, broker)
	a := NewRaw(t, g.URL).Get(broker.Secret, "Accept: text/html")
	if asked := a.Header.Get("WWW-Authenticate"); a.StatusCode != http.StatusUnauthorized || asked != `Basic realm="RabbitMQ Management"` {
		t.Errorf("a page load is answered %s, %q", a.Status, asked)
	}
	b := OpenBrowser(t)
	user := url.UserPassword(Alice.Name, Alice.Password).String()
	b.Goto(strings.Replace(g.URL, "://", "://"+user+"@", 1) + broker.Secret + "?page=1")
	if !onChallenge(b) {
		t.Fatalf("the browser is at %s:\n%s", b.URL(), b.Page())
	}
	enroll(t, b, -1)
	if !strings.Contains(b.Page(), broker.Marker) || !strings.HasSuffix(b.URL(), broker.Secret+"?page=1") {
		t.Errorf("after the pass the browser is at %s:\n%s", b.URL(), b.Page())
	}
	b.Goto(g.URL + "/api/overview") // the browser goes on sending them
	if !strings.Contains(b.Page(), "rabbitmq_version") {
		t.Errorf("the next page reads:\n%s", b.Page())
	}
}

// rabbitmqVerified signs in with a raw client, and returns its cookies.
func rabbitmqVerified(t *testing.T, raw *Raw, a Account) string {
	t.Helper()
	in := raw.Get("/api/overview", a.Basic())
	if in.StatusCode != http.StatusUnauthorized || !strings.Contains(in.Text, "challenge_url") {
		t.Fatalf("%s: %s\n%s", a.Name, in.Status, in.Text)
	}
	done, _ := rawPass(t, raw, Jar(in), "", -1)
	return Jar(done)
}

// TestRabbitMQPrograms is what programs meet that send name and password with each call: problem details, and a bypass
// where the operator names one.
func TestRabbitMQPrograms(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, `{
	{{.Global}}
}
http://localhost:{{.Port}} {
	@monitoring header X-Monitoring yes
	stepgate broker {
		first_factor console rabbitmq
		bypass monitoring @monitoring
	}
	reverse_proxy {{.Upstream}}
}
`, broker)
	raw := NewRaw(t, g.URL)
	a := raw.Do(http.MethodPut, "/api/queues/%2F/planted", "{}", Alice.Basic(), "Content-Type: application/json")
	if a.StatusCode != http.StatusUnauthorized || a.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(a.Text, `"challenge_url":"/.stepgate/challenge"`) || strings.Contains(a.Header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("a PUT with name and password: %s %v\n%s", a.Status, a.Header, a.Text)
	}
	if planted := NewRaw(t, broker.URL).Get("/api/queues/%2F/planted", Alice.Basic()); planted.StatusCode != http.StatusNotFound {
		t.Errorf("the queue was made before the second factor: %s", planted.Status)
	}
	wrong := Account{Name: Alice.Name, Password: "wrong"}.Basic()
	direct, through := NewRaw(t, broker.URL).Get("/api/whoami", wrong), raw.Get("/api/overview", wrong)
	if through.StatusCode != direct.StatusCode || through.Text != direct.Text {
		t.Errorf("a wrong password is answered %s %q, by the broker %s %q", through.Status, through.Text, direct.Status, direct.Text)
	}
	if a := raw.Get(broker.Secret, Alice.Basic(), "X-Monitoring: yes"); !strings.Contains(a.Text, broker.Marker) {
		t.Errorf("the bypass: %s\n%s", a.Status, a.Text)
	}
	done, _ := rawPass(t, raw, Jar(a), "", -1)
	jar := Jar(done)
	a = raw.Do(http.MethodPut, "/api/queues/%2F/made%2Fthere", "{}", Alice.Basic(), "Content-Type: application/json", "Cookie: "+jar)
	if a.StatusCode != http.StatusCreated {
		t.Errorf("a PUT after the pass: %s\n%s", a.Status, a.Text)
	}
	a = raw.Get("/api/queues/%2F/made%2Fthere", Alice.Basic(), "Cookie: "+jar)
	if a.StatusCode != http.StatusOK || !strings.Contains(a.Text, `"name":"made/there"`) {
		t.Errorf("the queue: %s\n%s", a.Status, a.Text)
	}
}

// TestRabbitMQOtherWays tries every place where the broker takes a password or a token, without a second factor and in
// somebody else's session.
func TestRabbitMQOtherWays(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, threeLines("broker", "rabbitmq"), broker)
	raw := NewRaw(t, g.URL)
	value := base64.StdEncoding.EncodeToString([]byte(Alice.Name + ":" + Alice.Password))
	jar := rabbitmqVerified(t, raw, Bob)
	if a := raw.Get(broker.Secret, Bob.Basic(), "Cookie: "+jar); !strings.Contains(a.Text, broker.Marker) {
		t.Fatalf("bob is not in: %s\n%s", a.Status, a.Text)
	}
	ways := map[string]func(header ...string) Answer{
		"the query": func(h ...string) Answer { return raw.Get("/api/definitions?auth="+url.QueryEscape(value), h...) },
		"the query of a virtual host": func(h ...string) Answer {
			return raw.Get("/api/definitions/%2F?x=1&auth="+url.QueryEscape(value), h...)
		},
		"the query, encoded twice": func(h ...string) Answer {
			return raw.Get("/api/definitions?%61uth="+url.QueryEscape(value), h...)
		},
		"a token in the query": func(h ...string) Answer { return raw.Get("/api/definitions?token="+url.QueryEscape(value), h...) },
		"bearer":               func(h ...string) Answer { return raw.Get("/api/users", append(h, "Authorization: Bearer "+value)...) },
		"the UI's cookie":      func(h ...string) Answer { return raw.Get("/api/users", append(h, "Cookie: m=2258:"+value)...) },
		"the login's cookie":   func(h ...string) Answer { return raw.Get("/api/users", append(h, "Cookie: auth="+value)...) },
		"lower case": func(h ...string) Answer {
			return raw.Get("/api/users", append(h, strings.Replace(Alice.Basic(), "Basic", "basic", 1))...)
		},
		"upper case and blanks": func(h ...string) Answer {
			return raw.Get("/api/users", append(h, strings.Replace(Alice.Basic(), "Basic", "BASIC  ", 1))...)
		},
		"the login page of others": func(h ...string) Answer {
			return raw.Post("/api/login", url.Values{"username": {Alice.Name}, "password": {Alice.Password}}, h...)
		},
		"the login page, doubled": func(h ...string) Answer {
			return raw.Post("//api//login/", url.Values{"username": {Alice.Name}, "password": {Alice.Password}}, h...)
		},
		"a form":  func(h ...string) Answer { return raw.Post("/api/definitions", url.Values{"auth": {value}}, h...) },
		"another": func(h ...string) Answer { return raw.Get("/api/users", append(h, "Proxy-"+Alice.Basic())...) },
		"twice":   func(h ...string) Answer { return raw.Get("/api/users", append(h, Bob.Basic(), Alice.Basic())...) },
		"an extended path": func(h ...string) Answer {
			return raw.Get("/api/auth/../users", append(h, Alice.Basic())...)
		},
		"an encoded path": func(h ...string) Answer { return raw.Get("/js/%2e%2e/api/users", append(h, Alice.Basic())...) },
	}
	for what, send := range ways {
		for who, headers := range map[string][]string{"a stranger": nil, "bob": {"Cookie: " + jar}} {
			a := send(headers...)
			if a.StatusCode < 300 || strings.Contains(a.Text, "password_hash") || strings.Contains(a.Text, broker.Marker) {
				t.Errorf("%s, %s: %s\n%s", what, who, a.Status, a.Text)
			}
			if _, ok := a.Set("auth"); ok {
				t.Errorf("%s, %s: the broker's cookie is set", what, who)
			}
		}
		if a := raw.Get(broker.Secret, Bob.Basic(), "Cookie: "+jar); !strings.Contains(a.Text, broker.Marker) {
			jar = rabbitmqAgain(t, raw, jar)
		}
	}
}

// rabbitmqAgain signs Bob in again in a browser whose session another person's password has ended: he passed minutes
// ago.
func rabbitmqAgain(t *testing.T, raw *Raw, jar string) string {
	t.Helper()
	a := raw.Get("/api/queues", Bob.Basic(), "Cookie: "+jar)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("bob is not in again: %s\n%s", a.Status, a.Text)
	}
	ck, _ := a.Set("__Host-stepgate-broker")
	for pair := range strings.SplitSeq(jar, "; ") {
		if strings.HasPrefix(pair, "__Host-stepgate-browser=") {
			return fmt.Sprintf("%s; %s=%s", pair, ck.Name, ck.Value)
		}
	}
	t.Fatal("the browser is not known")
	return ""
}

// TestRabbitMQAtOnce is what the UI does when its session is over: many calls at the same time. They are one sign-in.
func TestRabbitMQAtOnce(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, threeLines("broker", "rabbitmq"), broker)
	b := OpenBrowser(t)
	b.Goto(g.URL + "/")
	statuses := Eval[[]int](b, fmt.Sprintf(`Promise.all(Array.from({length: 20}, (_, i) =>
		fetch("api/queues?i=" + i, {headers: {authorization: %q}}).then(r => r.status)))`,
		strings.TrimPrefix(Alice.Basic(), "Authorization: ")))
	for _, status := range statuses {
		if status != http.StatusUnauthorized {
			t.Errorf("an answer is %d", status)
		}
	}
	b.Goto(g.URL + "/")
	enroll(t, b, -1)
	if asked := strings.Count(g.Logs(), `"a login's answer`); asked != 0 {
		t.Errorf("%d answers were unclear", asked)
	}
}
