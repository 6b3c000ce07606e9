//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Letter is a message that came to somebody, by whichever way.
type Letter struct {
	To, Subject, Text string
	read              bool
}

// inbox is what came.
type inbox struct {
	mu   sync.Mutex
	came []*Letter
}

func (i *inbox) put(l Letter) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.came = append(i.came, &l)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// Code waits for the next code to somebody that was not read yet, and reads it as a person does: in the text.
func (i *inbox) Code(t testing.TB, to string) (code string) {
	t.Helper()
	eventually(t, "a code for "+to, 15*time.Second, func() bool {
		code = ""
		i.unread(to, func(l *Letter) bool {
			code = sixDigits.FindString(l.Text)
			return code != ""
		})
		return code != ""
	})
	return code
}

// Told waits for an announcement to somebody that holds a text, and was not read yet.
func (i *inbox) Told(t testing.TB, to, text string) {
	t.Helper()
	eventually(t, to+" is told "+text, 15*time.Second, func() bool {
		return i.unread(to, func(l *Letter) bool { return strings.Contains(l.Subject+"\n"+l.Text, text) })
	})
}

// unread reads the first letter to somebody that is meant.
func (i *inbox) unread(to string, meant func(*Letter) bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.came {
		if l.To == to && !l.read && meant(l) {
			l.read = true
			return true
		}
	}
	return false
}

// Count is how many letters came to somebody.
func (i *inbox) Count(to string) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.came {
		if l.To == to {
			n++
		}
	}
	return n
}

// Provider sends SMS, or would: it keeps what it is given.
type Provider struct {
	inbox
	Addr   string
	t      testing.TB
	server *http.Server
	mood   sync.Mutex
	does   http.HandlerFunc
}

// StartProvider runs a provider on loopback.
func StartProvider(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{t: t, Addr: "127.0.0.1:0"}
	p.Start()
	t.Cleanup(p.Stop)
	return p
}

// Start takes requests, at the address of before.
func (p *Provider) Start() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.Addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Addr = listener.Addr().String()
	p.server = &http.Server{Handler: p}
	go func() { _ = p.server.Serve(listener) }()
}

// Stop ends it at once: nobody answers there.
func (p *Provider) Stop() { _ = p.server.Close() }

// Does changes how it answers; nil is as it should.
func (p *Provider) Does(answer http.HandlerFunc) {
	p.mood.Lock()
	defer p.mood.Unlock()
	p.does = answer
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mood.Lock()
	does := p.does
	p.mood.Unlock()
	if does == nil {
		does = p.take
	}
	does(w, r)
}

func (p *Provider) take(w http.ResponseWriter, r *http.Request) {
	var sms struct{ To, Text string }
	if err := json.NewDecoder(r.Body).Decode(&sms); err != nil || r.Header.Get("Authorization") != "Bearer s3cret" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.put(Letter{To: sms.To, Text: sms.Text})
	w.WriteHeader(http.StatusAccepted)
}

// Lines configure it.
func (p *Provider) Lines() string {
	return `sms http://` + p.Addr + `/send {
			header Authorization "Bearer s3cret"
			body ` + "`" + `{"to":"{sms.number}","text":"{sms.text}"}` + "`" + `
			success status 202
		}
`
}

// Mailbox is a real SMTP server that keeps what it is given.
type Mailbox struct {
	inbox
	Addr string

	mood sync.Mutex
	lost bool
}

// StartMailbox runs one on loopback.
func StartMailbox(t testing.TB) *Mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Mailbox{Addr: listener.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{box: m}, nil }))
	server.Domain = "localhost"
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return m
}

// Loses makes it lose what it takes, or not.
func (m *Mailbox) Loses(all bool) {
	m.mood.Lock()
	defer m.mood.Unlock()
	m.lost = all
}

// Lines configure it.
func (m *Mailbox) Lines() string {
	return `mail ` + m.Addr + ` {
			from "Example Security <security@example.com>"
			tls none
		}
`
}

// delivery is one connection; go-smtp calls it a session.
type delivery struct {
	box *Mailbox
	to  string
}

// Mail implements smtp.Session.
func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	return nil
}

// Data implements smtp.Session.
func (d *delivery) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	d.box.mood.Lock()
	defer d.box.mood.Unlock()
	if d.box.lost {
		return nil
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	d.box.put(Letter{To: d.to, Subject: subject, Text: string(text)})
	return err
}

// Reset implements smtp.Session.
func (d *delivery) Reset() { d.to = "" }

// Logout implements smtp.Session.
func (*delivery) Logout() error { return nil }
