//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const dokuwikiSession = `^DW`

// TestDokuWikiInBrowser is point 11 as a person sees it: login, binding, use, logout, second login with one code,
// remember-me.
func TestDokuWikiInBrowser(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	b := OpenBrowser(t)

	b.Goto(g.URL + wiki.Secret)
	if strings.Contains(b.Page(), wiki.Marker) || !strings.Contains(b.URL(), "do=login") {
		t.Fatalf("a stranger is at %s:\n%s", b.URL(), b.Page())
	}
	b.Screenshot("1-login")
	b.Fill("input[name=p]", Alice.Password)
	b.Fill("input[name=u]", Alice.Name)
	b.Follow("#dw__login button[type=submit]")
	b.Screenshot("2-bind")
	accessible(t, b, "binding")
	key := enroll(t, b, -2)
	b.Screenshot("3-signed-in")
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Fatalf("after the binding the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
	for _, c := range b.Cookies() {
		if strings.HasPrefix(c.Name, "DW") {
			direct := NewRaw(t, wiki.URL).Get(wiki.Secret, "Cookie: "+c.Name+"="+c.Value)
			if strings.Contains(direct.Text, wiki.Marker) {
				t.Error("the browser holds a cookie that opens the wiki around the gateway")
			}
		}
	}
	edit(t, b, g, "an edit through the gateway")
	logout(t, b, g, wiki)

	// The second time one code is enough, and the page names the authenticator.
	wiki.SignIn(b, g.URL, Alice)
	if page := b.Page(); !strings.Contains(page, "alice") || !strings.Contains(page, "Authenticator") {
		t.Errorf("the challenge reads:\n%s", page)
	}
	b.Screenshot("4-code")
	accessible(t, b, "challenge")
	enter(t, b, key, 0)
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Fatalf("after the code the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
	logout(t, b, g, wiki)
	remembered(t, b, g, wiki, key)
}

// edit writes a page, with the wiki's own form and its token.
func edit(t *testing.T, b *Browser, g *Gateway, text string) {
	t.Helper()
	b.Goto(g.URL + "/doku.php?id=note&do=edit")
	b.Fill("#wiki__text", text)
	b.Follow("#edbtn__save")
	if !strings.Contains(b.Page(), text) {
		t.Errorf("the page was not saved; the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
}

func logout(t *testing.T, b *Browser, g *Gateway, wiki *Console) {
	t.Helper()
	b.Goto(g.URL + wiki.Secret)
	b.Follow("a[href*='do=logout']")
	b.Goto(g.URL + wiki.Secret)
	if strings.Contains(b.Page(), wiki.Marker) {
		t.Fatal("the wiki can be read after the logout")
	}
}

// remembered signs in with the wiki's year-long cookie, restarts nothing but the gateway's session, and finds that the
// cookie alone opens nothing.
func remembered(t *testing.T, b *Browser, g *Gateway, wiki *Console, key string) {
	t.Helper()
	b.Goto(g.URL + wiki.login.path)
	b.Fill("input[name=p]", Alice.Password)
	b.Fill("input[name=u]", Alice.Name)
	b.Click("#remember__me")
	b.Follow("#dw__login button[type=submit]")
	enter(t, b, key, 1)
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Fatalf("after the code the browser is at %s", b.URL())
	}
	var year string
	for _, c := range b.Cookies() {
		if strings.HasPrefix(c.Name, "DW") && time.Until(time.Unix(int64(c.Expires), 0)) > 300*24*time.Hour {
			year = c.Name + "=" + c.Value
		}
	}
	if year == "" {
		t.Fatalf("there is no cookie for a year: %v", b.Cookies())
	}
	for what, base := range map[string]string{"the gateway": g.URL, "the wiki": wiki.URL} {
		if a := NewRaw(t, base).Get(wiki.Secret, "Cookie: "+year); strings.Contains(a.Text, wiki.Marker) {
			t.Errorf("%s takes the year-long cookie of another browser", what)
		}
	}
}

// TestDokuWikiLocked types wrong codes until the account is locked, over two logins: starting again shares the budget.
func TestDokuWikiLocked(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw := NewRaw(t, g.URL)
	in := dokuLogin(raw, Bob)
	_, key := rawPass(t, raw, Jar(in), "", -1)

	b := OpenBrowser(t)
	for attempt := 1; attempt <= 10; attempt++ {
		if !onChallenge(b) || !b.Has("#code") {
			wiki.SignIn(b, g.URL, Bob)
		}
		b.Fill("#code", wrong(t, key))
		b.Follow("#answer button")
		if attempt == 1 {
			page := b.Page()
			for _, help := range []string{"bob", "UTC", "clock"} {
				if !strings.Contains(page, help) {
					t.Errorf("the message on a wrong code does not say %q:\n%s", help, page)
				}
			}
			b.Screenshot("wrong")
			accessible(t, b, "wrong code")
		}
	}
	b.Screenshot("locked")
	accessible(t, b, "locked")
	if b.Has("#code") {
		t.Fatalf("after ten wrong codes another one is taken:\n%s", b.Page())
	}
	// A stranger with the right code is locked out as well; the browser in which bob passed is not.
	other := dokuLogin(raw, Bob)
	if a, _ := rawTry(t, raw, Jar(other), key, 1); a.StatusCode != 429 {
		t.Errorf("a right code of a locked account: %s", a.Status)
	}
}

// rawTry sends a code although the page may not ask for one.
func rawTry(t *testing.T, raw *Raw, jar, key string, step int) (Answer, string) {
	t.Helper()
	page := raw.Get("/.stepgate/challenge", "Cookie: "+jar, "Accept: text/html")
	id := ""
	if found := challengePattern.FindStringSubmatch(page.Text); found != nil {
		id = found[1]
	}
	settle()
	form := url.Values{"challenge": {id}, "code": {Oathtool(t, key, time.Now().Add(time.Duration(step)*period))}}
	return raw.Post("/.stepgate/challenge", form, "Cookie: "+jar, "Accept: text/html"), id
}

func dokuLogin(raw *Raw, a Account, header ...string) Answer {
	return raw.Post("/doku.php?id=start", url.Values{"do": {"login"}, "id": {"secret"}, "u": {a.Name}, "p": {a.Password}},
		append(header, "Accept: text/html")...)
}

// TestDokuWikiOtherLogins tries every way of signing in that the wiki has, without a second factor.
func TestDokuWikiOtherLogins(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw := NewRaw(t, g.URL)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(Alice.Name+":"+Alice.Password))
	query := url.Values{"u": {Alice.Name}, "p": {Alice.Password}, "id": {"secret"}}.Encode()
	multipart := "--x\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\n" + Alice.Name +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\n" + Alice.Password + "\r\n--x--\r\n"
	call := fmt.Sprintf(`<?xml version="1.0"?><methodCall><methodName>dokuwiki.login</methodName><params>
<param><value><string>%s</string></value></param><param><value><string>%s</string></value></param></params></methodCall>`, Alice.Name, Alice.Password)
	page := `<?xml version="1.0"?><methodCall><methodName>wiki.getPage</methodName><params><param><value><string>secret</string></value></param></params></methodCall>`
	for what, answer := range map[string]Answer{
		"u and p by GET":                raw.Get("/doku.php?" + query),
		"u and p by GET at /":           raw.Get("/?" + query),
		"u and p at the login page":     raw.Get("/doku.php?do=login&" + query),
		"u and p at a picture":          raw.Get("/lib/exe/fetch.php?media=x&" + query),
		"u and p at an asset":           raw.Get("/lib/exe/css.php?" + query),
		"u and p at the feed":           raw.Get("/feed.php?" + query),
		"the form":                      dokuLogin(raw, Alice),
		"the form, name in capitals":    dokuLogin(raw, Account{Name: "ALICE", Password: Alice.Password}),
		"a multipart form":              raw.Do("POST", "/doku.php?id=secret", multipart, "Content-Type: multipart/form-data; boundary=x"),
		"a form with a blank in a name": raw.Do("POST", "/doku.php?id=secret", "+u=alice&p="+url.QueryEscape(Alice.Password), "Content-Type: application/x-www-form-urlencoded"),
		"a name with NUL":               raw.Get("/doku.php?u%00x=alice&p=" + url.QueryEscape(Alice.Password) + "&id=secret"),
		"two names":                     raw.Get("/doku.php?u=x&u=alice&p=" + url.QueryEscape(Alice.Password) + "&id=secret"),
		"Basic":                         raw.Get(wiki.Secret, basic),
		"Basic at the login page":       raw.Get("/doku.php?do=login&id=secret", basic),
		"Basic under another scheme at the login page": raw.Get("/doku.php?do=login&id=secret", strings.Replace(basic, "Basic ", "Xxxxx ", 1)),
		"XML-RPC login":               raw.Do("POST", "/lib/exe/xmlrpc.php", call, "Content-Type: text/xml"),
		"XML-RPC with Basic":          raw.Do("POST", "/lib/exe/xmlrpc.php", page, "Content-Type: text/xml", basic),
		"XML-RPC with u and p":        raw.Do("POST", "/lib/exe/xmlrpc.php?"+query, page, "Content-Type: text/xml"),
		"doku.php under another path": raw.Get("/lib/exe/css.php/../../../doku.php?do=x&" + query),
		"doku.php behind an asset":    raw.Get("/doku.php/lib/exe/css.php?id=secret", basic),
		"an encoded path":             raw.Get("/lib/exe/css.php%2f..%2f..%2f..%2fdoku.php?id=secret", basic),
	} {
		withheld(t, what, wiki, answer, dokuwikiSession)
		if answer.StatusCode == 200 && !strings.Contains(what, "asset") && !strings.Contains(what, "login page") {
			t.Errorf("%s: %s\n%.300s", what, answer.Status, answer.Text)
		}
	}
	// What carries credentials and is not the login may not even reach the wiki: it would be done before the second factor.
	for _, line := range strings.Split(wiki.Log(), "\n") {
		if strings.Contains(line, "xmlrpc.php") || strings.Contains(line, "u=alice") || strings.Contains(line, "u%00x=") {
			t.Errorf("the wiki was asked: %s", line)
		}
	}
}

// TestDokuWikiNothingIsDone asks the wiki to write, with the right password and without a second factor, and then with
// bob's second factor and alice's password: the page must not be there.
func TestDokuWikiNothingIsDone(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw := NewRaw(t, g.URL)
	bob, _ := rawPass(t, raw, Jar(dokuLogin(raw, Bob)), "", 0)
	for who, jar := range map[string]string{"a stranger": "", "bob": "Cookie: " + Jar(bob)} {
		var header []string
		if jar != "" {
			header = append(header, jar)
		}
		credentials := url.Values{"u": {Alice.Name}, "p": {Alice.Password}}.Encode()
		put := `<?xml version="1.0"?><methodCall><methodName>wiki.putPage</methodName><params><param><value><string>forged</string></value></param>
<param><value><string>forged</string></value></param></params></methodCall>`
		save := url.Values{"u": {Alice.Name}, "p": {Alice.Password}, "do[save]": {"1"}, "id": {"forged"}, "wikitext": {"forged"}}
		both := url.Values{"u": {Alice.Name}, "p": {Alice.Password}, "do": {"login"}, "do[save]": {"1"}, "id": {"forged"}, "wikitext": {"forged"}}
		padded := both.Encode() + "&pad=" + strings.Repeat("x", 80<<10)
		xml, form := append(header, "Content-Type: text/xml"), append(header, "Content-Type: application/x-www-form-urlencoded")
		for what, a := range map[string]Answer{
			"XML-RPC, u and p in the query": raw.Do("POST", "/lib/exe/xmlrpc.php?"+credentials, put, xml...),
			"XML-RPC as the login":          raw.Do("POST", "/lib/exe/xmlrpc.php?do=login&"+credentials, put, xml...),
			"XML-RPC, two slashes":          raw.Do("POST", "//lib/exe/xmlrpc.php?"+credentials, put, xml...),
			"a page saved":                  raw.Post("/doku.php", save, header...),
			"a page saved by query":         raw.Get("/doku.php?"+save.Encode(), header...),
			"a page saved by the login":     raw.Post("/doku.php", both, header...),
			"a page saved by ajax":          raw.Post("/lib/exe/ajax.php?do=login", both, header...),
			"a page saved by a long form":   raw.Do("POST", "/doku.php", padded, form...),
		} {
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s: %s", who, what, a.Status)
			}
		}
	}
	// Two ways in which doku.php takes an action besides the form: previewing a page would lock it and keep a draft.
	preview := url.Values{"do": {"login"}, "id": {"drafted"}, "u": {Alice.Name}, "p": {Alice.Password}, "wikitext": {"x"}, "prefix": {"."}, "suffix": {""}, "date": {"0"}}
	for what, header := range map[string]string{"a header": "X-DokuWiki-Do: preview", "a folded header": "X_DokuWiki_Do: preview",
		"a cookie": "Cookie: do=preview", "an array of cookies": "Cookie: do[preview]=1", "a cookie after a blank": "Cookie: a=b; \x0bdo=preview"} {
		body := preview.Encode()
		raw.Send(fmt.Sprintf("POST /doku.php HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			strings.TrimPrefix(g.URL, "http://"), header, len(body), body))
		for _, file := range leftBehind(t) {
			t.Errorf("by %s the wiki was made to write %s", what, file)
		}
	}
	direct := NewRaw(t, wiki.URL)
	in := dokuLogin(direct, Alice)
	if page := direct.Get("/doku.php?id=forged", "Cookie: "+Jar(in)); !strings.Contains(page.Text, "This topic does not exist yet") {
		t.Errorf("the page was written: %s\n%.500s", page.Status, page.Text)
	}
}

// leftBehind are the drafts and locks that the running wikis hold; it takes them away.
func leftBehind(t *testing.T) (files []string) {
	t.Helper()
	root, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "srv"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".draft") || strings.HasSuffix(path, ".lock")) {
			files = append(files, path)
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDokuWikiCookieTricks holds cookies of every origin against the gateway.
func TestDokuWikiCookieTricks(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw, direct := NewRaw(t, g.URL), NewRaw(t, wiki.URL)

	// A console session from around the gateway, or from before it was installed.
	old := direct.Post("/doku.php?id=start", url.Values{"do": {"login"}, "r": {"1"}, "u": {Alice.Name}, "p": {Alice.Password}})
	dw, ok := old.Set("DW")
	if !ok {
		t.Fatal("the wiki sets no cookie")
	}
	php, _ := old.Set("DokuWiki")
	for what, cookie := range map[string]string{
		"as it is":            dw.Name + "=" + dw.Value,
		"with the session id": dw.Name + "=" + dw.Value + "; DokuWiki=" + php.Value,
		"after a blank":       " \t" + dw.Name + "=" + dw.Value,
		"after a form feed":   "a=b;\x0c" + dw.Name + "=" + dw.Value,
		"after a VT":          "a=b;\x0b" + dw.Name + "=" + dw.Value,
		"inside quotes":       `a="b; ` + dw.Name + "=" + dw.Value + `; c=d"`,
		"twice":               dw.Name + "=" + dw.Value + "; " + dw.Name + "=" + dw.Value,
		"with many ;":         ";;; ; " + dw.Name + "=" + dw.Value,
		"sealed by nobody":    dw.Name + "=~" + dw.Value,
	} {
		for _, path := range []string{wiki.Secret, "/doku.php?do=login&id=secret"} {
			a := raw.Send("GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(g.URL, "http://") +
				"\r\nAccept: text/html\r\nConnection: close\r\nCookie: " + cookie + "\r\n\r\n")
			withheld(t, "an old cookie "+what, wiki, a, dokuwikiSession)
			if strings.Contains(a.Text, "Logged in as") {
				t.Errorf("an old cookie %s makes the wiki know alice at %s", what, path)
			}
		}
	}

	// A cookie that was sealed for one browser, in another one's verified session.
	alice, bob := dokuLogin(raw, Alice), dokuLogin(raw, Bob)
	aliceIn, _ := rawPass(t, raw, Jar(alice), "", 0)
	bobIn, _ := rawPass(t, raw, Jar(bob), "", 0)
	sealed, ok := aliceIn.Set("DW")
	own, _ := bobIn.Set("__Host-stepgate-wiki")
	if !ok || own.Value == "" {
		t.Fatalf("no sealed cookie: %s, %s", aliceIn.Status, bobIn.Status)
	}
	a := raw.Get(wiki.Secret, "Cookie: "+own.Name+"="+own.Value+"; "+sealed.Name+"="+sealed.Value, "Accept: text/html")
	if strings.Contains(a.Text, wiki.Marker) || strings.Contains(a.Text, "(<bdi>alice</bdi>)") {
		t.Errorf("bob's session opens alice's cookie: %s", a.Status)
	}
	if a := raw.Get(wiki.Secret, "Cookie: "+Jar(aliceIn)); !strings.Contains(a.Text, wiki.Marker) {
		t.Errorf("alice's own cookies do not open the wiki: %s\n%s", a.Status, a.Text)
	}
	// A verified session that brings a stranger's clear cookie does not become that stranger.
	a = raw.Get(wiki.Secret, "Cookie: "+Jar(bobIn)+"; "+dw.Name+"="+dw.Value)
	if strings.Contains(a.Text, "(<bdi>alice</bdi>)") {
		t.Error("bob's session takes a clear cookie of alice")
	}
}

// TestDokuWikiAbortedLogin breaks the connection off while the wiki answers: nothing is left that opens anything.
func TestDokuWikiAbortedLogin(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw := NewRaw(t, g.URL)
	in := dokuLogin(raw, Alice)
	done, _ := rawPass(t, raw, Jar(in), "", -1)
	jar := Jar(done)
	if a := raw.Get(wiki.Secret, "Cookie: "+jar); !strings.Contains(a.Text, wiki.Marker) {
		t.Fatalf("alice is not in: %s", a.Status)
	}
	body := url.Values{"do": {"login"}, "u": {Bob.Name}, "p": {Bob.Password}}.Encode()
	conn := raw.Dial()
	fmt.Fprintf(conn, "POST /doku.php HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		strings.TrimPrefix(g.URL, "http://"), jar, len(body), body)
	conn.Close()
	ended := false
	for range 100 { // the login may still be on its way
		if a := raw.Get(wiki.Secret, "Cookie: "+jar); !strings.Contains(a.Text, wiki.Marker) {
			ended = true
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !ended {
		t.Error("alice's session outlives bob's login in the same browser")
	}

}

// TestDokuWikiSecondPerson signs another person in within the same browser.
func TestDokuWikiSecondPerson(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	b := OpenBrowser(t)
	wiki.SignIn(b, g.URL, Alice)
	enroll(t, b, -1)
	logout(t, b, g, wiki)
	wiki.SignIn(b, g.URL, Bob)
	if !onChallenge(b) || !b.Has("svg.qr") {
		t.Fatalf("bob, who never bound anything, is at %s:\n%s", b.URL(), b.Page())
	}
	b.Goto(g.URL + "/lib/exe/css.php") // an asset is public, but a page load meets the challenge
	if !onChallenge(b) {
		t.Errorf("a page load of a pending login goes to %s", b.URL())
	}
	b.Follow(".cancel button")
	b.Goto(g.URL + wiki.Secret)
	if onChallenge(b) || strings.Contains(b.Page(), wiki.Marker) {
		t.Errorf("after the cancel the browser is at %s:\n%s", b.URL(), b.Page())
	}
}

// TestDokuWikiKill kills the gateway and finds sessions, bindings and used codes again.
func TestDokuWikiKill(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, threeLines("wiki", "dokuwiki"), wiki)
	raw := NewRaw(t, g.URL)
	done, key := rawPass(t, raw, Jar(dokuLogin(raw, Alice)), "", 0)
	g.Kill9()
	g.Restart()
	if a := raw.Get(wiki.Secret, "Cookie: "+Jar(done)); !strings.Contains(a.Text, wiki.Marker) {
		t.Errorf("the session is gone: %s", a.Status)
	}
	again, _ := rawTry(t, raw, Jar(dokuLogin(raw, Alice)), key, 0)
	if again.StatusCode == 303 {
		t.Error("a used code is good again after a restart")
	}
}
