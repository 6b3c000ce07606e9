package firstfactor

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stepgate/stepgate/match"
)

// A login brings what was typed: no other header and no cookie under a field's
// name, by which some consoles take a second order with the same request.
func TestPoint2LoginBringsOnlyWhatWasTyped(t *testing.T) {
	q := sent(t, "POST", "/?id=x", form, "u=alice&do=login")
	for name, value := range map[string]string{
		"X-DokuWiki-Do": "preview", "X_DokuWiki_Do": "preview", "X-Http-Method-Override": "DELETE", "Range": "bytes=0-1", "Accept-Encoding": "gzip",
		"Accept-Language": "zh", "X-Csrf-Token": "t", "X-Forwarded-For": "192.0.2.1", "Sec-Fetch-Site": "same-origin",
		"Cookie": "theme=dark; do=preview; do[preview]=1;\vdo=preview; id=other; u=bob; PHPSESSID=1",
	} {
		q.Header[name] = []string{value}
	}
	a, err := formConsole().Attempt(q, false)
	if err != nil || a == nil {
		t.Fatal(a, err)
	}
	a.OnlyTyped(q.Header)
	for _, gone := range []string{"X-DokuWiki-Do", "X_DokuWiki_Do", "X-Http-Method-Override", "Range", "Accept-Encoding"} {
		if _, there := q.Header[gone]; there {
			t.Errorf("%s is left", gone)
		}
	}
	for _, kept := range []string{"Content-Type", "Accept-Language", "X-Csrf-Token", "X-Forwarded-For", "Sec-Fetch-Site"} {
		if _, there := q.Header[kept]; !there {
			t.Errorf("%s is gone", kept)
		}
	}
	if got := q.Header.Get("Cookie"); got != "theme=dark; PHPSESSID=1" {
		t.Errorf("cookies: %q", got)
	}
}

// A stream whose client waits for the first answer must not wait for us.
func TestStreamsAreNotReadAhead(t *testing.T) {
	c := &Console{Logins: []Login{{Match: match.Match{Methods: []string{"POST"}, Paths: []string{"/login"}}, Username: Field{Form: "u", Anywhere: true}}}}
	silent, w := io.Pipe()
	defer func() { _ = w.Close() }()
	q := sent(t, "POST", "/grpc", "application/grpc", "")
	q.Body, q.ContentLength = silent, -1
	done := make(chan error, 1)
	go func() {
		_, err := c.Attempt(q, true)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the body is waited for")
	}
}

// A body that cannot be read is the client's fault, not a store's.
func TestBrokenBodyIsMalformed(t *testing.T) {
	q := sent(t, "POST", "/", form, "")
	q.Body, q.ContentLength = io.NopCloser(broken{}), -1
	if _, err := formConsole().Attempt(q, false); !errors.Is(err, ErrLogin) {
		t.Errorf("%v", err)
	}
}
