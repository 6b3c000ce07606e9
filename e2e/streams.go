//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is an answer without end, as a client holds it.
type stream struct {
	in    io.Reader
	out   io.Writer // nil if nothing can be sent
	close func()
	over  chan struct{} // closed when it ended, whatever way
	got   atomic.Int64  // bytes after the beginning
}

// Write counts what came.
func (s *stream) Write(p []byte) (int, error) {
	s.got.Add(int64(len(p)))
	return len(p), nil
}

// follow reads a stream to its end.
func follow(t testing.TB, s *stream, first string) *stream {
	t.Helper()
	got := make([]byte, len(first))
	if _, err := io.ReadFull(s.in, got); err != nil || string(got) != first {
		t.Fatalf("the stream begins with %q, %v", got, err)
	}
	s.over = make(chan struct{})
	go func() {
		defer close(s.over)
		io.Copy(s, s.in)
	}()
	t.Cleanup(s.close)
	return s
}

// endsWithin waits for the stream's end.
func (s *stream) endsWithin(limit time.Duration) (time.Duration, bool) {
	began := time.Now()
	select {
	case <-s.over:
		return time.Since(began), true
	case <-time.After(limit):
		return limit, false
	}
}

func (s *stream) open() bool {
	select {
	case <-s.over:
		return false
	default:
		return true
	}
}

// openStream is a way to open one at a node.
type openStream func(t testing.TB, g *Gateway, v *visitor) *stream

// streamKinds are all ways in which a browser keeps an answer open.
var streamKinds = map[string]openStream{
	"event stream":         eventStream,
	"WebSocket":            webSocket,
	"WebSocket over HTTP2": connect2,
	"WebSocket over HTTP3": connect3,
}

func (g *Gateway) host() string    { return fmt.Sprintf("localhost:%d", g.values.Port) }
func (g *Gateway) tlsHost() string { return fmt.Sprintf("localhost:%d", g.values.TLSPort) }

// insecure takes the certificate that the node made itself; who the node is, is not what is tested.
func insecure(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{protocol}}
}

func dialNode(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func eventStream(t testing.TB, g *Gateway, v *visitor) *stream {
	t.Helper()
	return http1(t, g, v, "GET /events HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nAccept: text/event-stream\r\n\r\n", "data: tick\n")
}

func webSocket(t testing.TB, g *Gateway, v *visitor) *stream {
	t.Helper()
	return http1(t, g, v, "GET /socket HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "begun\n")
}

func http1(t testing.TB, g *Gateway, v *visitor, request, first string) *stream {
	t.Helper()
	conn := dialNode(t, g.host())
	conn.SetReadDeadline(time.Now().Add(5 * time.Second)) // to begin
	fmt.Fprintf(conn, request, g.host(), v.jar())
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := io.Reader(in)
	switch res.StatusCode {
	case http.StatusOK:
		body = res.Body
	case http.StatusSwitchingProtocols:
	default:
		t.Fatalf("no stream: %s", res.Status)
	}
	s := follow(t, &stream{in: body, out: conn, close: func() { conn.Close() }}, first)
	conn.SetReadDeadline(time.Time{})
	return s
}

// connect2 opens a WebSocket by extended CONNECT (RFC 8441), frame by frame.
func connect2(t testing.TB, g *Gateway, v *visitor) *stream {
	t.Helper()
	conn := tls.Client(dialNode(t, g.tlsHost()), insecure("h2"))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	out := &http2Stream{framer: framer}
	in, pipe := io.Pipe()
	status := make(chan string, 1)
	go func() {
		pipe.CloseWithError(out.read(pipe, status, func() { out.connect(g.tlsHost(), v.jar()) }))
	}()
	select {
	case got := <-status:
		if got != "200" {
			t.Fatalf("extended CONNECT over HTTP/2: %s", got)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("extended CONNECT over HTTP/2 gets no answer; does the node announce it?")
	}
	return follow(t, &stream{in: in, out: out, close: func() { conn.Close() }}, "begun\n")
}

// http2Stream is stream 1 of its own connection.
type http2Stream struct{ framer *http2.Framer }

func (s *http2Stream) connect(host, cookies string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", host},
		{":path", "/socket"}, {"sec-websocket-version", "13"}, {"cookie", cookies}} {
		encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
}

// read takes frames until the stream ends; begin is called once the server has said that it knows extended CONNECT.
func (s *http2Stream) read(to io.Writer, status chan<- string, begin func()) error {
	for {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if value, ok := f.Value(http2.SettingEnableConnectProtocol); ok && value == 1 {
				begin()
			}
			if !f.IsAck() {
				s.framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			status <- f.PseudoValue("status")
		case *http2.DataFrame:
			to.Write(f.Data())
			if f.StreamEnded() {
				return io.EOF
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return io.ErrUnexpectedEOF
		}
	}
}

func (s *http2Stream) Write(p []byte) (int, error) {
	return len(p), s.framer.WriteData(1, false, p)
}

// connect3 opens a WebSocket by extended CONNECT over QUIC (RFC 9220).
func connect3(t testing.TB, g *Gateway, v *visitor) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, fmt.Sprintf("127.0.0.1:%d", g.values.TLSPort), insecure("h3"), nil)
	if err != nil {
		t.Fatalf("HTTP/3: %v", err)
	}
	end := func() { conn.CloseWithError(0, "") }
	client := (&http3.Transport{}).NewClientConn(conn)
	select {
	case <-client.ReceivedSettings():
	case <-ctx.Done():
		t.Fatal("HTTP/3: no settings")
	}
	request, err := client.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = request.SendRequestHeader(&http.Request{Method: http.MethodConnect, Proto: "websocket", Host: g.tlsHost(),
		URL:    &url.URL{Scheme: "https", Host: g.tlsHost(), Path: "/socket"},
		Header: http.Header{"Cookie": {v.jar()}, "Sec-Websocket-Version": {"13"}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := request.ReadResponse()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("extended CONNECT over HTTP/3: %v, %v", res, err)
	}
	return follow(t, &stream{in: request, out: request, close: end}, "begun\n")
}
