package notify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// SMTP is a mail server that takes our mails, and sends them on.
type SMTP struct {
	// Address of the server, as smtp.example.com:587.
	Address string `json:"address"`
	// From is who the mails are from, as `Example Security <security@example.com>`.
	From string `json:"from"`
	// Username to sign in with. Default: no sign-in.
	Username string `json:"username,omitempty"`
	// Password to sign in with.
	Password string `json:"password,omitempty"`
	// TLS is starttls, implicit or none. Default: implicit at port 465, and
	// starttls elsewhere. Without encryption nothing is sent, unless none is
	// said; then also no password is, but to this machine.
	TLS string `json:"tls,omitempty"`
	// CA is a file with the authorities to trust. Default: the system's.
	CA string `json:"ca,omitempty"`
}

// The values of TLS (RFC 8314).
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// Validate says what is wrong with the settings.
func (s *SMTP) Validate() error {
	host, port, err := net.SplitHostPort(s.Address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
		return fmt.Errorf("mail: %q is no address of a server: write host and port, as `mail smtp.example.com:587`", s.Address)
	}
	switch from, err := mail.ParseAddress(s.From); {
	case s.From == "":
		return errors.New("mail: say who the mails are from, as `from \"Example Security <security@example.com>\"`")
	case err != nil || controls(from.Address+from.Name):
		return fmt.Errorf("from: %q is no mail address like `Example Security <security@example.com>`", s.From)
	case s.TLS != "" && s.TLS != startTLS && s.TLS != implicitTLS && s.TLS != noTLS:
		return fmt.Errorf("tls: %q is none of starttls, implicit and none", s.TLS)
	case (s.Username == "") != (s.Password == ""):
		return errors.New("mail: username and password go together: write both, or neither")
	case s.TLS == noTLS && s.Password != "" && !loopback(host):
		return errors.New("tls: with `tls none` the password would cross the network in the clear: use starttls or implicit, or leave username and password out")
	}
	return nil
}

// CheckFiles says what is wrong with the files that the settings name.
func (s *SMTP) CheckFiles() error {
	_, err := s.tls()
	return err
}

// encryption is TLS with its default.
func (s *SMTP) encryption() string {
	switch {
	case s.TLS != "":
		return s.TLS
	case strings.HasSuffix(s.Address, ":465"):
		return implicitTLS
	default:
		return startTLS
	}
}

// tls reads the file each time, so that a renewed one counts.
func (s *SMTP) tls() (*tls.Config, error) {
	host, _, _ := net.SplitHostPort(s.Address)
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CA == "" {
		return c, nil
	}
	text, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca: %s holds no certificate in PEM", s.CA)
	}
	return c, nil
}

// Carries implements Carrier.
func (s *SMTP) Carries(Message) bool { return true }

// Carry implements Carrier. Each mail has a connection of its own: there are
// few, and a server that was restarted is no case of its own.
func (s *SMTP) Carry(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return &Fault{Refused, err}
	}
	line := new(line)
	defer line.close()
	client, err := s.client(ctx, line)
	if err != nil {
		return &Fault{Broken, err}
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() { // whatever came after that
		return nil
	}
	return mailFault(err)
}

// compose makes the mail. What a client of a later day shows of it may hold
// nothing that its parts did not: an address is one, and a subject a line.
func (s *SMTP) compose(m Message) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || controls(m.To) {
		return nil, errors.New("this is no mail address")
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(from)
	msg.ToMailAddress(to)
	msg.Subject(oneLine(m.Subject))
	msg.SetDate()
	msg.SetMessageIDWithValue(rand.Text() + from.Address[strings.LastIndexByte(from.Address, '@'):])
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, section 5: so that no holiday notice comes back
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

func (s *SMTP) client(ctx context.Context, line *line) (*gomail.Client, error) {
	host, port, _ := net.SplitHostPort(s.Address)
	n, _ := strconv.Atoi(port)
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	policy := gomail.NoTLS // in SMTP's own words: an implicit one comes before them
	if s.encryption() == startTLS {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{gomail.WithPort(n), gomail.WithTimeout(time.Hour), // the line's end comes first
		gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(config), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(_ context.Context, network, address string) (net.Conn, error) { // theirs ends with the dialing
			return line.dial(ctx, network, address, s.encryption() == implicitTLS, config)
		})}
	if s.Username != "" {
		options = append(options, gomail.WithUsername(s.Username), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(host, options...)
}

func controls(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// oneLine has a blank for whatever could begin another header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// loopback tells whether a host is this machine.
func loopback(host string) bool {
	host = strings.ToLower(host)
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
