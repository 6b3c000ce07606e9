package caddymodule

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/notify"
)

// Mail is how mails to people go out.
type Mail struct {
	notify.SMTP
	// Timeout of one try; a mail that the server certainly does not have is tried
	// once more. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// filled returns a copy with what {env.X} and {file.X} stand for.
func (m *Mail) filled(by *caddy.Replacer) (*Mail, error) {
	if m == nil {
		return nil, nil
	}
	c := *m
	return &c, errors.Join(
		fill(by, []value{{"mail", &c.Address}, {"from", &c.From}, {"username", &c.Username}, {"tls", &c.TLS}, {"ca", &c.CA}}),
		fillSecrets(by, []value{{"password", &c.Password}}))
}

// checkEarly is check for a Caddyfile: what stands in a placeholder is looked at
// when the configuration is loaded.
func (m *Mail) checkEarly() error {
	if placeheld(m.Address, m.From, m.TLS) {
		return checkTimeout(m.Timeout)
	}
	return m.check()
}

func (m *Mail) check() error {
	if m == nil {
		return nil
	}
	return errors.Join(m.Validate(), checkTimeout(m.Timeout))
}

func (m *Mail) carrier() notify.Carrier {
	if m == nil {
		return nil
	}
	return &m.SMTP
}

// checkTimeout finds one that leaves no time, or outlasts what is sent.
func checkTimeout(d caddy.Duration) error {
	if t := time.Duration(d); t != 0 && (t < time.Second || t > 30*time.Second) {
		return errors.New("timeout: one try may take 1s to 30s; leave the word out for 10s")
	}
	return nil
}
