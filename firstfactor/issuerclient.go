package firstfactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ErrIssuer is wrapped when an issuer cannot be asked now, or answers
// something that is none of its protocol: nobody's fault who signs in.
var ErrIssuer = errors.New("the issuer cannot be asked")

const (
	// issuerTimeout bounds one request to an issuer.
	issuerTimeout = 5 * time.Second
	// maxIssuerAnswer is the largest answer of an issuer that is read.
	maxIssuerAnswer = 1 << 20
	// askAgain is how long an issuer is left alone after each question of a
	// kind: what anybody can set off must not become a flood.
	askAgain = 2 * time.Second
)

// issuerClient asks issuers: in bounded time, for answers of bounded size, and
// never where a redirect leads, since the next host would learn codes and
// secrets.
func issuerClient() *http.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: issuerTimeout}).DialContext,
		TLSHandshakeTimeout:    issuerTimeout,
		ResponseHeaderTimeout:  issuerTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{Transport: bounded{transport}, Timeout: issuerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// bounded cuts answers that are too large.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxIssuerAnswer)
	}
	return res, err
}

// fetch gets a document that an issuer publishes.
func fetch(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// brief cuts an error's text: some repeat what an issuer answered.
func brief(err error) error {
	if text := err.Error(); len(text) > 300 {
		return errors.New(text[:300] + "…")
	}
	return err
}
