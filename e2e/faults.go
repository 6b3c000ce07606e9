//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Wire is one node's way to a store, on which things go wrong as they do on networks.
type Wire struct {
	Addr string

	to    string
	mu    sync.Mutex
	fault Fault
	ends  map[net.Conn]bool // the node's
}

// Fault is what is wrong with a wire. The zero value is nothing.
type Fault struct {
	Delay  time.Duration // of everything that the store says
	Hole   bool          // whatever is sent is lost, and so is the connection it was sent on, without a word
	Answer string        // what a stand-in for Redis says to each command
}

// NewWire listens until the test ends.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Addr: listener.Addr().String(), to: to, ends: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		listener.Close()
		w.Cut()
	})
	go w.accept(listener)
	return w
}

// Port is that of Addr.
func (w *Wire) Port() string {
	_, port, _ := net.SplitHostPort(w.Addr)
	return port
}

// Set begins a fault, or ends it.
func (w *Wire) Set(f Fault) {
	w.mu.Lock()
	stands := w.fault.Answer
	w.fault = f
	w.mu.Unlock()
	if stands != f.Answer {
		w.Cut() // who answers is another one now
	}
}

// Cut ends all connections.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ends {
		c.Close()
	}
}

func (w *Wire) now() Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}

func (w *Wire) accept(listener net.Listener) {
	for {
		node, err := listener.Accept()
		if err != nil {
			return
		}
		go w.serve(node)
	}
}

func (w *Wire) serve(node net.Conn) {
	w.mu.Lock()
	w.ends[node] = true
	w.mu.Unlock()
	defer func() {
		node.Close()
		w.mu.Lock()
		delete(w.ends, node)
		w.mu.Unlock()
	}()
	switch f := w.now(); {
	case f.Answer != "":
		standIn(node, f.Answer)
	case f.Hole:
		io.Copy(io.Discard, node)
	default:
		w.connect(node)
	}
}

// connect carries both ways until either end closes.
func (w *Wire) connect(node net.Conn) {
	store, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer store.Close()
	go func() {
		w.carry(store, node)
		store.Close()
	}()
	w.carry(node, store)
}

func (w *Wire) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		f := w.now()
		if f.Hole {
			io.Copy(io.Discard, from)
			return
		}
		if w.ending(to) {
			time.Sleep(f.Delay)
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// ending tells whether a connection is the node's.
func (w *Wire) ending(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends[c]
}

// standIn answers each command of Redis's protocol in the same way.
func standIn(node net.Conn, answer string) {
	in := bufio.NewReader(node)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		parts := 0
		fmt.Sscanf(line, "*%d", &parts)
		for range parts {
			length := 0
			if line, err = in.ReadString('\n'); err == nil {
				fmt.Sscanf(line, "$%d", &length)
				_, err = in.Discard(length + 2)
			}
			if err != nil {
				return
			}
		}
		if _, err := io.Copy(node, strings.NewReader("-"+answer+"\r\n")); err != nil {
			return
		}
	}
}
