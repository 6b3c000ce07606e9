package admin

import (
	"bytes"
	"context"
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
	socket string
	http   http.Client
}

// clientTimeout is longer than a store that is away may take.
const clientTimeout = 15 * time.Second

// NewClient asks the one that listens on a socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, http.Client{Timeout: clientTimeout, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// CreateUser is Service.CreateUser.
func (c *Client) CreateUser(ctx context.Context, realm, name string) (i Invitation, err error) {
	return i, c.do(ctx, http.MethodPost, usersPath, person{realm, name}, &i)
}

// RenewLink is Service.RenewLink.
func (c *Client) RenewLink(ctx context.Context, realm, name string) (i Invitation, err error) {
	return i, c.do(ctx, http.MethodPost, linkPath, person{realm, name}, &i)
}

// Users is Service.Users.
func (c *Client) Users(ctx context.Context, realm string) (all []User, err error) {
	return all, c.do(ctx, http.MethodGet, usersPath+"?realm="+url.QueryEscape(realm), nil, &all)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://stepgate"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
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
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%s: %w: the gateway has to run, and this command as the same user or as root; "+
		"if its configuration names another admin_socket, say so with --socket", c.socket, err)
}
