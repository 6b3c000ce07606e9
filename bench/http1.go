//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// http1 is one connection of the load generator. It sends the same bytes
// again and again, but for the cookies, and reads of an answer no more than
// it must: net/http's client costs more than the proxy that is measured.
type http1 struct {
	net.Conn
	in      *bufio.Reader
	head    []byte // of the request, up to the cookies
	request []byte
	cookies func() string
}

// headers are what Chromium sends for a page, the most that Stepgate can have
// to look at in a request without a body.
var headers = [][2]string{
	{"Sec-Ch-Ua", `"Chromium";v="140", "Not=A?Brand";v="24"`},
	{"Sec-Ch-Ua-Mobile", "?0"},
	{"Sec-Ch-Ua-Platform", `"Linux"`},
	{"Upgrade-Insecure-Requests", "1"},
	{"User-Agent", userAgent},
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
	{"Sec-Fetch-Site", "same-origin"},
	{"Sec-Fetch-Mode", "navigate"},
	{"Sec-Fetch-User", "?1"},
	{"Sec-Fetch-Dest", "document"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"},
	{"Accept-Language", "en-US,en;q=0.9"},
}

const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

const path = "/projects/42/settings"

// dial1 opens a connection on which each request has the next cookies.
func dial1(address string, cookies func() string) (client, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &http1{Conn: c, in: bufio.NewReader(c), head: requestHead("GET "+path, address), cookies: cookies}, nil
}

func requestHead(line, host string) []byte {
	head := fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: %s\r\n", line, host)
	for _, h := range headers {
		head = fmt.Appendf(head, "%s: %s\r\n", h[0], h[1])
	}
	return append(head, "Cookie: theme=dark; "...)
}

// exchange takes no answer but a page: one that Stepgate, or a proxy in
// trouble, gave instead would be measured as a fast one.
func (c *http1) exchange() error {
	status, length, err := c.ask()
	if err == nil && (status != 200 || length != pageSize) {
		err = fmt.Errorf("the answer is a %d of %d bytes", status, length)
	}
	return err
}

// ask sends one request and reads the answer, whatever it is.
func (c *http1) ask() (status, length int, err error) {
	c.request = append(append(append(c.request[:0], c.head...), c.cookies()...), "\r\n\r\n"...)
	if _, err := c.Write(c.request); err != nil {
		return 0, 0, err
	}
	return c.readAnswer()
}

var lengthHeader = []byte("Content-Length: ")

func (c *http1) readAnswer() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200 ") {
		return 0, 0, errors.Join(err, fmt.Errorf("the answer was %q", line))
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for len(line) > 2 && err == nil {
		line, err = c.in.ReadSlice('\n')
		if n, ok := bytes.CutPrefix(line, lengthHeader); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
		}
	}
	if err == nil && length < 0 {
		return status, length, errors.New("the answer does not say its length")
	}
	if err == nil {
		_, err = c.in.Discard(length)
	}
	return status, length, err
}

// turns gives each connection its own share of the cookies, again and again.
func turns(cookies []string) func(connection int) func() string {
	return func(connection int) func() string {
		next := connection % len(cookies)
		return func() string {
			now := cookies[next]
			if next += connections; next >= len(cookies) {
				next = connection % len(cookies)
			}
			return now
		}
	}
}

// cookieValue is the value of one cookie of a Cookie header.
func cookieValue(header, name string) string {
	for pair := range strings.SplitSeq(header, "; ") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
