package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"
)

// line is the connection of one mail. The mail library gives each of its steps
// time anew, does not look at a context once it is connected, and leaves
// connections open whose beginning failed; a line ends with its context.
type line struct {
	conn net.Conn
	stop func() bool
}

func (l *line) dial(ctx context.Context, network, address string, encrypted bool, config *tls.Config) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	l.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if !encrypted {
		return conn, nil
	}
	secure := tls.Client(conn, config)
	return secure, secure.HandshakeContext(ctx)
}

func (l *line) close() {
	if l.conn != nil {
		l.stop()
		_ = l.conn.Close()
	}
}

// mailFault says what an error means. The server has the mail when it has
// answered the dot that ends it (RFC 5321, section 4.2.5); before the dot it
// certainly has none.
func mailFault(err error) error {
	if sent, ok := errors.AsType[*gomail.SendError](err); ok {
		return &Fault{sendKind(sent), err}
	}
	reply, answered := errors.AsType[*textproto.Error](err)
	_, network := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case untrusted:
		return &Fault{Broken, err}
	case answered && reply.Code < 500, !answered && (network || errors.Is(err, io.EOF)):
		return &Fault{Temporary, err}
	default: // the server knows no TLS, or not our password
		return &Fault{Broken, err}
	}
}

func sendKind(err *gomail.SendError) Kind {
	code := err.ErrorCode()
	switch {
	case err.Reason == gomail.ErrSMTPDataClose && code == 0:
		return Unclear
	case err.Reason == gomail.ErrSMTPRcptTo && code/100 == 4:
		return Deferred
	case code/100 == 5 && err.Reason == gomail.ErrSMTPMailFrom:
		return Broken
	case code/100 == 5:
		return Refused
	default:
		return Temporary
	}
}
