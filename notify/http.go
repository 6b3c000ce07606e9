package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// mostAnswer is how much of a provider's answer is read.
const mostAnswer = 64 << 10

// client asks providers. A redirect is an answer that is not understood: it
// would carry number, code and password to another address. Each request has a
// connection of its own: what comes on an idle one goes to Go's own log, whole.
var client = &http.Client{
	Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Success is how a provider says that it took a message. All of it holds.
type Success struct {
	// Status codes of which one must come. Default: all of 200 to 299.
	Status []int `json:"status,omitempty"`
	// JSON values that must be in the answer, by JSON pointer (RFC 6901). The
	// value * is any.
	JSON map[string]string `json:"json,omitempty"`
}

// Validate says what is wrong with the conditions.
func (s Success) Validate() error {
	for _, code := range s.Status {
		if code < 200 || code > 599 {
			return fmt.Errorf("success: %d is no status of an answer, which are 200 to 599", code)
		}
	}
	for pointer, value := range s.JSON {
		if !strings.HasPrefix(pointer, "/") || value == "" {
			return fmt.Errorf("success: json takes a pointer and the value there, as `success json /status accepted`, not %q and %q", pointer, value)
		}
	}
	return nil
}

// ask sends one request and judges the answer. reason is where a refusal has
// its cause, for the log.
func ask(ctx context.Context, r *http.Request, success Success, reason string) error {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	resp, err := client.Do(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return askFault(err, connected.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return askFault(err, true)
	}
	return success.judge(resp.StatusCode, body, reason)
}

// askFault keeps the address out of the error: it may hold number, code and
// password. What was not connected was not sent.
func askFault(err error, connected bool) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if connected {
		return &Fault{Unclear, err}
	}
	return &Fault{Temporary, err}
}

// judge says what an answer means (RFC 9110, section 15).
func (s Success) judge(status int, body []byte, reason string) error {
	if s.holds(status, body) {
		return nil
	}
	k := Refused
	switch {
	case status == http.StatusGatewayTimeout: // somebody behind it may have the message
		k = Unclear
	case status == http.StatusTooManyRequests: // mostly of one number: it must not open the breaker for others
		k = Deferred
	case status >= 500:
		k = Temporary
	case status/100 == 3, slices.Contains([]int{http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}, status):
		k = Broken
	}
	return fault(k, "the provider answered %d%s", status, s.cause(body, reason))
}

func (s Success) holds(status int, body []byte) bool {
	if len(s.Status) == 0 && status/100 != 2 || len(s.Status) > 0 && !slices.Contains(s.Status, status) {
		return false
	}
	for pointer, want := range s.JSON {
		if got := at(body, pointer); got != want && (want != "*" || got == "") {
			return false
		}
	}
	return true
}

// cause is what the log may have of an answer: short values where a cause is
// expected, never the whole, which repeats the message.
func (s Success) cause(body []byte, reason string) (text string) {
	pointers := []string{reason}
	for pointer := range s.JSON {
		pointers = append(pointers, pointer)
	}
	slices.Sort(pointers)
	for _, pointer := range slices.Compact(pointers) {
		if value := at(body, pointer); pointer != "" && value != "" && len(value) <= 64 {
			text += fmt.Sprintf(", with %q at %s", value, pointer)
		}
	}
	return text
}

// checkAddress wants encryption, but to this machine.
func checkAddress(word, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s: this is no address like https://sms.example.com/send; a password stands in a header", word)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return fmt.Errorf("%s: %s://%s is not encrypted: use https", word, u.Scheme, u.Host)
	}
	return nil
}
