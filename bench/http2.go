//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2conn is one connection of HTTP/2 over TLS, with one request at a time:
// one person's browser. It does by hand what must be, like http1.
type http2conn struct {
	*tls.Conn
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	fields  []hpack.HeaderField
	stream  uint32
	unread  uint32 // received, and the window not yet opened for
	cookies func() string
}

// dial2 opens a connection on which each request has the next cookies.
func dial2(address string, cookies func() string) (client, error) {
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	t, err := tls.Dial("tcp", address, &tls.Config{RootCAs: cert.pool, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		return nil, err
	}
	c := &http2conn{Conn: t, framer: http2.NewFramer(t, bufio.NewReader(t)), stream: 1, cookies: cookies}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	c.fields = []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":authority", Value: address},
		{Name: ":scheme", Value: "https"}, {Name: ":path", Value: path}}
	for _, h := range headers {
		c.fields = append(c.fields, hpack.HeaderField{Name: strings.ToLower(h[0]), Value: h[1]})
	}
	c.fields = append(c.fields, hpack.HeaderField{Name: "cookie", Value: "theme=dark"})
	if _, err := t.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return c, c.framer.WriteSettings()
}

// exchange takes no answer but a page.
func (c *http2conn) exchange() error {
	c.block.Reset()
	for _, f := range c.fields {
		_ = c.encoder.WriteField(f) // a buffer takes all
	}
	for crumb := range strings.SplitSeq(c.cookies(), "; ") { // as Chromium does, RFC 9113, section 8.2.3
		_ = c.encoder.WriteField(hpack.HeaderField{Name: "cookie", Value: crumb})
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
	if err != nil {
		return err
	}
	status, length, err := c.readAnswer()
	if err == nil && (status != "200" || length != pageSize) {
		err = fmt.Errorf("the answer is a %s of %d bytes", status, length)
	}
	c.stream += 2
	return err
}

// readAnswer reads frames up to the end of the one open stream.
func (c *http2conn) readAnswer() (status string, length int, err error) {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return "", 0, err
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			status = f.PseudoValue("status")
		case *http2.DataFrame:
			length += len(f.Data())
			if err := c.received(f.Length); err != nil {
				return "", 0, err
			}
		default:
			if err := c.control(frame); err != nil {
				return "", 0, err
			}
		}
		if ends(frame) {
			return status, length, nil
		}
	}
}

func ends(frame http2.Frame) bool {
	h := frame.Header()
	return (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream)
}

// received opens the connection's window again before it is used up.
func (c *http2conn) received(n uint32) error {
	if c.unread += n; c.unread < 1<<14 {
		return nil
	}
	n, c.unread = c.unread, 0
	return c.framer.WriteWindowUpdate(0, n)
}

// control answers what the other side asks about the connection.
func (c *http2conn) control(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame, *http2.RSTStreamFrame:
		return fmt.Errorf("the proxy ended it: %v", frame)
	}
	return nil
}
