//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const wordpressSession = `^wordpress_(logged_in_|sec_|[0-9a-f]{32}$)`

// TestWordPressInBrowser is point 11 for a second console: the mechanism is general.
func TestWordPressInBrowser(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	b := OpenBrowser(t)

	b.Goto(g.URL + blog.Secret)
	if strings.Contains(b.Page(), blog.Marker) || !strings.Contains(b.URL(), "wp-login.php") {
		t.Fatalf("a stranger is at %s:\n%s", b.URL(), b.Page())
	}
	b.Screenshot("1-login")
	b.Fill("#user_pass", Alice.Password)
	b.Fill("#user_login", Alice.Mail) // by mail address: the subject is what WordPress calls her
	b.Follow("#wp-submit")
	if page := b.Page(); strings.Contains(page, Alice.Mail) || !strings.Contains(page, "alice") {
		t.Errorf("the page that binds reads:\n%s", page)
	}
	accessible(t, b, "binding")
	key := enroll(t, b, -2)
	if !strings.Contains(b.Page(), blog.Marker) {
		t.Fatalf("after the binding the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
	b.Screenshot("2-signed-in")
	b.Goto(g.URL + "/wp-admin/profile.php")
	b.Fill("#nickname", "Alice through the gateway")
	b.Follow("#submit")
	if b.Attribute("#nickname", "value") != "Alice through the gateway" {
		t.Errorf("the profile was not saved; the browser is at %s", b.URL())
	}
	blogLogout(t, b, g, blog)

	// Again, by name, remembered for two weeks, with one code.
	b.Goto(g.URL + blog.login.path)
	b.Fill("#user_pass", Alice.Password)
	b.Fill("#user_login", Alice.Name)
	b.Click("#rememberme")
	b.Follow("#wp-submit")
	enter(t, b, key, 0)
	b.Goto(g.URL + blog.Secret)
	if !strings.Contains(b.Page(), blog.Marker) {
		t.Fatalf("after the code the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
	for _, c := range b.Cookies() {
		if !strings.HasPrefix(c.Name, "wordpress_logged_in_") {
			continue
		}
		for what, base := range map[string]string{"the gateway": g.URL, "the blog": blog.URL} {
			a := NewRaw(t, base).Get(blog.Secret, "Cookie: "+c.Name+"="+c.Value, "Accept: text/html")
			withheld(t, what+" with a remembered cookie", blog, a, wordpressSession)
		}
	}
	blogLogout(t, b, g, blog)
}

func blogLogout(t *testing.T, b *Browser, g *Gateway, blog *Console) {
	t.Helper()
	b.Goto(g.URL + "/wp-login.php?action=logout") // without a nonce WordPress asks back
	b.Follow("a[href*='_wpnonce']")
	b.Goto(g.URL + blog.Secret)
	if strings.Contains(b.Page(), blog.Marker) {
		t.Fatal("the blog can be read after the logout")
	}
}

// TestWordPressLocked types wrong codes until the account is locked.
func TestWordPressLocked(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	raw := NewRaw(t, g.URL)
	_, key := rawPass(t, raw, Jar(blogLogin(raw, Bob.Name, Bob.Password)), "", -1)
	b := OpenBrowser(t)
	for range 10 {
		if !onChallenge(b) || !b.Has("#code") {
			blog.SignIn(b, g.URL, Bob)
		}
		b.Fill("#code", wrong(t, key))
		b.Follow("#answer button")
	}
	if b.Has("#code") {
		t.Fatalf("after ten wrong codes another one is taken:\n%s", b.Page())
	}
	a, _ := rawTry(t, raw, Jar(blogLogin(raw, Bob.Mail, Bob.Password)), key, 1)
	if a.StatusCode != 429 {
		t.Errorf("the right code of the locked account, which came by mail address: %s", a.Status)
	}
}

func blogLogin(raw *Raw, name, password string, more ...string) Answer {
	form := url.Values{"log": {name}, "pwd": {password}}
	for _, field := range more {
		form.Set(field, "1")
	}
	return raw.Post("/wp-login.php", form, "Accept: text/html")
}

// TestWordPressOtherLogins tries every way of signing in that the blog has, without a second factor; with the whole
// site protected, and with the public blog that most are.
func TestWordPressOtherLogins(t *testing.T) {
	blog := StartWordPress(t)
	public := strings.Replace(threeLines("blog", "wordpress"), "first_factor",
		"protect /wp-admin* /wp-login.php* /xmlrpc.php\n\t\tfirst_factor", 1)
	for name, caddyfile := range map[string]string{"all": threeLines("blog", "wordpress"), "public": public} {
		t.Run(name, func(t *testing.T) { otherBlogLogins(t, blog, StartGateway(t, caddyfile, blog)) })
	}
}

func otherBlogLogins(t *testing.T, blog *Console, g *Gateway) {
	raw := NewRaw(t, g.URL)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(Alice.Name+":"+blog.AppPassword))
	me := "/wp-json/wp/v2/users/me?context=edit"
	call := func(method, password string) string {
		return fmt.Sprintf(`<?xml version="1.0"?><methodCall><methodName>%s</methodName><params><param><value><string>1</string></value></param>
<param><value><string>%s</string></value></param><param><value><string>%s</string></value></param></params></methodCall>`, method, Alice.Name, password)
	}
	xml := "Content-Type: text/xml"
	multipart := "--x\r\nContent-Disposition: form-data; name=\"log\"\r\n\r\nalice\r\n--x\r\nContent-Disposition: form-data; name=\"pwd\"\r\n\r\n" +
		Alice.Password + "\r\n--x--\r\n"
	form := "Content-Type: application/x-www-form-urlencoded"
	body := url.Values{"log": {Alice.Name}, "pwd": {Alice.Password}}.Encode()
	for what, answer := range map[string]Answer{
		"the form":                            blogLogin(raw, Alice.Name, Alice.Password),
		"by mail address":                     blogLogin(raw, Alice.Mail, Alice.Password),
		"interim-login":                       blogLogin(raw, Alice.Name, Alice.Password, "interim-login"),
		"without the test cookie":             blogLogin(raw, Alice.Name, Alice.Password, "testcookie"),
		"reauth":                              raw.Do("POST", "/wp-login.php?reauth=1", body, form),
		"multipart":                           raw.Do("POST", "/wp-login.php", multipart, "Content-Type: multipart/form-data; boundary=x"),
		"another charset":                     raw.Do("POST", "/wp-login.php", body, form+"; charset=utf-16"),
		"a longer path":                       raw.Do("POST", "/wp-login.php/x", body, form),
		"two slashes":                         raw.Do("POST", "//wp-login.php", body, form),
		"an encoded dot":                      raw.Do("POST", "/wp-login%2ephp", body, form),
		"a path with dots":                    raw.Do("POST", "/wp-admin/../wp-login.php", body, form),
		"another action":                      raw.Do("POST", "/wp-login.php?action=x", body, form),
		"as lost password":                    raw.Do("POST", "/wp-login.php?action=lostpassword", body, form),
		"an overridden method":                raw.Do("POST", "/wp-login.php", body, form, "X-HTTP-Method-Override: GET"),
		"a folded name":                       raw.Do("POST", "/wp-login.php", "+"+body, form),
		"an application password":             raw.Get(me, basic),
		"an application password by ?":        raw.Get("/?rest_route=/wp/v2/users/me&context=edit", basic),
		"an application password at login":    raw.Get("/wp-login.php?rest_route=/wp/v2/users/me", basic),
		"an application password at an asset": raw.Get("/wp-includes/css/missing?rest_route=/wp/v2/users/me&context=edit", basic),
		"XML-RPC":                             raw.Do("POST", "/xmlrpc.php", call("wp.getProfile", Alice.Password), xml),
		"XML-RPC, application password":       raw.Do("POST", "/xmlrpc.php", call("wp.getProfile", blog.AppPassword), xml),
		"XML-RPC, two slashes":                raw.Do("POST", "//xmlrpc.php", call("wp.getProfile", Alice.Password), xml),
		"XML-RPC, encoded":                    raw.Do("POST", "/xmlrpc%2Ephp", call("wp.getProfile", Alice.Password), xml),
		"XML-RPC below index.php":             raw.Do("POST", "/index.php/../xmlrpc.php", call("wp.getProfile", Alice.Password), xml),
	} {
		withheld(t, what, blog, answer, wordpressSession)
		if strings.Contains(answer.Text, Alice.Mail) && answer.StatusCode == 200 {
			t.Errorf("%s tells alice's mail address: %s\n%.300s", what, answer.Status, answer.Text)
		}
	}
	if strings.Contains(blog.Log(), "POST /xmlrpc.php") {
		t.Error("XML-RPC reached the blog")
	}
}

// TestWordPressOthersCredentials calls the interfaces that take a name and password each time, with bob's second factor
// and alice's password.
func TestWordPressOthersCredentials(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	raw := NewRaw(t, g.URL)
	bob, _ := rawPass(t, raw, Jar(blogLogin(raw, Bob.Name, Bob.Password)), "", 0)
	jar := "Cookie: " + Jar(bob)
	if a := raw.Get(blog.Secret, jar); a.StatusCode != http.StatusOK {
		t.Fatalf("bob is not in: %s", a.Status)
	}
	profile := fmt.Sprintf(`<?xml version="1.0"?><methodCall><methodName>wp.getProfile</methodName><params><param><value><string>1</string></value></param>
<param><value><string>%s</string></value></param><param><value><string>%s</string></value></param></params></methodCall>`, Alice.Name, Alice.Password)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(Alice.Name+":"+blog.AppPassword))
	for what, a := range map[string]Answer{
		"XML-RPC":                 raw.Do("POST", "/xmlrpc.php", profile, jar, "Content-Type: text/xml"),
		"XML-RPC, two slashes":    raw.Do("POST", "//xmlrpc.php", profile, jar, "Content-Type: text/xml"),
		"XML-RPC, encoded":        raw.Do("POST", "/xmlrpc%2ephp", profile, jar, "Content-Type: text/xml"),
		"XML-RPC, longer":         raw.Do("POST", "/xmlrpc.php/x", profile, jar, "Content-Type: text/xml"),
		"an application password": raw.Get("/wp-json/wp/v2/users/me?context=edit", jar, basic),
		"one by rest_route":       raw.Get("/?rest_route=/wp/v2/users/me&context=edit", jar, basic),
	} {
		if strings.Contains(a.Text, Alice.Mail) || a.StatusCode == http.StatusOK {
			t.Errorf("%s: %s\n%.300s", what, a.Status, a.Text)
		}
	}
}

// TestWordPressPasswordChange changes bob's own password, for which WordPress renews some cookies and deletes others:
// he stays in.
func TestWordPressPasswordChange(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	b := OpenBrowser(t)
	blog.SignIn(b, g.URL, Bob)
	enroll(t, b, -1)
	b.Goto(g.URL + "/wp-admin/profile.php")
	b.Click(".wp-generate-pw")
	b.Fill("#pass1", "another long password 3 bob")
	b.Follow("#submit")
	b.Goto(g.URL + blog.Secret)
	if !strings.Contains(b.Page(), blog.Marker) {
		t.Errorf("after the change bob is at %s:\n%s", b.URL(), b.Page())
	}
	direct := NewRaw(t, blog.URL)
	if _, ok := blogLogin(direct, Bob.Name, "another long password 3 bob").Set("wordpress_logged_in_"); !ok {
		t.Error("the password was not changed")
	}
}

// TestWordPressCookieTricks holds cookies of every origin and spelling against the gateway.
func TestWordPressCookieTricks(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, strings.Replace(threeLines("blog", "wordpress"), "first_factor",
		"protect /wp-admin*\n\t\tfirst_factor", 1), blog)
	raw, direct := NewRaw(t, g.URL), NewRaw(t, blog.URL)
	old := blogLogin(direct, Alice.Name, Alice.Password)
	in, ok := old.Set("wordpress_logged_in_")
	if !ok {
		t.Fatalf("no session at the blog: %s", old.Status)
	}
	hash := strings.TrimPrefix(in.Name, "wordpress_logged_in_")
	for _, name := range []string{
		in.Name, "wordpress.logged.in." + hash, "wordpress logged in " + hash, "wordpress[logged_in_" + hash,
		"wordpress_logged[in_" + hash, "wordpress_logged_in[" + hash, " " + in.Name, "\x0b" + in.Name, "\x0c" + in.Name,
		"a=b,c; ;" + in.Name, in.Name + "=x; wordpress.logged_in_" + hash, "wordpress%5Flogged_in_" + hash,
	} {
		for _, path := range []string{blog.Secret, "/", "/wp-admin/"} { // the first two are public here
			a := raw.Send("GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(g.URL, "http://") +
				"\r\nConnection: close\r\nCookie: " + name + "=" + in.Value + "\r\n\r\n")
			withheld(t, fmt.Sprintf("%q at %s", name, path), blog, a, wordpressSession)
			if strings.Contains(a.Text, "wp-admin-bar-my-account") {
				t.Errorf("%q makes the blog know alice at %s", name, path)
			}
		}
	}
	// The same names inside another person's verified session.
	bob, _ := rawPass(t, raw, Jar(blogLogin(raw, Bob.Name, Bob.Password)), "", 0)
	own, ok := bob.Set("__Host-stepgate-blog")
	if !ok {
		t.Fatalf("bob is not in: %s", bob.Status)
	}
	for _, name := range []string{in.Name, "wordpress.logged.in." + hash, "wordpress[logged_in_" + hash, "\x0b" + in.Name} {
		a := raw.Send("GET " + blog.Secret + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(g.URL, "http://") +
			"\r\nConnection: close\r\nCookie: " + own.Name + "=" + own.Value + "; " + name + "=" + in.Value + "\r\n\r\n")
		if strings.Contains(a.Text, blog.Marker) || strings.Contains(a.Text, "wp-admin-bar-my-account") {
			t.Errorf("bob's session takes alice's cookie as %q", name)
		}
	}
}

// TestWordPressSecondPerson signs bob in where alice is, and finds that nothing of hers is left.
func TestWordPressSecondPerson(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	b := OpenBrowser(t)
	blog.SignIn(b, g.URL, Alice)
	enroll(t, b, -1)
	var session string
	for _, c := range b.Cookies() {
		session += c.Name + "=" + c.Value + "; "
	}
	b.Goto(g.URL + "/wp-login.php")
	for range 100 { // WordPress empties the password's field a moment after it loaded, since alice is still in
		if Eval[string](b, "document.activeElement.id") == "user_pass" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fill("#user_pass", Bob.Password)
	b.Fill("#user_login", Bob.Name)
	b.Follow("#wp-submit")
	if !onChallenge(b) || !b.Has("svg.qr") || !strings.Contains(b.Page(), "bob") {
		t.Fatalf("bob, who never bound anything, is at %s:\n%s", b.URL(), b.Page())
	}
	a := NewRaw(t, g.URL).Get(blog.Secret, "Cookie: "+session, "Accept: text/html")
	withheld(t, "alice's session after bob's login", blog, a, wordpressSession)
	b.Goto(g.URL + blog.Secret)
	if !onChallenge(b) {
		t.Errorf("bob's next page load goes to %s", b.URL())
	}
}

// TestWordPressAbortedLogin breaks off the connection of a login.
func TestWordPressAbortedLogin(t *testing.T) {
	blog := StartWordPress(t)
	g := StartGateway(t, threeLines("blog", "wordpress"), blog)
	raw := NewRaw(t, g.URL)
	done, _ := rawPass(t, raw, Jar(blogLogin(raw, Alice.Name, Alice.Password)), "", 0)
	jar := Jar(done)
	if a := raw.Get(blog.Secret, "Cookie: "+jar); !strings.Contains(a.Text, blog.Marker) {
		t.Fatalf("alice is not in: %s", a.Status)
	}
	body := url.Values{"log": {Bob.Name}, "pwd": {Bob.Password}}.Encode()
	conn := raw.Dial()
	fmt.Fprintf(conn, "POST /wp-login.php HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		strings.TrimPrefix(g.URL, "http://"), jar, len(body), body)
	conn.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if a := raw.Get(blog.Secret, "Cookie: "+jar); !strings.Contains(a.Text, blog.Marker) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("alice's session outlives bob's login in the same browser")
		}
	}
}
