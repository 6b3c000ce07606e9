package notify

import (
	"net/http"
	"strings"
	"testing"
)

func TestTemplateValidate(t *testing.T) {
	ok := func(change func(*HTTPTemplate)) *HTTPTemplate {
		c := &HTTPTemplate{URL: "https://sms.example.com/send", Body: `{"to":"{sms.number}","text":"{sms.text}"}`}
		change(c)
		return c
	}
	for want, c := range map[string]*HTTPTemplate{
		"":                             ok(func(*HTTPTemplate) {}),
		"not encrypted":                ok(func(c *HTTPTemplate) { c.URL = "http://sms.example.com/send" }),
		"not encrypted: use":           ok(func(c *HTTPTemplate) { c.URL = "http://127.0.0.1.example.com/" }),
		"no address":                   ok(func(c *HTTPTemplate) { c.URL = "sms.example.com" }),
		"no address like":              ok(func(c *HTTPTemplate) { c.URL = "https://user:secret@sms.example.com/" }),
		"{sms.nummer}":                 ok(func(c *HTTPTemplate) { c.Body = `{"to":"{sms.nummer}"}` }),
		"in the query":                 ok(func(c *HTTPTemplate) { c.URL += "/{sms.number}" }),
		"none of GET, POST and PUT":    ok(func(c *HTTPTemplate) { c.Method = "get" }),
		"a GET has none":               ok(func(c *HTTPTemplate) { c.Method = http.MethodGet }),
		"where the number":             ok(func(c *HTTPTemplate) { c.Body = `{"text":"{sms.text}"}` }),
		"where the text":               ok(func(c *HTTPTemplate) { c.Body = `{"to":"{sms.number}"}` }),
		"this is no JSON":              ok(func(c *HTTPTemplate) { c.Body = `{"to":"{sms.number}","text":{sms.text}}` }),
		"into a body of type":          ok(func(c *HTTPTemplate) { c.Headers = map[string]string{"Content-Type": "text/xml"} }),
		"has a placeholder":            ok(func(c *HTTPTemplate) { c.Headers = map[string]string{"X-To": "{sms.number}"} }),
		"is no header":                 ok(func(c *HTTPTemplate) { c.Headers = map[string]string{"X-To": "a\r\nX: b"} }),
		"with its value is no header:": ok(func(c *HTTPTemplate) { c.Headers = map[string]string{"X To": "a"} }),
		"no status":                    ok(func(c *HTTPTemplate) { c.Success.Status = []int{2000} }),
		"a pointer and the value":      ok(func(c *HTTPTemplate) { c.Success.JSON = map[string]string{"status": "1"} }),
	} {
		mustSay(t, c.Validate(), want)
	}
	for _, at := range []string{"http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost/", "http://sms.localhost/"} {
		mustSay(t, ok(func(c *HTTPTemplate) { c.URL = at }).Validate(), "")
	}
}

func mustSay(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPresetsValidate(t *testing.T) {
	tw, al := Twilio{"AC1", "t", "+1", ""}, Aliyun{"a", "b", "c", "d", "", ""}
	mustSay(t, tw.Validate(), "")
	mustSay(t, al.Validate(), "")
	for want, c := range map[string]Twilio{"which account": {"", "t", "+1", ""}, "as `account": {"AC/../x", "t", "+1", ""}, "auth token": {"AC1", "", "+1", ""},
		"what number": {"AC1", "t", "", ""}, "not encrypted": {"AC1", "t", "+1", "http://api.twilio.com"}} {
		mustSay(t, c.Validate(), want)
	}
	for want, c := range map[string]Aliyun{"access key": {"", "b", "c", "d", "", ""}, "RAM user": {"a", "", "c", "d", "", ""}, "signature": {"a", "b", "", "d", "", ""},
		"template": {"a", "b", "c", "", "", ""}, "not encrypted": {"a", "b", "c", "d", "", "http://dysmsapi.aliyuncs.com"}, "one word": {"a\nb", "b", "c", "d", "", ""}} {
		mustSay(t, c.Validate(), want)
	}
}

func TestSMTPValidate(t *testing.T) {
	ok := SMTP{Address: "smtp.example.com:587", From: "Example <a@example.com>", Username: "u", Password: "p"}
	mustSay(t, ok.Validate(), "")
	for want, change := range map[string]func(*SMTP){
		"write host and port":         func(s *SMTP) { s.Address = "smtp.example.com" },
		"no address of a server":      func(s *SMTP) { s.Address = ":587" },
		"as `mail smtp":               func(s *SMTP) { s.Address = "smtp.example.com:http" },
		"say who":                     func(s *SMTP) { s.From = "" },
		"no mail address":             func(s *SMTP) { s.From = "Example" },
		"is no mail address":          func(s *SMTP) { s.From = "a@example.com\r\nBcc: b@example.com" },
		"none of":                     func(s *SMTP) { s.TLS = "ssl" },
		"go together":                 func(s *SMTP) { s.Password = "" },
		"in the clear":                func(s *SMTP) { s.TLS = "none" },
		"username and password go to": func(s *SMTP) { s.Username = "" },
	} {
		c := ok
		change(&c)
		mustSay(t, c.Validate(), want)
	}
	for address, want := range map[string]string{"a:465": implicitTLS, "a:587": startTLS, "a:1465": startTLS, "a:25": startTLS} {
		if got := (&SMTP{Address: address}).encryption(); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	near := SMTP{Address: "localhost:25", From: "a@example.com", Username: "u", Password: "p", TLS: noTLS}
	mustSay(t, near.Validate(), "")
	mustSay(t, (&SMTP{Address: "a:25", CA: "/nowhere"}).CheckFiles(), "ca:")
}
