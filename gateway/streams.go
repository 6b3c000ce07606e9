package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/policy"
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
	ctx, cut := g.untilExpiry(v)
	v.Request.Request = v.Request.WithContext(ctx)
	v.messages = g.messages(v)
	if v.Method == http.MethodConnect {
		v.Body = activeBody{v.Body, g.active(v), v.messages}
	} else {
		noBody(v.Request.Request)
	}
	stop := g.svc.Sessions.Watch(v.session, cut)
	return func() {
		stop()
		cut()
	}
}

// untilExpiry ends what was opened under an assertion when that ends.
func (g *Gateway) untilExpiry(v *visit) (context.Context, context.CancelFunc) {
	if end := v.until(); !end.IsZero() {
		return context.WithTimeout(v.Context(), end.Sub(g.svc.Now()))
	}
	return context.WithCancel(v.Context())
}

// noBody removes an upgrade's body, which RFC 6455 knows none of: a console
// may read it as the first of what follows the upgrade.
func noBody(r *http.Request) {
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
	delete(r.Header, "Transfer-Encoding")
	delete(r.Header, "Content-Length")
}

// messages looks for tokens in what the client sends; nil where the console
// takes none from there. Compressed messages are not offered to the console.
func (g *Gateway) messages(v *visit) *frames {
	if len(g.site.Console.SessionMessages) == 0 {
		return nil
	}
	delete(v.Header, "Sec-Websocket-Extensions")
	return &frames{allow: func(text []byte) error {
		err := g.site.Console.OwnMessage(text, v.session.IssuedToken)
		if err != nil {
			g.foreignMessage(v, err)
		}
		return err
	}}
}

func (g *Gateway) foreignMessage(v *visit, err error) {
	g.log.Warn("a WebSocket was cut for what its client sent", "site", g.site.Name, "error", err, "address", v.at.Address)
	if err := g.recordOnce(v, audit.RequestRefused, "message", "", policy.Reason{Code: policy.ReasonElsewhere}); err != nil {
		g.log.Error("a refused message could not be recorded", "site", g.site.Name, "error", err)
	}
}

// active notes that the client did something on an open connection.
func (g *Gateway) active(v *visit) func() {
	return func() { g.svc.Sessions.Use(v.session) }
}

type activeBody struct {
	io.ReadCloser
	active   func()
	messages *frames
}

func (b activeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return passed(p, n, err, b.active, b.messages)
}

// passed is what becomes of n bytes that a client sent: they are activity, and
// none of them pass if they end a message that may not.
func passed(p []byte, n int, err error, active func(), messages *frames) (int, error) {
	if n > 0 {
		active()
		if err := messages.read(p[:n]); err != nil {
			return 0, err
		}
	}
	return n, err
}

// activeConn is used by its pointer, since a proxy keeps its connections in a
// map and a struct with a func has no hash.
type activeConn struct {
	net.Conn
	active   func()
	messages *frames
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
	return passed(p, n, err, c.active, c.messages)
}

// Hijack implements http.Hijacker, for upgrades. What the client sent with the
// request, without waiting for the upgrade, is looked at here.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !a.looked || a.held != nil {
		return nil, nil, http.ErrNotSupported
	}
	conn, both, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil || a.visit.session == nil {
		return conn, both, err
	}
	early, _ := both.Peek(both.Reader.Buffered())
	if err := a.visit.messages.read(early); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return &activeConn{conn, a.gateway.active(a.visit), a.visit.messages}, both, nil
}

// watch has the end of a verified session end an answer that lasts. It looks
// at the head before anything is sent.
func (a *answer) watch(status int) {
	if a.held == nil && a.visit.verified() && !a.visit.over && lasts(a.Header(), status) {
		a.unwatch = a.gateway.svc.Sessions.Watch(a.visit.session, a.cut)
		if end := a.visit.until(); !end.IsZero() {
			a.cutAt(end)
		}
	}
}

// cutAt ends an answer when the assertion ends under which it is given.
func (a *answer) cutAt(end time.Time) {
	var once sync.Once
	timer := time.AfterFunc(end.Sub(a.gateway.svc.Now()), func() { once.Do(a.cut) })
	unwatch := a.unwatch
	a.unwatch = func() {
		timer.Stop()
		once.Do(func() {}) // waits for a cut that runs, and forbids a later one
		unwatch()
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
