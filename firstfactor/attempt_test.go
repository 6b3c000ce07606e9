package firstfactor

import (
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/match"
)

func formConsole() *Console {
	return &Console{Logins: []Login{{Match: match.Match{Paths: []string{"*"}}, Username: Field{Form: "u"}}}}
}

func jsonConsole() *Console {
	return &Console{Logins: []Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/login"}}, Username: Field{JSON: "/user"}}}}
}

// sent is a request with its body; kind "" sends no Content-Type.
func sent(t testing.TB, method, uri, kind, body string, headers ...string) *match.Request {
	t.Helper()
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	q, err := match.Read(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

const (
	form      = "application/x-www-form-urlencoded"
	multi     = "multipart/form-data; boundary=b"
	jsonType  = "application/json"
	multiHead = "--b\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\nalice\r\n"
)

// TestPoint3LoginsThatReadInTwoWays are 400, each of them.
func TestPoint3LoginsThatReadInTwoWays(t *testing.T) {
	for what, q := range map[string]*match.Request{
		"doubled":                sent(t, "POST", "/", form, "u=alice&u=bob&p=x"),
		"in query and body":      sent(t, "POST", "/?u=alice", form, "u=alice&p=x"),
		"doubled in the query":   sent(t, "GET", "/?u=alice&u=bob", "", ""),
		"an array":               sent(t, "POST", "/", form, "u[]=alice&p=x"),
		"an array beside":        sent(t, "POST", "/", form, "u=alice&u[]=bob"),
		"brackets beside":        sent(t, "POST", "/", form, "u=alice&[u]=bob"),
		"folded by a blank":      sent(t, "POST", "/", form, "+u=alice"),
		"folded by an escape":    sent(t, "POST", "/", form, "u%00x=alice"),
		"a bad escape":           sent(t, "POST", "/", form, "u=alice&x=%zz"),
		"a bad escape in query":  sent(t, "GET", "/?u%00%zz=alice", "", ""),
		"a semicolon":            sent(t, "POST", "/", form, "u=alice;u=bob"),
		"a charset":              sent(t, "POST", "/", form+"; charset=utf-7", "u=alice"),
		"UTF-16":                 sent(t, "POST", "/", form+"; charset=UTF-16", "u=alice"),
		"two content types":      sent(t, "POST", "/", form, "u=alice", "Content-Type", jsonType),
		"a broken content type":  sent(t, "POST", "/", form+"; charset=utf-8; charset=utf-16", "u=alice"),
		"a content type's comma": sent(t, "POST", "/", form+", text/plain", "u=alice"),
		"compressed":             sent(t, "POST", "/", form, "u=alice", "Content-Encoding", "gzip"),
		"oversized":              sent(t, "POST", "/", form, "u=alice&x="+strings.Repeat("x", maxLogin)),
		"multipart doubled":      sent(t, "POST", "/", multi, multiHead+multiHead+"--b--\r\n"),
		"multipart cut":          sent(t, "POST", "/", multi, multiHead),
		"multipart and query":    sent(t, "POST", "/?u=bob", multi, multiHead+"--b--\r\n"),
		"multipart, two names":   sent(t, "POST", "/", multi, multiHead+"--b\r\nContent-Disposition: form-data; name=\"v\"; name=\"u\"\r\n\r\nbob\r\n--b--\r\n"),
		"multipart, encoded":     sent(t, "POST", "/", multi, "--b\r\nContent-Disposition: form-data; name=\"u\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=61lice\r\n--b--\r\n"),
		"multipart, a file":      sent(t, "POST", "/", multi, "--b\r\nContent-Disposition: form-data; name=\"u\"; filename=\"a\"\r\n\r\nalice\r\n--b--\r\n"),
	} {
		if a, err := formConsole().Attempt(q, false); !errors.Is(err, ErrLogin) {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	for what, body := range map[string]string{
		"doubled": `{"user":"alice","user":"bob"}`, "doubled by case": `{"user":"alice","USER":"bob"}`, "doubled by escape": `{"user":"alice","\u0075ser":"bob"}`,
		"doubled by folding": `{"user":"alice","uſer":"bob"}`, "nested doubled": `{"user":"alice","x":{"a":1,"a":2}}`, "in an array": `{"user":"alice","x":[{"a":1,"a":2}]}`,
		"two documents": `{"user":"alice"}{"user":"bob"}`, "cut": `{"user":"alice"`, "a mark in front": "\ufeff" + `{"user":"alice"}`, "deep": strings.Repeat("[", 60000),
		"other spelling": `{"USER":"alice"}`,
	} {
		if a, err := jsonConsole().Attempt(sent(t, "POST", "/login", jsonType, body), false); !errors.Is(err, ErrLogin) {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
}

func TestPoint2LoginsAreSeen(t *testing.T) {
	for what, q := range map[string]*match.Request{
		"a form": sent(t, "POST", "/any", form, "u=alice&p=x"), "a query": sent(t, "GET", "/any?u=alice&p=x", "", ""),
		"an escaped name": sent(t, "POST", "/any", form, "%75=alice"), "a form with a charset": sent(t, "POST", "/any", form+"; charset=UTF-8", "u=alice"),
		"multipart": sent(t, "POST", "/any", multi, multiHead+"--b--\r\n"), "a body of a GET": sent(t, "GET", "/any", form, "u=alice"),
		"after a semicolon": sent(t, "GET", "/any?x;u=alice", "", ""), "a PUT": sent(t, "PUT", "/any", form, "u=alice"),
		"a form in capitals": sent(t, "POST", "/any", "Application/X-WWW-Form-Urlencoded", "u=alice"),
	} {
		a, err := formConsole().Attempt(q, false)
		if err != nil || a == nil || a.Typed != "alice" {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	a, err := jsonConsole().Attempt(sent(t, "POST", "/login", "application/vnd.api+json; charset=utf-8", `{"user":"alice","x":[1,{"user":2}]}`), false)
	if err != nil || a == nil || a.Typed != "alice" {
		t.Errorf("json: %+v, %v", a, err)
	}
}

// TestPoint2FieldsWithBrackets: Rails and Devise name them so.
func TestPoint2FieldsWithBrackets(t *testing.T) {
	c := formConsole()
	c.Logins[0].Username.Form = "user[login]"
	a, err := c.Attempt(sent(t, "POST", "/", form, "user[login]=alice&user[password]=x&tags[]=1&tags[]=2"), false)
	if err != nil || a == nil || a.Typed != "alice" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, body := range []string{"user[login]=alice&user[login]=bob", "user[login]=alice&+user[login]=bob", "user%00[login]=x&user[login]=alice&user[login]=b"} {
		if a, err := c.Attempt(sent(t, "POST", "/", form, body), false); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestNoLoginLeavesTheRequestAlone(t *testing.T) {
	for what, q := range map[string]*match.Request{
		"no field": sent(t, "POST", "/x", form, "a=1&b=2"), "no body": sent(t, "GET", "/x?a=1", "", ""),
		"an upload": sent(t, "POST", "/x", "image/png", "u=alice"), "plain text": sent(t, "POST", "/x", "text/plain", "u=alice"),
	} {
		before, _ := io.ReadAll(q.Body)
		q.Body = io.NopCloser(strings.NewReader(string(before)))
		a, err := formConsole().Attempt(q, false)
		after, _ := io.ReadAll(q.Body)
		if a != nil || err != nil || string(before) != string(after) {
			t.Errorf("%s: %+v, %v, body %q", what, a, err, after)
		}
	}
}

// TestVerifiedUploadsPass: what is no login passes inside a session, whatever
// its size and encoding, byte for byte.
func TestVerifiedUploadsPass(t *testing.T) {
	long := "a=" + strings.Repeat("x", 3*maxLogin)
	for what, q := range map[string]*match.Request{
		"a long form": sent(t, "POST", "/", form, long), "an upload": sent(t, "POST", "/", "image/png", long, "Content-Encoding", "br"),
		"multipart": sent(t, "POST", "/", multi, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"+long+"\r\n--b--\r\n"),
		"json":      sent(t, "POST", "/", jsonType, "{"),
	} {
		want, _ := io.ReadAll(q.Body)
		q.Body = io.NopCloser(strings.NewReader(string(want)))
		a, err := formConsole().Attempt(q, true)
		got, _ := io.ReadAll(q.Body)
		if a != nil || err != nil || string(got) != string(want) {
			t.Errorf("%s: %+v, %v, %d bytes of %d", what, a, err, len(got), len(want))
		}
	}
}

func TestABodyThatBreaksOffIsNoLogin(t *testing.T) {
	q := sent(t, "POST", "/", form, "u=alice")
	q.Body = io.NopCloser(io.MultiReader(strings.NewReader("u=alice"), broken{}))
	if a, err := formConsole().Attempt(q, false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%+v, %v", a, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzAttempt: a lenient console that finds a name in a body must not find
// another than we do, and must not find one where we find no login.
func FuzzAttempt(f *testing.F) {
	for _, body := range []string{"u=alice&p=x", "u=alice&u=bob", "%75=x&u%00=y", "a;u=1", "u[=1&u]=2", "u%00%zz=1"} {
		f.Add(body)
	}
	c := formConsole()
	f.Fuzz(func(t *testing.T, body string) {
		a, err := c.Attempt(sent(t, "POST", "/", form, body), false)
		if err != nil {
			return
		}
		found := phpNames(body, "u")
		if a == nil && len(found) > 0 || a != nil && !slices.Contains([]string{"", a.Typed}, strings.Join(found, "&")) {
			t.Errorf("%q: we see %+v, the console may see %q", body, a, found)
		}
	})
}

// phpNames are the values that PHP may find under a name.
func phpNames(body, want string) (values []string) {
	for _, pair := range strings.Split(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if match.FoldName(name) == want {
			if v, err := url.QueryUnescape(value); err == nil {
				value = v
			}
			values = append(values, value)
		}
	}
	return values
}
