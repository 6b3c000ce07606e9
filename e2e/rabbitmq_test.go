//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

const rabbitmqSignedIn = "#header #logout"

// rabbitmqLogin fills in the management UI's own form, which no page load follows.
func rabbitmqLogin(b *Browser, base string, a Account) {
	b.t.Helper()
	b.Goto(base + "/")
	b.Fill("input[name=username]", a.Name)
	b.Fill("input[name=password]", a.Password)
	b.Click("input[type=submit]")
}

// until waits until the page shows something.
func until(t *testing.T, b *Browser, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Screenshot("failed")
			t.Fatalf("%s: the browser is at %s, which reads:\n%s", what, b.URL(), b.Page())
		}
	}
}

// TestRabbitMQInBrowser is the whole way of a person in the management UI.
func TestRabbitMQInBrowser(t *testing.T) {
	broker := StartRabbitMQ(t)
	g := StartGateway(t, threeLines("broker", "rabbitmq"), broker)
	b := OpenBrowser(t)

	rabbitmqLogin(b, g.URL, Account{Name: Alice.Name, Password: "wrong"})
	until(t, b, "a wrong password", func() bool { return strings.Contains(b.Page(), "Login failed") })
	b.Screenshot("1-wrong")

	rabbitmqLogin(b, g.URL, Alice)
	until(t, b, "the first login", func() bool { return strings.Contains(b.Page(), "reload this page") })
	b.Screenshot("2-reload")
	b.Reload()
	b.Screenshot("3-bind")
	key := enroll(t, b, -2)
	until(t, b, "after the binding", func() bool { return b.Has(rabbitmqSignedIn) && strings.Contains(b.Page(), "RabbitMQ 3.10") })
	b.Screenshot("4-signed-in")
	_ = key
	_ = url.QueryEscape
	fmt.Println(b.URL())
}
