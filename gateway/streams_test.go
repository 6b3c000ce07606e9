package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream opens a path whose answer does not end, and returns the connection
// after the answer's first line.
func (b *browser) stream(path string, headers ...string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	conn := dial(b.t, b.rig)
	_, err := io.WriteString(conn, b.request("GET", path, "", headers))
	check(b.t, err)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	check(b.t, err)
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSwitchingProtocols {
		b.t.Fatalf("%s: %s", path, res.Status)
	}
	if res.StatusCode == http.StatusOK {
		in = bufio.NewReader(res.Body)
	}
	if line, err := in.ReadString('\n'); err != nil || line != "begun\n" {
		b.t.Fatalf("%s: %q, %v", path, line, err)
	}
	return conn, in
}

// endless answers with an event stream, a large file or a WebSocket, until the
// request is canceled or the client gone.
func (r *rig) endless(ended chan<- string) {
	r.console.answers(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/logout") {
			http.SetCookie(w, &http.Cookie{Name: "sid", Path: "/", MaxAge: -1})
			return
		}
		switch q.URL.Path {
		case "/private":
			return
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
		case "/file":
			w.Header().Set("Content-Length", fmt.Sprint(10<<20))
		case "/ws":
			socket(w, q)
			ended <- q.URL.Path
			return
		}
		_, _ = io.WriteString(w, "begun\n")
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
		ended <- q.URL.Path
	})
}

// socket is a console's end of a WebSocket: the server underneath closes it
// with the request's context, as Caddy's proxy does.
func socket(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_ = map[net.Conn]bool{conn: true} // Caddy's proxy keeps connections so
	defer func() { _ = conn.Close() }()
	go func() {
		<-q.Context().Done()
		_ = conn.Close()
	}()
	_, _ = io.WriteString(conn, "begun\n")
	_, _ = io.Copy(io.Discard, conn)
}

var upgrade = []string{"Upgrade: websocket", "Connection: Upgrade"}

// TestStreamsEndWithTheirSession: within two seconds of a logout in another
// tab, client and console are both cut off; the streams of others stay.
func TestStreamsEndWithTheirSession(t *testing.T) {
	for path, headers := range map[string][]string{"/events": {"Accept: text/event-stream"}, "/chunks": nil, "/file": nil, "/ws": upgrade} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t)
			alice, bob := r.verified("alice"), r.verified("bob")
			ended := make(chan string, 2)
			r.endless(ended)
			_, hers := alice.stream(path, headers...)
			his, _ := bob.stream(path, headers...)
			alice.send("POST", "/logout", "")
			began := time.Now()
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Fatal("the console's end stays open")
			}
			if _, err := io.Copy(io.Discard, hers); time.Since(began) > 2*time.Second {
				t.Errorf("cut after %v, %v", time.Since(began), err)
			}
			check(t, his.SetReadDeadline(time.Now().Add(1500*time.Millisecond)))
			if _, err := his.Read(make([]byte, 1)); err == nil || !err.(net.Error).Timeout() {
				t.Errorf("another person's stream: %v", err)
			}
			check(t, his.Close())
			<-ended
		})
	}
}

// TestBytesOnASocketAreActivity; without them it is cut when the session is
// idle for too long.
func TestBytesOnASocketAreActivity(t *testing.T) {
	r := newRig(t)
	alice := r.verified("alice")
	ended := make(chan string, 1)
	r.endless(ended)
	conn, in := alice.stream("/ws", upgrade...)
	for range 5 {
		r.sleep(50 * time.Minute)
		_, err := io.WriteString(conn, "typing")
		check(t, err)
		time.Sleep(900 * time.Millisecond) // two looks
	}
	select {
	case <-ended:
		t.Fatal("cut although the client sends")
	default:
	}
	if a := alice.get("/private"); a.StatusCode != http.StatusOK {
		t.Errorf("the session: %d", a.StatusCode)
	}
	r.sleep(61 * time.Minute)
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Log(err) // a reset is as good as an end
	}
	<-ended
}
