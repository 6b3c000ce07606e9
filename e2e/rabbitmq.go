//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"testing"
	"time"
)

const rabbitmqConfig = `listeners.tcp.default = 127.0.0.1:%d
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
load_definitions = %s/definitions.json
vm_memory_calculation_strategy = allocated
log.console = true
log.console.level = critical
log.file = false
`

const rabbitmqDefinitions = `{
	"users": [
		{"name": %q, "password": %q, "tags": "administrator"},
		{"name": %q, "password": %q, "tags": "management"}
	],
	"vhosts": [{"name": "/"}],
	"permissions": [
		{"user": %[1]q, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
		{"user": %[3]q, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
	],
	"queues": [{"vhost": "/", "name": %[5]q, "durable": true, "auto_delete": false, "arguments": {}}]
}`

// StartRabbitMQ runs a fresh broker with its management plugin, Alice as administrator, Bob as somebody who may look,
// and a queue. It is a node of its own name with its own cookie and name service, on free loopback ports, in a
// namespace of processes that ends with it.
func StartRabbitMQ(t testing.TB) *Console {
	t.Helper()
	s := newScratch(t)
	const queue = "secret of the broker 5530"
	amqp, http, names, distribution := FreePort(t), FreePort(t), FreePort(t), FreePort(t)
	s.write(t, "rabbitmq.conf", fmt.Sprintf(rabbitmqConfig, amqp, http, s.inside))
	s.write(t, "definitions.json", fmt.Sprintf(rabbitmqDefinitions, Alice.Name, Alice.Password, Bob.Name, Bob.Password, queue))
	s.write(t, "enabled_plugins", "[rabbitmq_management].\n")
	for _, dir := range []string{"home", "mnesia", "log"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := s.command("/usr/lib/rabbitmq/bin/rabbitmq-server")
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LANG=C.UTF-8", "HOME=" + s.inside + "/home",
		fmt.Sprintf("ERL_EPMD_PORT=%d", names), "ERL_EPMD_ADDRESS=127.0.0.1",
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", distribution), fmt.Sprintf("RABBITMQ_NODENAME=stepgate-%d@localhost", http),
		"RABBITMQ_CONFIG_FILE=" + s.inside + "/rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE=" + s.inside + "/enabled_plugins",
		"RABBITMQ_MNESIA_BASE=" + s.inside + "/mnesia", "RABBITMQ_LOG_BASE=" + s.inside + "/log", "RABBITMQ_CONF_ENV_FILE=" + s.inside + "/none",
		"RABBITMQ_ALLOW_INPUT=1", // the shell becomes the broker, instead of staying beside it
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"}
	addr := fmt.Sprintf("127.0.0.1:%d", http)
	c := &Console{URL: "http://" + addr, Addr: addr, Secret: "/api/queues", Marker: queue, server: start(t, "RabbitMQ", cmd)}
	c.server.wait(t, 2*time.Minute, func() bool { return answers(c.URL + "/api/auth") })
	c.login = form{"/", "input[name=username]", "input[name=password]", "input[type=submit]"}
	return c
}

// Basic is the Authorization header line of an account.
func (a Account) Basic() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(a.Name+":"+a.Password))
}
