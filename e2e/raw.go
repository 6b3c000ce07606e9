//go:build e2e

package e2e

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Raw is a client that does what it is told and nothing more: it follows no redirect, keeps no cookie, asks for no
// compression and sends headers as they are given.
type Raw struct {
	t    testing.TB
	base string
}

// NewRaw returns a client for one server, such as http://127.0.0.1:8080.
func NewRaw(t testing.TB, base string) *Raw {
	return &Raw{t: t, base: strings.TrimSuffix(base, "/")}
}

// Answer is a whole answer of a server.
type Answer struct {
	*http.Response
	Text string
}

// Set is the value that the answer leaves behind for the first cookie whose name begins so; a deletion leaves nothing,
// and the last line of a name counts.
func (a Answer) Set(prefix string) (http.Cookie, bool) {
	var last *http.Cookie
	for _, c := range a.Cookies() {
		if strings.HasPrefix(c.Name, prefix) && (last == nil || c.Name == last.Name) {
			last = c
		}
	}
	if last == nil || last.MaxAge < 0 || (!last.Expires.IsZero() && last.Expires.Before(time.Now())) {
		return http.Cookie{}, false
	}
	return *last, true
}

// Jar is the Cookie header that a browser would send after these answers.
func Jar(answers ...Answer) string {
	var pairs []string
	kept := map[string]string{}
	for _, a := range answers {
		for _, c := range a.Cookies() {
			kept[c.Name] = ""
			if set, ok := a.Set(c.Name); ok {
				kept[c.Name] = set.Value
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if kept[name] != "" {
			pairs = append(pairs, name+"="+kept[name])
		}
	}
	return strings.Join(pairs, "; ")
}

// Do sends one request. Header lines are written as "Name: value", so that one name may come twice.
func (r *Raw) Do(method, path, body string, header ...string) Answer {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if strings.EqualFold(name, "Host") {
			req.Host = value
		}
		req.Header[name] = append(req.Header[name], value)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r.read(res)
}

// Get asks for a page.
func (r *Raw) Get(path string, header ...string) Answer {
	r.t.Helper()
	return r.Do(http.MethodGet, path, "", header...)
}

// Post sends a form.
func (r *Raw) Post(path string, form url.Values, header ...string) Answer {
	r.t.Helper()
	header = append(header, "Content-Type: application/x-www-form-urlencoded")
	return r.Do(http.MethodPost, path, form.Encode(), header...)
}

// Send writes bytes to the server as they are, and reads one answer; the request should say Connection: close.
func (r *Raw) Send(raw string) Answer {
	r.t.Helper()
	conn := r.Dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		r.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	return r.read(res)
}

// Dial opens a bare connection, for requests that are to be broken off in the middle.
func (r *Raw) Dial() net.Conn {
	r.t.Helper()
	address, err := url.Parse(r.base)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", address.Host, 10*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func (r *Raw) read(res *http.Response) Answer {
	r.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		r.t.Fatal(err)
	}
	return Answer{res, string(body)}
}
