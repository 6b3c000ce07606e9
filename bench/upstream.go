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

// servers are the roles that this program plays in processes of its own: the
// upstream, and the service that forward_auth asks. They are as cheap as can
// be, so that the proxies have more of the machine.
var servers = map[string]func(*http.Request) []byte{
	"upstream":   console,
	"authorizer": func(*http.Request) []byte { return yes },
}

const (
	consoleCookie = "console_session"
	// consoleSecret is what a session's cookie has beside the name of its
	// person. As here, consoles' cookies are hex or base64 of this length.
	consoleSecret = "9f86d081884c7d659a2feaa0c55ad015"
	pageSize      = 1024
)

var (
	yes       = []byte("HTTP/1.1 204 No Content\r\nRemote-User: alice\r\n\r\n")
	page      = answerText("200 OK", "Content-Type: text/html; charset=utf-8\r\n", strings.Repeat("x", pageSize))
	nobody    = answerText("401 Unauthorized", "", "")
	loggedOut = answerText("303 See Other", "Location: /login\r\nSet-Cookie: "+consoleCookie+"=; Path=/; Max-Age=0\r\n", "")
)

func answerText(status, headers, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

// console has a login for everybody, a logout, who-am-I, and pages of 1 KiB,
// which are for anybody: bare proxies do not open the sealed cookie.
func console(r *http.Request) []byte {
	switch r.URL.Path {
	case "/login":
		if r.Method != http.MethodPost {
			return page
		}
		return answerText("303 See Other", "Location: /\r\nSet-Cookie: "+consoleCookie+"="+consoleSession(r.FormValue("user"))+
			"; Path=/; HttpOnly; SameSite=Lax\r\n", "")
	case "/logout":
		return loggedOut
	case "/whoami":
		ck, err := r.Cookie(consoleCookie)
		if err != nil {
			return nobody
		}
		name, _, _ := strings.Cut(ck.Value, "-")
		return answerText("200 OK", "Content-Type: application/json\r\n", `{"user":"`+name+`"}`)
	}
	return page
}

func consoleSession(user string) string { return user + "-" + consoleSecret }

// serve answers requests of plain HTTP/1.1.
func serve(address string, answer func(*http.Request) []byte) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConn(c, answer)
	}
}

func serveConn(c net.Conn, answer func(*http.Request) []byte) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		said := answer(r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if _, err := c.Write(said); err != nil {
			return
		}
	}
}
