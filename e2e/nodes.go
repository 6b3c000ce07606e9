//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nodes are gateways that are one: they share a Redis, a PostgreSQL and, each in a folder of its own, the same keys.
type Nodes struct {
	Gateways []*Gateway
	Console  *Streaming
	Redis    *Redis
	Postgres *Postgres

	t    testing.TB
	keys []string // each node's folder of keys
	more string   // of the global option
}

// nodesCaddyfile is every node's, but for the folder of keys.
const nodesCaddyfile = `{
	{{.Global}}
	grace_period 3s
	stepgate {
		brand %q
		keys %s
		sessions redis %s
		accounts postgres %q {
			password {file.%s}
		}
		%s
	}
}
http://localhost:{{.Port}}, https://localhost:{{.TLSPort}} {
	tls internal
	stepgate console {
		public /healthz
		first_factor console {
			login_page /login
			login POST /login {
				username form user
				success status 303
				success set_cookie console_session
				failure status 401
			}
			subject probe /whoami /user
			session_cookie console_session
		}
	}
	reverse_proxy {{.Upstream}} {
		flush_interval -1
	}
}
`

// StartNodes runs so many gateways in front of a console, with the key k1, and more lines of the global option.
func StartNodes(t testing.TB, count int, more ...string) *Nodes {
	t.Helper()
	n := &Nodes{t: t, more: strings.Join(more, "\n"), Console: StartStreaming(t), Redis: StartRedis(t, RedisOptions{}), Postgres: StartPostgres(t)}
	folder := t.TempDir()
	n.write(filepath.Join(folder, "password"), PostgresPassword)
	for i := range count {
		keys := filepath.Join(folder, fmt.Sprintf("keys%d", i))
		if err := os.Mkdir(keys, 0o700); err != nil {
			t.Fatal(err)
		}
		n.keys = append(n.keys, keys)
	}
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, &Gateway{binary: binary, Dir: folder})
	for i := range n.keys {
		n.giveKey(i, "k1", key)
		n.Gateways = append(n.Gateways, StartGateway(t, n.caddyfile(i, "Nodes"), &Console{Addr: n.Console.Addr}))
	}
	return n
}

func (n *Nodes) caddyfile(i int, brand string) string {
	password := filepath.Join(filepath.Dir(n.keys[i]), "password")
	return fmt.Sprintf(nodesCaddyfile, brand, n.keys[i], n.Redis.Addr, n.Postgres.DSN(), password, n.more)
}

// Reload loads a node's configuration, with another brand so that it is not the same as before.
func (n *Nodes) Reload(i int, brand string) error {
	n.t.Helper()
	return n.Gateways[i].Reload(n.caddyfile(i, brand))
}

// newKey makes a master key.
func newKey(t testing.TB, g *Gateway) string {
	t.Helper()
	key, err := g.Command("keys", "new").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

func (n *Nodes) giveKey(i int, id, key string) {
	n.t.Helper()
	n.write(filepath.Join(n.keys[i], id+".key"), key)
}

// sealWith chooses the key that seals on one node.
func (n *Nodes) sealWith(i int, id string) {
	n.t.Helper()
	n.write(filepath.Join(n.keys[i], "sealing"), id+"\n")
}

func (n *Nodes) write(file, text string) {
	n.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}
