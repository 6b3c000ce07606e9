//go:build e2e

package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// frame is one frame of a client (RFC 6455, section 5.2). first is its first byte: 0x81 is a whole text.
func frame(first byte, payload string) string {
	mask := [4]byte{1, 2, 3, 4}
	out := []byte{first}
	switch {
	case len(payload) < 126:
		out = append(out, 0x80|byte(len(payload)))
	case len(payload) < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(len(payload)))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(len(payload)))
	}
	out = append(out, mask[:]...)
	for i := range len(payload) {
		out = append(out, payload[i]^mask[i%4])
	}
	return string(out)
}

// socket is a WebSocket to the editor's comms.
type socket struct {
	net.Conn
	in *bufio.Reader
}

// dialComms opens one. more are further lines of the head, after which comes what is sent without waiting.
func dialComms(t *testing.T, g *Gateway, more, early string, want int) *socket {
	t.Helper()
	conn := dialNode(t, g.host())
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET /comms HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n%s", g.host(), more, early)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		if want == 0 {
			return nil
		}
		t.Fatal(err)
	}
	if want != 0 && res.StatusCode != want {
		t.Fatalf("the connection: %s", res.Status)
	}
	if extensions := res.Header.Get("Sec-Websocket-Extensions"); extensions != "" {
		t.Errorf("the console was offered %s", extensions)
	}
	return &socket{conn, in}
}

// read is all that comes until the connection ends, or until it holds a text.
func (s *socket) read(until string) (got string, ended bool) {
	if s == nil {
		return "", true
	}
	all, room := "", make([]byte, 4096)
	for {
		n, err := s.in.Read(room)
		all += string(room[:n])
		switch {
		case until != "" && strings.Contains(all, until):
			return all, false
		case err == io.EOF || strings.Contains(fmt.Sprint(err), "reset"):
			return all, true
		case err != nil:
			return all, false
		}
	}
}

const letIn = `{"auth":"ok"}`

// TestNodeREDSocket: the editor's WebSocket takes the token as its first message. It works with the one of the session's
// own login, and with no other, however that is brought.
func TestNodeREDSocket(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	raw := NewRaw(t, g.URL)
	alice, aliceToken := nodeRedPass(t, raw, Alice)
	_, bobToken := nodeRedPass(t, raw, Bob)
	dialComms(t, g, "X-None: 1", "", http.StatusUnauthorized)

	// Her own, whole and in pieces, also with a ping between.
	own := fmt.Sprintf(`{"auth":%q}`, aliceToken)
	for how, sent := range map[string]string{
		"whole": frame(0x81, own), "binary": frame(0x82, own), "in pieces": frame(0x01, own[:20]) + frame(0x89, "ping") + frame(0x00, own[20:50]) + frame(0x80, own[50:]),
	} {
		s := dialComms(t, g, alice, "", http.StatusSwitchingProtocols)
		io.WriteString(s, sent)
		if got, _ := s.read(letIn); !strings.Contains(got, letIn) {
			t.Errorf("alice's own token, %s: %q", how, got)
		}
	}
	s := dialComms(t, g, alice, frame(0x81, own), http.StatusSwitchingProtocols)
	if got, _ := s.read(letIn); !strings.Contains(got, letIn) {
		t.Errorf("alice's own token without waiting: %q", got)
	}
	foreignMessages(t, g, alice, own, bobToken)
}

func foreignMessages(t *testing.T, g *Gateway, alice, own, bobToken string) {
	t.Helper()
	bobs := fmt.Sprintf(`{"auth":%q}`, bobToken)
	array, escaped := fmt.Sprintf(`{"auth":[%q]}`, bobToken), fmt.Sprintf(`{"\u0061uth":%q}`, bobToken)
	for how, sent := range map[string]string{
		"whole": frame(0x81, bobs), "binary": frame(0x82, bobs), "as an array": frame(0x81, array), "escaped": frame(0x81, escaped),
		"in pieces":         frame(0x01, bobs[:9]) + frame(0x89, "ping") + frame(0x80, bobs[9:]),
		"byte by byte":      bytewise(bobs),
		"twice in one":      frame(0x81, fmt.Sprintf(`{"auth":"","auth":%q}`, bobToken)),
		"long":              frame(0x81, fmt.Sprintf(`{"auth":%q,"x":%q}`, bobToken, strings.Repeat("x", 70_000))),
		"longer":            frame(0x81, fmt.Sprintf(`{"auth":%q,"x":%q}`, bobToken, strings.Repeat("x", 2<<20))),
		"after alice's own": frame(0x81, own) + frame(0x81, bobs),
		"as if compressed":  frame(0xc1, bobs),
		"with a mark":       frame(0x81, "\ufeff"+bobs),
		"in a new message":  frame(0x01, `{"topic":"x"`) + frame(0x81, bobs),
	} {
		later := dialComms(t, g, alice, "", http.StatusSwitchingProtocols)
		io.WriteString(later, sent)
		for when, s := range map[string]*socket{"later": later, "without waiting": dialComms(t, g, alice, sent, 0)} {
			got, ended := s.read("")
			if n := strings.Count(got, letIn); n > strings.Count(how, "alice's own") || !ended {
				t.Errorf("bob's token in alice's connection, %s, %s: ended %v, %q", how, when, ended, got)
			}
		}
		// A body before the upgrade gets lost, since Node.js would read it as frames.
		body := dialComms(t, g, fmt.Sprintf("%s\r\nContent-Length: %d", alice, len(sent)), sent, 0)
		body.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if got, _ := body.read(""); strings.Contains(got, letIn) {
			t.Errorf("bob's token in alice's connection, %s, as a body: %q", how, got)
		}
	}
}

func bytewise(text string) string {
	out := frame(0x01, text[:1])
	for i := 1; i < len(text)-1; i++ {
		out += frame(0x00, text[i:i+1])
	}
	return out + frame(0x80, text[len(text)-1:])
}

// TestNodeREDSocketCut: signing out, and signing in anew, cut the connection within two seconds.
func TestNodeREDSocketCut(t *testing.T) {
	console := StartNodeRed(t)
	g := StartGateway(t, threeLines("flows", "nodered"), console)
	raw := NewRaw(t, g.URL)
	for what, leave := range map[string]func(jar, token string){
		"signing out": func(jar, token string) {
			a := raw.Post("/auth/revoke", url.Values{"token": {token}}, jar, "Authorization: Bearer "+token)
			if a.StatusCode != http.StatusOK {
				t.Errorf("signing out: %s", a.Status)
			}
			if a := NewRaw(t, console.URL).Get(console.Secret, "Authorization: Bearer "+token); strings.Contains(a.Text, console.Marker) {
				t.Error("the console still takes the token")
			}
		},
		"signing in": func(jar, _ string) { nodeRedLogin(raw, Bob.Name, Bob.Password, jar) },
	} {
		person := map[string]Account{"signing out": Alice, "signing in": Bob}[what]
		jar, token := nodeRedPass(t, raw, person)
		s := dialComms(t, g, jar, "", http.StatusSwitchingProtocols)
		io.WriteString(s, frame(0x81, fmt.Sprintf(`{"auth":%q}`, token)))
		if got, _ := s.read(letIn); !strings.Contains(got, letIn) {
			t.Fatalf("%s: %q", person.Name, got)
		}
		began := time.Now()
		leave(jar, token)
		if _, ended := s.read(""); !ended || time.Since(began) > 2*time.Second {
			t.Errorf("%s: the connection lasts %v", what, time.Since(began))
		}
		opensNothing(t, "after "+what, console, raw, jar, token)
	}
}
