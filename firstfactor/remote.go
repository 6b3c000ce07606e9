package firstfactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
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

// remote is something that an issuer publishes. It is loaded when it is first
// needed, by one question at a time, and kept; when it has become old, it is
// loaded anew beside the requests that still use it.
type remote[T any] struct {
	load func(context.Context) (T, error)
	keep time.Duration

	mu    sync.Mutex
	value T
	at    time.Time // when value was loaded; zero: never
	asked time.Time // when the last question ended
	err   error     // of the last question
	busy  chan struct{}
}

// get returns what there is, and waits only if there is nothing.
func (r *remote[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	value, has := r.value, !r.at.IsZero()
	switch {
	case has && time.Since(r.at) > r.keep && time.Since(r.asked) > askAgain:
		r.ask()
	case !has && r.err != nil && time.Since(r.asked) < askAgain:
		defer r.mu.Unlock()
		return value, r.err
	}
	r.mu.Unlock()
	if has {
		return value, nil
	}
	return r.anew(ctx)
}

// within returns what was loaded so short a time ago, or is loaded now.
func (r *remote[T]) within(ctx context.Context, age time.Duration) (T, error) {
	r.mu.Lock()
	value, err, asked := r.value, r.err, time.Since(r.asked)
	current := !r.at.IsZero() && time.Since(r.at) <= age
	r.mu.Unlock()
	if current || err != nil && asked < askAgain {
		return value, err
	}
	return r.anew(ctx)
}

// anew loads once more, or waits for the loading that is under way.
func (r *remote[T]) anew(ctx context.Context) (T, error) {
	r.mu.Lock()
	busy := r.ask()
	r.mu.Unlock()
	select {
	case <-busy:
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: %w", ErrIssuer, ctx.Err())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.err
}

// ask begins to load, a while after the last time.
func (r *remote[T]) ask() chan struct{} {
	if r.busy == nil {
		r.busy = make(chan struct{})
		go r.answer(time.Until(r.asked.Add(askAgain)))
	}
	return r.busy
}

func (r *remote[T]) answer(pause time.Duration) {
	time.Sleep(pause)
	ctx, cancel := context.WithTimeout(context.Background(), issuerTimeout)
	defer cancel()
	value, err := r.load(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.err = time.Now(), nil
	if err == nil {
		r.value, r.at = value, r.asked
	} else {
		r.err = fmt.Errorf("%w: %w", ErrIssuer, brief(err))
	}
	close(r.busy)
	r.busy = nil
}

// brief cuts an error's text: some repeat what an issuer answered.
func brief(err error) error {
	if text := err.Error(); len(text) > 300 {
		return errors.New(text[:300] + "…")
	}
	return err
}
