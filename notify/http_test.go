package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nasty is what somebody could want to get out of its place.
const nasty = "\",\"to\":\"+1900\"}&To=%2B1900\\\r\n{sms.code}</text>\u2028 ä 验证码"

func provider(t *testing.T, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/send"
}

func jsonTemplate(at string) *HTTPTemplate {
	return &HTTPTemplate{URL: at, Body: `{"to":"{sms.number}","from":"{sms.digits}","text":"{sms.text}","code":"{sms.code}","lang":"{sms.lang}"}`}
}

// Whatever a value holds, it stays one value, in each kind of request.
func TestValuesStayInPlace(t *testing.T) {
	m := Message{To: hello.To, Text: nasty, Code: nasty, Lang: nasty}
	var got map[string]string
	at := provider(t, func(_ http.ResponseWriter, r *http.Request) {
		got = map[string]string{"method": r.Method}
		if strings.HasPrefix(r.Header.Get("Content-Type"), jsonBody) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		for name, values := range r.Form {
			if len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
			got[name] = values[0]
		}
	})
	const form = "to={sms.number}&from={sms.digits}&text={sms.text}&code={sms.code}&lang={sms.lang}"
	for name, c := range map[string]*HTTPTemplate{
		"json": jsonTemplate(at),
		"form": {URL: at, Headers: map[string]string{"content-type": formBody + "; charset=utf-8"}, Body: form},
		"get":  {URL: at + "?" + form, Method: http.MethodGet},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := c.Carry(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]string{"to": hello.To, "from": hello.To[1:], "text": nasty, "code": nasty, "lang": nasty} {
				if got[field] != want {
					t.Errorf("%s: %q", field, got[field])
				}
			}
		})
	}
}

func TestRequestAsConfigured(t *testing.T) {
	at := provider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != jsonBody || string(body) != `{"to":"+491701234567","code":"482913"}` {
			t.Errorf("%s %v %s", r.Method, r.Header, body)
		}
		w.WriteHeader(http.StatusAccepted)
	})
	c := &HTTPTemplate{URL: at, Method: http.MethodPut, Headers: map[string]string{"Authorization": "Bearer secret"}, Body: `{"to":"{sms.number}","code":"{sms.code}"}`}
	if err := c.Carry(t.Context(), hello); err != nil {
		t.Error(err)
	}
	if c.Carries(Message{Text: "Something changed."}) {
		t.Error("without {sms.text} only codes can be sent")
	}
}

func TestAnswers(t *testing.T) {
	accepted := Success{Status: []int{200, 202}, JSON: map[string]string{"/messages/0/status": "0", "/id": "*"}}
	for name, c := range map[string]struct {
		success Success
		status  int
		body    string
		ok      bool
		kind    Kind
	}{
		"any_2xx":         {Success{}, 204, "", true, 0},
		"all_of_it":       {accepted, 202, `{"messages":[{"status":0}],"id":7}`, true, 0},
		"other_status":    {accepted, 201, `{"messages":[{"status":"0"}],"id":7}`, false, Refused},
		"other_value":     {accepted, 200, `{"messages":[{"status":"4"}],"id":7}`, false, Refused},
		"value_missing":   {accepted, 200, `{"messages":[],"id":7}`, false, Refused},
		"any_but_nothing": {accepted, 200, `{"messages":[{"status":"0"}],"id":null}`, false, Refused},
		"no_json":         {accepted, 200, `<html>`, false, Refused},
		"bad_number":      {Success{}, 400, `{}`, false, Refused},
		"unauthorized":    {Success{}, 401, "", false, Broken},
		"no_money":        {Success{}, 402, "", false, Broken},
		"moved":           {Success{}, 308, "", false, Broken},
		"too_many":        {Success{}, 429, "", false, Deferred},
		"error":           {Success{}, 500, "", false, Temporary},
		"away":            {Success{}, 503, "", false, Temporary},
		"somewhere":       {Success{}, 504, "", false, Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			at := provider(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			template := jsonTemplate(at)
			template.Success = c.success
			err := template.Carry(t.Context(), hello)
			if (err == nil) != c.ok || err != nil && kind(err) != c.kind {
				t.Errorf("%v (%d)", err, kind(err))
			}
		})
	}
}

