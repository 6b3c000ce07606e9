package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// longAnswer is from which length on, in bytes, an answer is cut when its
// session ends. A shorter one is over before anybody could end it.
const longAnswer = 1 << 20

// tunnels tells whether a request asks for a connection of its own, by an
// upgrade or by extended CONNECT (RFC 8441, RFC 9220).
func tunnels(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}

// tunnel has the end of the session end the request, whose context closes
// connections of all kinds. What the client sends counts as activity.
func (g *Gateway) tunnel(v *visit) (done func()) {
	ctx, cut := context.WithCancel(v.Context())
	v.Request.Request = v.Request.WithContext(ctx)
	if v.Body != nil {
		v.Body = activeBody{v.Body, g.active(v)}
	}
	stop := g.svc.Sessions.Watch(v.session, cut)
	return func() {
		stop()
		cut()
	}
}

// active notes that the client did something on an open connection.
func (g *Gateway) active(v *visit) func() {
	return func() { g.svc.Sessions.Use(v.session) }
}

type activeBody struct {
	io.ReadCloser
	active func()
}

func (b activeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.active()
	}
	return n, err
}

// activeConn is used by its pointer, since a proxy keeps its connections in a
// map and a struct with a func has no hash.
type activeConn struct {
	net.Conn
	active func()
}

// CloseWrite keeps half-closing possible, so that one side can end and still
// read what the other has to say.
func (c *activeConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func (c *activeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.active()
	}
	return n, err
}

// Hijack implements http.Hijacker, for upgrades.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !a.looked || a.held != nil {
		return nil, nil, http.ErrNotSupported
	}
	conn, both, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && a.visit.session != nil {
		conn = &activeConn{conn, a.gateway.active(a.visit)}
	}
	return conn, both, err
}

// watch has the end of a verified session end an answer that lasts. It looks
// at the head before anything is sent.
func (a *answer) watch(status int) {
	if a.held == nil && a.visit.verified() && !a.visit.over && lasts(a.Header(), status) {
		a.unwatch = a.gateway.svc.Sessions.Watch(a.visit.session, a.cut)
	}
}

// sent follows an answer, whatever became of it.
func (a *answer) sent() {
	if a.unwatch != nil {
		a.unwatch()
	}
}

// lasts tells whether an answer may take so long that its session could end
// meanwhile: an event stream, a large file.
func lasts(h http.Header, status int) bool {
	if status < 200 || status == http.StatusNoContent || status == http.StatusNotModified {
		return false
	}
	length := h["Content-Length"]
	if len(length) == 0 {
		return true
	}
	n, err := strconv.ParseInt(length[0], 10, 64)
	return err != nil || n >= longAnswer
}

// cut ends an answer that is under way: what is written fails from now on, and
// so does the server's waiting for the client, which cancels the request.
func (a *answer) cut() {
	server := http.NewResponseController(a.ResponseWriter)
	past := time.Unix(1, 0)
	_ = server.SetWriteDeadline(past)
	_ = server.SetReadDeadline(past)
}
