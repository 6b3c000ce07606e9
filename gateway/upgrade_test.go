package gateway_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/gateway"
)

// tunnels are wishes to leave HTTP, past which nobody would see a request.
var tunnels = [][]string{
	{"Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings, close", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
	{"Upgrade: h2c", "Connection: upgrade, close"}, {"Upgrade: H2C", "Connection: close, UPGRADE"}, {"Upgrade: h2c", "Connection: close", "Connection: Upgrade"},
	{"Upgrade: websocket, h2c", "Connection: Upgrade, close"}, {"Upgrade: h2c, websocket", "Connection: Upgrade, close"},
	{"Upgrade: websocket", "Upgrade: h2c", "Connection: Upgrade, close"}, {"Upgrade: h2c", "Upgrade: websocket", "Connection: Upgrade, close"},
	{"Upgrade: TLS/1.0", "Connection: Upgrade, close"}, {"Upgrade: websocket/13", "Connection: Upgrade, close"}, {"upgrade: h2c", "connection: upgrade, close"},
}

// upgrading lists what of an upgrade reached the console.
func (r *rig) upgrading() (found []string) {
	for _, q := range r.console.got() {
		for name := range q.Header {
			if name == "Upgrade" || strings.EqualFold(name, "HTTP2-Settings") ||
				name == "Connection" && strings.Contains(strings.ToLower(strings.Join(q.Header[name], ",")), "upgrade") {
				found = append(found, q.RequestURI+" "+name+": "+strings.Join(q.Header[name], ","))
			}
		}
	}
	return found
}

// TestNoTunnelButWebSockets, and those for verified requests only.
func TestNoTunnelButWebSockets(t *testing.T) {
	r := newRig(t)
	alice := r.verified("alice")
	socket := []string{"Upgrade: websocket", "Connection: Upgrade, close"}
	r.console.got()
	for _, h := range append(tunnels, socket) {
		stranger := r.browser()
		stranger.fetch("/public/x", h...)
		stranger.fetch("/private", h...)
		stranger.send("POST", "/hook", "a=1", append(h, urlencoded)...)
		stranger.fetch("/login?u=bob&p=pw-bob", h...)
		stranger.send("POST", "/login", "u=bob&p=wrong", append(h, urlencoded)...)
		if found := r.upgrading(); len(found) > 0 {
			t.Errorf("a stranger, %v: the console got %q", h, found)
		}
	}
	for _, h := range tunnels {
		if a := alice.fetch("/private", h...); !strings.Contains(a.body, "alice") {
			t.Errorf("%v: %d", h, a.StatusCode)
		}
		if found := r.upgrading(); len(found) > 0 {
			t.Errorf("alice, %v: the console got %q", h, found)
		}
	}
	alice.fetch("/private", append(socket, "HTTP2-Settings: x")...)
	if found := r.upgrading(); len(found) != 2 {
		t.Errorf("a WebSocket: the console got %q", found)
	}
}

// TestWebSocketsWork with the connection itself in the console's hands.
func TestWebSocketsWork(t *testing.T) {
	r := newRig(t)
	alice := r.verified("alice")
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no upgrade", http.StatusUpgradeRequired)
			return
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		line, _ := both.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
		_ = conn.Close()
	})
	conn := dial(t, r)
	_, err := io.WriteString(conn, alice.request("GET", "/ws", "", []string{"Upgrade: websocket", "Connection: Upgrade"}))
	check(t, err)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	check(t, err)
	_, err = io.WriteString(conn, "hello\n")
	check(t, err)
	if line, _ := in.ReadString('\n'); res.StatusCode != http.StatusSwitchingProtocols || line != "echo hello\n" {
		t.Errorf("%d, then %q", res.StatusCode, line)
	}
	check(t, conn.Close())
	if a := r.browser().fetch("/public/ws", "Upgrade: websocket", "Connection: Upgrade, close"); a.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a stranger: %d", a.StatusCode)
	}
}

// TestExtendedConnect (RFC 8441) opens no tunnel for a stranger: not on public
// paths, and not as a login.
func TestExtendedConnect(t *testing.T) {
	r := newRig(t)
	for _, uri := range []string{"/public/ws", "/private", "/login", "/public/ws?u=alice&p=pw-alice", "/login?u=alice&p=pw-alice"} {
		q := httptest.NewRequest(http.MethodGet, uri, strings.NewReader("frames"))
		q.Method, q.Proto, q.ProtoMajor, q.ProtoMinor = http.MethodConnect, "HTTP/2.0", 2, 0
		q.Header[":protocol"] = []string{"websocket"}
		w := httptest.NewRecorder()
		check(t, r.gateway.ServeHTTP(w, q, gateway.Arrival{Address: "192.0.2.1", Secure: true, Subrequest: subrequest}, r.console.next))
		if w.Code < 400 {
			t.Errorf("%s: %d", uri, w.Code)
		}
		r.nothingReached(t, uri)
	}
}
