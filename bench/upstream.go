//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// upstreamRole is the argument that makes this program the upstream.
const upstreamRole = "upstream"

// consoleSession is the cookie by which the upstream knows its one person.
const consoleSession = "console_session=9f86d081884c7d659a2feaa0c55ad015"

const pageSize = 1024

var (
	page     = answerText("200 OK", "Content-Type: text/html; charset=utf-8\r\n", strings.Repeat("x", pageSize))
	whoami   = answerText("200 OK", "Content-Type: application/json\r\n", `{"user":"alice"}`)
	nobody   = answerText("401 Unauthorized", "", "")
	loggedIn = answerText("303 See Other", "Location: /\r\nSet-Cookie: "+consoleSession+"; Path=/; HttpOnly; SameSite=Lax\r\n", "")
)

func answerText(status, headers, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

// serveUpstream is a console: a login, who-am-I, and a page of 1 KiB. It is as
// cheap as can be, so that the proxies have more of the machine. The page is
// for anybody: bare proxies do not open the sealed cookie.
func serveUpstream(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConn(c)
	}
}

func serveConn(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if _, err := c.Write(answerTo(r)); err != nil {
			return
		}
	}
}

func answerTo(r *http.Request) []byte {
	known := func() bool { return strings.Contains(r.Header.Get("Cookie"), consoleSession) }
	switch {
	case r.URL.Path == "/login":
		return loggedIn
	case r.URL.Path != "/whoami":
		return page
	case known():
		return whoami
	default:
		return nobody
	}
}
