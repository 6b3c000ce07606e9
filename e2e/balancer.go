//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Balancer is a plain load balancer over HTTP, without stickiness: every request goes to the next node. A node that
// refuses the connection, which has seen nothing of the request, is passed over, as every balancer does; and as these
// do, Go's transport repeats a GET when the node closed the idle connection that it was sent on.
type Balancer struct {
	URL string

	mu    sync.Mutex
	nodes []*balanced
	next  int
}

type balanced struct {
	address string
	out     bool
	busy    int
}

// StartBalancer balances over the nodes' plain ports.
func StartBalancer(t testing.TB, gateways ...*Gateway) *Balancer {
	b := &Balancer{}
	for _, g := range gateways {
		b.nodes = append(b.nodes, &balanced{address: fmt.Sprintf("localhost:%d", g.values.Port)})
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", "a.node" },
		Transport:     &balancing{b, transport},
		FlushInterval: -1,
	}
	server := httptest.NewServer(proxy)
	at, _ := url.Parse(server.URL)
	b.URL = "http://localhost:" + at.Port()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return b
}

// balancing is the balancer toward the nodes.
type balancing struct {
	*Balancer
	transport *http.Transport
}

func (b *balancing) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	for range b.nodes {
		node := b.take()
		if node == nil {
			break
		}
		out := r.Clone(r.Context())
		out.URL.Host = node.address
		var res *http.Response
		res, err = b.transport.RoundTrip(out)
		if err == nil {
			res.Header.Add("X-Node", node.address)
			if res.StatusCode == http.StatusSwitchingProtocols {
				b.leave(node)
			} else {
				res.Body = &leaving{res.Body, func() { b.leave(node) }}
			}
			return res, nil
		}
		b.leave(node)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
	}
	return nil, errors.Join(errors.New("no node"), err)
}

// take chooses the next node that is in.
func (b *Balancer) take() *balanced {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.nodes {
		b.next++
		if node := b.nodes[b.next%len(b.nodes)]; !node.out {
			node.busy++
			return node
		}
	}
	return nil
}

func (b *Balancer) leave(node *balanced) {
	b.mu.Lock()
	defer b.mu.Unlock()
	node.busy--
}

// Drain takes a node out and waits until it has answered all that it was sent, as operators do before they stop one.
func (b *Balancer) Drain(t testing.TB, i int) {
	t.Helper()
	b.set(i, true)
	eventually(t, "draining", 10*time.Second, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.nodes[i].busy == 0
	})
}

// Admit takes a node in again.
func (b *Balancer) Admit(i int) { b.set(i, false) }

func (b *Balancer) set(i int, out bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes[i].out = out
}

// leaving tells when an answer has been read.
type leaving struct {
	body interface {
		Read([]byte) (int, error)
		Close() error
	}
	done func()
}

func (l *leaving) Read(p []byte) (int, error) { return l.body.Read(p) }

func (l *leaving) Close() error {
	l.done()
	return l.body.Close()
}

// nodeOf names the node that an answer came from, by its port.
func nodeOf(h http.Header) string {
	_, port, _ := strings.Cut(h.Get("X-Node"), ":")
	return port
}
