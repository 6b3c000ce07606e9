//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// conn is one connection of the load generator. It sends the same bytes again
// and again and reads of an answer no more than it must: net/http's client
// costs more than the proxy that is measured.
type conn struct {
	net.Conn
	in      *bufio.Reader
	request []byte
	took    []time.Duration // of this slice
}

// request is what Chromium sends for a page, the most that Stepgate can have
// to look at in a request without a body.
const request = "GET /projects/42/settings HTTP/1.1\r\n" +
	"Host: %s\r\n" +
	"Sec-Ch-Ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n" +
	"Sec-Ch-Ua-Mobile: ?0\r\n" +
	"Sec-Ch-Ua-Platform: \"Linux\"\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Cookie: theme=dark; %s\r\n\r\n"

// dial opens the connections to an address, which stay open over all slices.
func dial(address, cookies string) (conns []*conn, err error) {
	for range connections {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return conns, err
		}
		conns = append(conns, &conn{Conn: c, in: bufio.NewReader(c), request: fmt.Appendf(nil, request, address, cookies)})
	}
	return conns, nil
}

// run sends one request after the other until the deadline.
func (c *conn) run(deadline time.Time) error {
	c.took = c.took[:0]
	for began := time.Now(); began.Before(deadline); {
		if _, err := c.Write(c.request); err != nil {
			return err
		}
		if err := c.readAnswer(); err != nil {
			return err
		}
		now := time.Now()
		c.took = append(c.took, now.Sub(began))
		began = now
	}
	return nil
}

var (
	okLine       = []byte("HTTP/1.1 200 ")
	lengthHeader = []byte("Content-Length: ")
)

// readAnswer takes no answer but a page: one that Stepgate, or a proxy in
// trouble, gave instead would be measured as a fast one.
func (c *conn) readAnswer() error {
	line, err := c.in.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, okLine) {
		return errors.Join(err, fmt.Errorf("the answer was %q", line))
	}
	length := -1
	for len(line) > 2 && err == nil {
		line, err = c.in.ReadSlice('\n')
		if n, ok := bytes.CutPrefix(line, lengthHeader); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
		}
	}
	if err == nil && length != pageSize {
		return fmt.Errorf("the answer has %d bytes", length)
	}
	if err == nil {
		_, err = c.in.Discard(length)
	}
	return err
}

// slice is what one variant did in a short time.
type slice struct {
	requests         int
	wall             time.Duration
	took             []time.Duration // unsorted
	proxy, load, all time.Duration   // CPU: the proxy's, our own, everything's
}

// slice loads a variant from all connections at once.
func (b *setup) slice(v *variant, length time.Duration) (s slice, err error) {
	before, err := b.clocks(v)
	if err != nil {
		return s, err
	}
	began := time.Now()
	if err := runAll(v.conns, began.Add(length)); err != nil {
		return s, fmt.Errorf("%s: %w", v.name, err)
	}
	s.wall = time.Since(began)
	after, err := b.clocks(v)
	s.proxy, s.load, s.all = after.proxy-before.proxy, after.load-before.load, after.all-before.all
	for _, c := range v.conns {
		s.took = append(s.took, c.took...)
	}
	s.requests = len(s.took)
	return s, err
}

func runAll(conns []*conn, deadline time.Time) error {
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { errs[i] = c.run(deadline) })
	}
	all.Wait()
	return errors.Join(errs...)
}

type clocks struct{ proxy, load, all time.Duration }

func (b *setup) clocks(v *variant) (c clocks, err error) {
	if c.load, err = cpu(os.Getpid()); err != nil {
		return c, err
	}
	c.all = c.load
	for _, p := range b.processes {
		used, err := cpu(p.cmd.Process.Pid)
		if err != nil {
			return c, err
		}
		c.all += used
		if p == v.proxy {
			c.proxy = used
		}
	}
	return c, nil
}
