//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Account is a person whom a console knows.
type Account struct {
	Name, Password, Mail string
}

// The two people of every console: Alice administers it, Bob writes in it.
var (
	Alice = Account{"alice", "correct horse 1 alice", "alice@example.com"}
	Bob   = Account{"bob", "battery staple 2 bob", "bob@example.com"}
)

// Console is a running console that the gateway shall protect.
type Console struct {
	URL    string // its own address, around the gateway
	Addr   string // the same as host:port, for reverse_proxy
	Secret string // path and query of a page that only people who are signed in may read
	Marker string // what stands on that page

	// AppPassword lets Alice in over WordPress's interfaces; other consoles have none.
	AppPassword string

	login  form
	server *process
}

// form is a console's login page, with the selectors of what a person touches on it.
type form struct {
	path, name, password, submit string
}

// SignIn fills in the console's own login page as it is served at base, which is the gateway's address or the
// console's, and returns the status of the page that follows. The name comes last because WordPress's page moves the
// focus there a moment after loading.
func (c *Console) SignIn(b *Browser, base string, a Account) int {
	b.t.Helper()
	b.Goto(base + c.login.path)
	b.Fill(c.login.password, a.Password)
	b.Fill(c.login.name, a.Name)
	return b.Follow(c.login.submit)
}

// Log is what the console's server printed: each request that reached it.
func (c *Console) Log() string { return c.server.out.String() }

// FreePort is a loopback port that nobody listens on at the moment.
func FreePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// serve runs PHP's own web server over a folder of the unpacked root until it answers.
func serve(t testing.TB, name string, s scratch, docroot string) *Console {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	cmd := s.command("/usr/bin/php8.2", append(s.phpOptions(), "-S", addr, "-t", docroot)...)
	cmd.Env = append(cmd.Env, "PHP_CLI_SERVER_WORKERS=4")
	c := &Console{URL: "http://" + addr, Addr: addr, server: start(t, name, cmd)}
	c.server.wait(t, time.Minute, func() bool { return answers(c.URL) })
	return c
}

func answers(url string) bool {
	client := http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Get(url)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode < 500
}

// phpString quotes a value for PHP's single quotes.
func phpString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