// A redirect would carry number, code and token elsewhere.
func TestNoRedirect(t *testing.T) {
	var asked atomic.Int32
	elsewhere := provider(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		at := provider(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
		if err := jsonTemplate(at).Carry(t.Context(), hello); err == nil || kind(err) != Broken {
			t.Errorf("%d: %v", status, err)
		}
	}
	if asked.Load() != 0 {
		t.Error("the other server was asked")
	}
}

func TestAnswerIsBounded(t *testing.T) {
	var written atomic.Int64
	at := provider(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil && written.Load() < 1<<30 {
			n, err := w.Write(make([]byte, 1<<20))
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := jsonTemplate(at).Carry(ctx, hello); err != nil {
		t.Error(err)
	}
	if written.Load() > 256<<20 {
		t.Errorf("%d bytes were taken", written.Load())
	}
}

// What was not connected was not sent. What was may have been, however it
// ended.
func TestConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + listener.Addr().String()
	_ = listener.Close()
	plain := strings.Replace(provider(t, func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }), "http:", "https:", 1)
	stop := make(chan struct{})
	hanging := provider(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	defer close(stop)
	closing := provider(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	half := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
		panic(http.ErrAbortHandler)
	})
	for name, c := range map[string]struct {
		at   string
		kind Kind
	}{"refusing": {refusing, Temporary}, "no_tls": {plain, Temporary}, "hanging": {hanging, Unclear}, "closing": {closing, Unclear}, "half": {half, Unclear}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			template := jsonTemplate(c.at)
			template.URL += "?number={sms.number}&token=s3cret"
			err := template.Carry(ctx, hello)
			if err == nil || kind(err) != c.kind {
				t.Fatalf("%v (%d)", err, kind(err))
			}
			if text := err.Error(); strings.Contains(text, "49170") || strings.Contains(text, "s3cret") || strings.Contains(text, hello.Code) {
				t.Errorf("the error has %s", text)
			}
		})
	}
}

// A provider that answers 500 is asked once more; one that took the message and
// says so late or not at all is not.
func TestNoSecondSMS(t *testing.T) {
	var spoken bytes.Buffer // in Go's own log
	log.SetOutput(&spoken)
	defer log.SetOutput(os.Stderr)
	asked := make(map[string]*atomic.Int32)
	cases := map[string]struct {
		answer http.HandlerFunc
		want   int32
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 2},
		"200": {func(http.ResponseWriter, *http.Request) {}, 1},
		"200_twice": {func(w http.ResponseWriter, _ *http.Request) { // a duplicate behind the answer
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
			_, _ = io.WriteString(conn, ok+ok)
		}, 1},
		"closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1},
		"slow":   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1},
	}
	for name, c := range cases {
		n := new(atomic.Int32)
		asked[name] = n
		at := provider(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			c.answer(w, r)
		})
		courier := New(Options{SMS: jsonTemplate(at), SMSTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
		mustSend(t, courier, hello)
		defer func() { _ = courier.Close() }()
	}
	time.Sleep(3 * time.Second) // a try, the pause, another
	for name, c := range cases {
		if got := asked[name].Load(); got != c.want {
			t.Errorf("%s: it was asked %d times", name, got)
		}
	}
	if spoken.Len() > 0 {
		t.Errorf("past our log: %s", &spoken)
	}
}

func TestTwilio(t *testing.T) {
	var got url.Values
	at := provider(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if err := r.ParseForm(); err != nil || r.URL.Path != "/2010-04-01/Accounts/AC1/Messages.json" || user != "AC1" || password != "s3cret" || r.Method != http.MethodPost {
			t.Errorf("%v %s %s %s", err, r.URL, user, password)
		}
		got = r.PostForm
		if got.Get("To") == "+15005550001" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"code":21211,"message":"The 'To' number +15005550001 is not valid."}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, `{"sid":"SM1","status":"queued"}`)
	})
	for from, field := range map[string]string{"+15005550006": "From", "MG0123": "MessagingServiceSid"} {
		tw := &Twilio{Account: "AC1", Token: "s3cret", From: from, Endpoint: strings.TrimSuffix(at, "send")}
		m := hello
		m.Text = nasty
		if err := tw.Validate(); err != nil {
			t.Fatal(err)
		}
		if err := tw.Carry(t.Context(), m); err != nil || len(got) != 3 || got.Get("To") != m.To || got.Get("Body") != nasty || got.Get(field) != from {
			t.Errorf("%v, %v", err, got)
		}
		m.To = "+15005550001"
		if err := tw.Carry(t.Context(), m); kind(err) != Refused || !strings.Contains(err.Error(), "21211") || strings.Contains(err.Error(), "1500") {
			t.Errorf("%v", err)
		}
	}
}

// Secrets of the configuration reach no log, whatever happens to a request.
func TestLogHoldsNoToken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + listener.Addr().String()
	_ = listener.Close()
	for _, carrier := range []Carrier{
		&HTTPTemplate{URL: at + "/?key=t0ken&to={sms.number}&text={sms.text}", Method: http.MethodGet, Headers: map[string]string{"Authorization": "t0ken"}},
		&Twilio{Account: "AC1", Token: "t0ken", From: "x", Endpoint: at},
		&Aliyun{AccessKeyID: "AK", AccessKeySecret: "t0ken", SignName: "x", TemplateCode: "x", Endpoint: at},
	} {
		var log bytes.Buffer
		c := New(Options{SMS: carrier, Log: slog.New(slog.NewTextHandler(&log, nil))})
		mustSend(t, c, hello)
		if err := c.Close(); err != nil { // after both tries
			t.Fatal(err)
		}
		if text := log.String(); !strings.Contains(text, "refused") || strings.Contains(text, "t0ken") || strings.Contains(text, "49170") || strings.Contains(text, hello.Code) {
			t.Errorf("%T: %s", carrier, text)
		}
	}
}
