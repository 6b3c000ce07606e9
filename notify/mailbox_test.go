package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailbox is a real SMTP server that can be told to misbehave, and what came to
// it.
type mailbox struct {
	how, address, ca          string
	password                  string
	onSession, onMail, onRcpt error
	onData                    error
	once                      bool   // onRcpt holds for the first mail only
	dieAt, slowAt             string // rcpt, data or reset
	server                    *smtp.Server
	listener                  net.Listener
	ended                     chan struct{}

	mu        sync.Mutex
	mails     []received
	passwords int
	conns     map[*smtp.Conn]bool
}

type received struct {
	from, to, user string
	encrypted      bool
	data           []byte
}

func newMailbox(t *testing.T, how string) *mailbox {
	t.Helper()
	b := &mailbox{how: how, password: "s3cret", ended: make(chan struct{}), conns: make(map[*smtp.Conn]bool)}
	b.server = smtp.NewServer(smtp.BackendFunc(b.session))
	b.server.Domain, b.server.ErrorLog = "localhost", quiet
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	b.address = "localhost:" + port
	if how == noTLS {
		b.server.AllowInsecureAuth = true
	} else {
		b.server.TLSConfig = b.certificate(t)
	}
	if how == implicitTLS {
		l = tls.NewListener(l, b.server.TLSConfig)
	}
	b.listener = l
	go func() { _ = b.server.Serve(l) }()
	t.Cleanup(b.stop)
	return b
}

func (b *mailbox) stop() {
	select {
	case <-b.ended:
	default:
		close(b.ended)
		_, _ = b.server.Close(), b.listener.Close()
	}
}

// certificate is one for localhost that only the file ca makes trusted.
func (b *mailbox) certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(b.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: nil}
}

func (b *mailbox) client() *SMTP {
	return &SMTP{Address: b.address, From: "Example Sicherheit <security@example.com>", Username: "mailer", Password: "s3cret", TLS: b.how, CA: b.ca}
}

func (b *mailbox) all() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mails
}

func (b *mailbox) only(t *testing.T) received {
	t.Helper()
	all := b.all()
	if len(all) != 1 {
		t.Fatalf("%d mails came", len(all))
	}
	return all[0]
}

func (b *mailbox) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passwords
}

func (b *mailbox) open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

func (b *mailbox) session(c *smtp.Conn) (smtp.Session, error) {
	if b.onSession != nil {
		return nil, b.onSession
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[c] = true
	return &visit{box: b, conn: c}, nil
}

// visit is one connection; go-smtp calls it a session.
type visit struct {
	box  *mailbox
	conn *smtp.Conn
	mail received
}

// reach is where the server misbehaves.
func (v *visit) reach(where string) error {
	if v.box.slowAt == where {
		<-v.box.ended
	}
	if v.box.dieAt == where {
		_ = v.conn.Conn().Close()
		return errDead
	}
	return nil
}

// AuthMechanisms implements smtp.AuthSession.
func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		v.box.mu.Lock()
		v.box.passwords++
		v.box.mu.Unlock()
		if user != "mailer" || password != v.box.password {
			return smtp.ErrAuthFailed
		}
		v.mail.user = user
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	v.mail.from = from
	return v.box.onMail
}

// Rcpt implements smtp.Session.
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.box.mu.Lock()
	err := v.box.onRcpt
	if v.box.once {
		v.box.onRcpt = nil
	}
	v.box.mu.Unlock()
	if err != nil {
		return err
	}
	v.mail.to += to
	return v.reach("rcpt")
}

// Data implements smtp.Session.
func (v *visit) Data(r io.Reader) (err error) {
	if v.mail.data, err = io.ReadAll(r); err != nil {
		return err
	}
	if v.box.onData != nil {
		return v.box.onData
	}
	if err := v.reach("data"); err != nil {
		return err
	}
	_, v.mail.encrypted = v.conn.TLSConnectionState()
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	v.box.mails = append(v.box.mails, v.mail)
	return nil
}

// Reset implements smtp.Session: after each mail.
func (v *visit) Reset() {
	if len(v.mail.data) > 0 {
		_ = v.reach("reset")
	}
	v.mail.to, v.mail.data = "", nil
}

// Logout implements smtp.Session: at the end of a connection, and of its part
// before STARTTLS.
func (v *visit) Logout() error {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	delete(v.box.conns, v.conn)
	return nil
}

func decoded(t *testing.T, m *mail.Message) string {
	t.Helper()
	if how := m.Header.Get("Content-Transfer-Encoding"); how != "quoted-printable" {
		t.Errorf("the text is in %s", how)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
