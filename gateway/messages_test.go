package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
)

// TestMessagesInExtendedConnect: over HTTP/2 and 3 a WebSocket is a request's
// body (RFC 8441), and its messages are looked into all the same.
func TestMessagesInExtendedConnect(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Console.SessionTokens, s.Console.SessionMessages = []string{"/token"}, []string{"auth"}
	})
	alice := r.verified("alice")
	for message, passes := range map[string]bool{`{"subscribe":"all"}`: true, `{"auth":"other"}`: false, `no JSON`: false} {
		frame := "\x81" + string(rune(len(message))) + message
		q := httptest.NewRequest(http.MethodGet, "/ws", strings.NewReader(frame))
		q.Method, q.Proto, q.ProtoMajor, q.ProtoMinor = http.MethodConnect, "HTTP/2.0", 2, 0
		q.Header = http.Header{":protocol": {"websocket"}, "Cookie": {alice.cookies()}, "Sec-Websocket-Extensions": {"permessage-deflate"}}
		asked, got := false, ""
		check(t, r.gateway.ServeHTTP(httptest.NewRecorder(), q, gateway.Arrival{Address: "192.0.2.1", Secure: true, Subrequest: subrequest},
			func(_ http.ResponseWriter, q *http.Request) error {
				asked = true
				body, err := io.ReadAll(q.Body)
				if got = string(body); (err == nil) != passes {
					t.Errorf("%s: %v", message, err)
				}
				if q.Header.Get("Sec-Websocket-Extensions") != "" {
					t.Error("the console is offered compression")
				}
				return nil
			}))
		if !asked || passes != (got == frame) || !passes && got != "" {
			t.Errorf("%s: the console is asked %v, and gets %q", message, asked, got)
		}
	}
	if events := r.events(); events[len(events)-1] != audit.RequestRefused {
		t.Errorf("the trail ends with %v", events)
	}
}
