//go:build linux

package main

import (
	"bytes"
	"net"
	"sync/atomic"
)

// wire is a way to Redis on which subscriptions can be cut: they stay open,
// and nothing comes through any more.
type wire struct {
	address string
	cut     atomic.Bool

	listener net.Listener
	to       string
}

func newWire(to string) (*wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{address: l.Addr().String(), listener: l, to: to}
	go w.accept()
	return w, nil
}

func (w *wire) close() { _ = w.listener.Close() }

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &wired{wire: w}
		go c.carry(server, client)
		go c.carry(client, server)
	}
}

// wired is one connection.
type wired struct {
	*wire
	subscribed atomic.Bool
}

// carry copies one direction, and loses what comes on a subscription while
// the wire is cut.
func (c *wired) carry(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("subscribe")) {
			c.subscribed.Store(true)
		}
		if err != nil {
			return
		}
		if c.subscribed.Load() && c.cut.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
