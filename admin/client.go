package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Client asks a running gateway.
type Client struct {
	at   string // for people
	base string
	http http.Client
	hint string
}

// clientTimeout is longer than a store that is away may take.
const clientTimeout = 15 * time.Second

// NewClient asks the one that listens on a socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return newClient(socket, "http://stepgate", &http.Transport{DialContext: dial},
		"the gateway has to run, and this command as the same user or as root; if its configuration names another admin_socket, say so with --socket")
}

// NewTLSClient asks the one that listens at an address, by a certificate.
func NewTLSClient(address string, c *tls.Config) *Client {
	return newClient(address, "https://"+address, &http.Transport{TLSClientConfig: c},
		"the gateway has to run with admin_tls at this address, and to know who signed your certificate")
}

func newClient(at, base string, by *http.Transport, hint string) *Client {
	by.DisableKeepAlives = true
	return &Client{at: at, base: base, hint: hint, http: http.Client{Timeout: clientTimeout, Transport: by}}
}

// Look asks for what a path shows: a GET of the routes.
func (c *Client) Look(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, out)
}

// Change asks for a change: a POST of the routes.
func (c *Client) Change(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, body, out)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return refused(res.Status, answer)
	}
	return json.Unmarshal(answer, out)
}

func refused(status string, answer []byte) error {
	var p problem
	if json.Unmarshal(answer, &p) != nil || p.Title == "" {
		return errors.New(status)
	}
	return errors.New(p.Title)
}

func (c *Client) unreachable(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%s: %w: %s", c.at, err, c.hint)
}
