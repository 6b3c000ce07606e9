package notify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"mime"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

var letter = Message{Channel: Mail, To: "alice@example.com", Lang: "zh", Subject: "验证码 482913", Text: "Ihr Code: 482913\n.\nGrüße, 你好\n", Code: "482913", Purpose: "login"}

// The mail as a server gets it: from, to, headers, text.
func TestMail(t *testing.T) {
	for _, how := range []string{startTLS, implicitTLS, noTLS} {
		t.Run(how, func(t *testing.T) {
			box := newMailbox(t, how)
			if err := box.client().Carry(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			got := box.only(t)
			if got.from != "security@example.com" || got.to != "alice@example.com" || got.encrypted != (how != noTLS) || got.user != "mailer" {
				t.Errorf("%+v", got)
			}
			checkLetter(t, got.data)
		})
	}
}

func checkLetter(t *testing.T, data []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"From": `"Example Sicherheit" <security@example.com>`, "To": "<alice@example.com>", "Auto-Submitted": "auto-generated",
		"Mime-Version": "1.0", "Content-Type": "text/plain; charset=UTF-8", "X-Mailer": "", "User-Agent": ""} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != letter.Subject {
		t.Errorf("%q, %v", subject, err)
	}
	date, err := m.Header.Date()
	if err != nil || time.Since(date).Abs() > time.Minute {
		t.Errorf("%v, %v", date, err)
	}
	if id := m.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || len(id) < 30 {
		t.Errorf("Message-ID: %s", id)
	}
	if got := decoded(t, m); strings.ReplaceAll(got, "\r\n", "\n") != letter.Text {
		t.Errorf("%q", got)
	}
}

