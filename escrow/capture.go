package escrow

import (
	"bytes"
	"errors"
	"net/http"
)

// MaxBody is the largest answer that is held, in bytes. A login's answer is a
// redirect or a page; more is a sign of something else.
const MaxBody = 1 << 20

// ErrTooLarge: the console's answer does not fit.
var ErrTooLarge = errors.New("escrow: the console's answer is larger than 1 MiB")

// Answer is a console's answer, as it was sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// WriteTo sends the answer as it is.
func (a Answer) WriteTo(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// Capture is a http.ResponseWriter that holds all that is written to it. It
// offers no hijacking, so that nothing gets past it.
type Capture struct {
	header   http.Header
	answer   Answer
	body     bytes.Buffer
	overflow bool
}

// NewCapture makes one with the headers that are already set, if any.
func NewCapture(header http.Header) *Capture {
	if header == nil {
		header = make(http.Header)
	}
	return &Capture{header: header}
}

// Header implements http.ResponseWriter.
func (c *Capture) Header() http.Header { return c.header }

// WriteHeader implements http.ResponseWriter. Informational answers (1xx)
// are left out: they are for a client that waits, and nobody does.
func (c *Capture) WriteHeader(status int) {
	if c.answer.Status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	c.answer.Status = status
	c.answer.Header = c.header.Clone()
}

// Write implements http.ResponseWriter. Beyond MaxBody it reads on and keeps
// nothing, so that the console can finish.
func (c *Capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.body.Len()+len(b) > MaxBody {
		c.overflow = true
		return len(b), nil
	}
	return c.body.Write(b)
}

// FlushError lets the console's stream flush; nothing moves.
func (c *Capture) FlushError() error {
	c.WriteHeader(http.StatusOK)
	return nil
}

// Status is what was written, 0 before.
func (c *Capture) Status() int { return c.answer.Status }

// Answer is what was captured. Without any write it is an empty 200, as
// net/http would send.
func (c *Capture) Answer() (Answer, error) {
	c.WriteHeader(http.StatusOK)
	if c.overflow {
		return Answer{}, ErrTooLarge
	}
	c.answer.Body = c.body.Bytes()
	return c.answer, nil
}
