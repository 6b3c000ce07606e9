package gateway

import (
	"io"
	"net/http"

	"github.com/stepgate/stepgate/escrow"
)

// answer stands between the console and the client. It looks at the head of
// the answer once, and either lets everything pass or, after hold, captures
// it. It keeps flushing and hijacking working, but never before the look.
type answer struct {
	http.ResponseWriter
	onHeader func(*Gateway, *visit, *answer)
	gateway  *Gateway
	visit    *visit
	looked   bool
	status   int
	held     *escrow.Capture
	unwatch  func()
}

// hold captures this answer instead of sending it. Only onHeader calls it.
// The headers are moved over, so that the client gets none of them.
func (a *answer) hold() {
	live := a.ResponseWriter.Header()
	a.held = escrow.NewCapture(live.Clone())
	clear(live)
}

// WriteHeader implements http.ResponseWriter. Informational answers pass
// unless they carry cookies, which no browser should take from them, or
// tokens.
func (a *answer) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		if len(a.Header()["Set-Cookie"]) == 0 && !a.gateway.telling(a.Header()) {
			a.ResponseWriter.WriteHeader(status)
		}
		return
	}
	if !a.looked {
		a.looked, a.status = true, status
		a.onHeader(a.gateway, a.visit, a)
		a.watch(status)
	}
	if a.held != nil {
		a.held.WriteHeader(status)
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// telling tells whether headers hold a change of the console's session.
func (g *Gateway) telling(h http.Header) bool {
	ch := g.site.Console.Changes(h, g.svc.Now())
	return len(ch.Set)+len(ch.Deleted) > 0
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.held != nil {
		return a.held.Header()
	}
	return a.ResponseWriter.Header()
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.look()
	if a.held != nil {
		return a.held.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile and pooled copies of the server underneath.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.look()
	if a.held != nil {
		return io.Copy(struct{ io.Writer }{a.held}, r)
	}
	return io.Copy(a.ResponseWriter, r)
}

// FlushError implements what http.ResponseController looks for.
func (a *answer) FlushError() error {
	a.look()
	if a.held != nil {
		return a.held.FlushError()
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection, for upgrades and
// deadlines, once the head was looked at and let pass.
func (a *answer) Unwrap() http.ResponseWriter {
	if !a.looked || a.held != nil {
		return nil
	}
	return a.ResponseWriter
}

func (a *answer) look() {
	if !a.looked {
		a.WriteHeader(http.StatusOK)
	}
}