// No address and no subject makes a header, a recipient or a line more.
func TestNoHeaderInjection(t *testing.T) {
	box := newMailbox(t, startTLS)
	for _, to := range []string{"alice@example.com\r\nBcc: eve@example.com", "alice@example.com, eve@example.com", "alice@example.com\nRCPT TO:<eve@example.com>",
		"Alice <alice@example.com>", "<alice@example.com>", "alice@example.com>\r\nDATA", "alice@example.com\x00", "", "alice", "\"a\r\nb\"@example.com"} {
		m := letter
		m.To = to
		if err := box.client().Carry(t.Context(), m); kind(err) != Refused || err == nil || to != "" && strings.Contains(err.Error(), to) {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, subject := range []string{"Hi\r\nBcc: eve@example.com", "Hi\nX-Eve: 1\n\nbody", "Hi\r\n\r\n<b>body</b>", "Grüße\r\nBcc: eve@example.com", "Hi\u2028Bcc: eve", "Hi\x00\x0bBcc: e",
		strings.Repeat("ä\r\nBcc: eve@example.com ", 20)} {
		m := letter
		m.Subject = subject
		if err := box.client().Carry(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	m := letter
	m.Text = "a\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\nhi\r\n.\r\n"
	if err := box.client().Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	all := box.all()
	if len(all) != 8 {
		t.Errorf("%d mails came", len(all))
	}
	for _, got := range all {
		parsed, err := mail.ReadMessage(bytes.NewReader(got.data))
		if err != nil {
			t.Fatal(err)
		}
		if len(parsed.Header) != 9 || got.to != "alice@example.com" || strings.ContainsAny(parsed.Header.Get("Subject"), "\r\n\x00") {
			t.Errorf("%q", parsed.Header)
		}
	}
}

// A server without encryption, with a foreign certificate or with an old
// protocol gets neither mail nor password.
func TestMailWantsTLS(t *testing.T) {
	plain, secure := newMailbox(t, noTLS), newMailbox(t, startTLS)
	for name, c := range map[string]*SMTP{
		"offers_none":      {Address: plain.address, TLS: startTLS, CA: secure.ca},
		"foreign":          {Address: secure.address, TLS: startTLS},
		"implicit_of_it":   {Address: secure.address, TLS: implicitTLS, CA: secure.ca},
		"another_name":     {Address: strings.Replace(secure.address, "localhost", "127.0.0.2", 1), TLS: startTLS, CA: secure.ca},
		"implicit_to_none": {Address: plain.address, TLS: implicitTLS, CA: secure.ca},
	} {
		t.Run(name, func(t *testing.T) {
			c.From, c.Username, c.Password = "security@example.com", "mailer", "s3cret"
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Carry(ctx, letter); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v", err)
			}
		})
	}
	for _, box := range []*mailbox{plain, secure} {
		if len(box.all()) != 0 || box.tried() != 0 {
			t.Errorf("%d mails, %d passwords", len(box.all()), box.tried())
		}
	}
}

// What a server says, and what it means.
func TestMailRefused(t *testing.T) {
	reply := func(code int) error { return &smtp.SMTPError{Code: code, Message: "no, alice@example.com"} }
	for name, c := range map[string]struct {
		set  func(*mailbox)
		kind Kind
	}{
		"recipient":           {func(b *mailbox) { b.onRcpt = reply(550) }, Refused},
		"recipient_later":     {func(b *mailbox) { b.onRcpt = reply(452) }, Deferred},
		"sender":              {func(b *mailbox) { b.onMail = reply(553) }, Broken},
		"sender_later":        {func(b *mailbox) { b.onMail = reply(451) }, Temporary},
		"content":             {func(b *mailbox) { b.onData = reply(554) }, Refused},
		"content_later":       {func(b *mailbox) { b.onData = reply(451) }, Temporary},
		"password":            {func(b *mailbox) { b.password = "another" }, Broken},
		"session":             {func(b *mailbox) { b.onSession = reply(421) }, Temporary},
		"dies_at_recipient":   {func(b *mailbox) { b.dieAt = "rcpt" }, Temporary},
		"dies_after_the_text": {func(b *mailbox) { b.dieAt = "data" }, Unclear},
		"slow_at_recipient":   {func(b *mailbox) { b.slowAt = "rcpt" }, Temporary},
		"slow_after_the_text": {func(b *mailbox) { b.slowAt = "data" }, Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, startTLS)
			c.set(box)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			err := box.client().Carry(ctx, letter)
			if err == nil || kind(err) != c.kind {
				t.Errorf("%v (%d)", err, kind(err))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A mail that was taken was sent, whatever happens to the farewell.
func TestMailTakenThenDead(t *testing.T) {
	box := newMailbox(t, startTLS)
	box.dieAt = "reset"
	if err := box.client().Carry(t.Context(), letter); err != nil || len(box.all()) != 1 {
		t.Errorf("%v, %d mails", err, len(box.all()))
	}
}

func TestMailNobodyThere(t *testing.T) {
	box := newMailbox(t, startTLS)
	box.stop()
	if err := box.client().Carry(t.Context(), letter); kind(err) != Temporary || err == nil {
		t.Errorf("%v (%d)", err, kind(err))
	}
}

// A server that takes the connection and says nothing, or talks without end,
// holds a worker no longer than one try.
func TestMailSilent(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"silent":  func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"endless": func(c net.Conn) { endless(c) },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "localhost:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go talk(c)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			s := &SMTP{Address: l.Addr().String(), From: "a@example.com", TLS: noTLS}
			if err := s.Carry(ctx, letter); err == nil || kind(err) != Temporary || time.Since(start) > 5*time.Second {
				t.Errorf("%v (%d) after %v", err, kind(err), time.Since(start))
			}
		})
	}
}

func endless(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		if _, err := io.WriteString(c, "220-more to come\r\n"); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Connections end with their mail, also those that never got so far.
func TestMailLeavesNoConnection(t *testing.T) {
	wrong, plain := newMailbox(t, startTLS), newMailbox(t, noTLS)
	wrong.password, plain.how = "another", startTLS
	for _, box := range []*mailbox{wrong, plain} {
		for range 5 {
			if err := box.client().Carry(t.Context(), letter); err == nil {
				t.Fatal("a mail was sent")
			}
		}
		for range 100 {
			if box.open() == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if n := box.open(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	}
}

// All of it at once: the courier, the second try, the log.
func TestCourierSendsMail(t *testing.T) {
	box := newMailbox(t, startTLS)
	var text bytes.Buffer
	box.onRcpt, box.once = &smtp.SMTPError{Code: 451, Message: "later: <Alice@Example.com> 482913"}, true
	c := New(Options{Mail: box.client(), Log: slog.New(slog.NewTextHandler(&text, nil))})
	mustSend(t, c, letter)
	time.Sleep(100 * time.Millisecond)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	checkLetter(t, box.only(t).data)
	for _, secret := range []string{"482913", "alice@", "Alice@", "s3cret", "Code"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, &text)
		}
	}
	if !strings.Contains(text.String(), "a message was sent") {
		t.Errorf("%s", &text)
	}
}

var errDead = errors.New("the server died")

var quiet = log.New(io.Discard, "", 0)
