//go:build e2e

package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Estate is some gateways on one Redis and one PostgreSQL, where each has a wire of its own to each of them.
type Estate struct {
	Desk     *Desk
	Redis    *Redis
	Postgres *Postgres
	Gateways []*Gateway
	ToRedis  []*Wire
	ToSQL    []*Wire
}

// estateStores are the global options of a node, for the password's file, the keys' folder and the two stores.
const estateStores = `{
	{{.Global}}
	stepgate {
		keys %[1]s/keys
		sessions redis %[2]s
		accounts postgres %[3]q {
			password {file.%[1]s/password}
		}
	}
}
http://localhost:{{.Port}} {
` + DeskSite + `}
`

// redisUser is how a node signs in to the estate's Redis.
const redisUser = " {\n\t\t\tusername stepgate\n\t\t\tpassword \"" + RedisPassword + "\"\n\t\t}"

// StartEstate runs so many gateways.
func StartEstate(t testing.TB, nodes int) *Estate {
	t.Helper()
	e := &Estate{Desk: StartDesk(t), Redis: StartRedis(t, RedisOptions{ACL: "~stepgate* &stepgate* +@all"}), Postgres: StartPostgres(t)}
	e.Gateways = startEstate(t, nodes, e.Desk, func() (string, string) {
		redis := NewWire(t, e.Redis.Addr)
		sql := NewWire(t, fmt.Sprintf("127.0.0.1:%d", e.Postgres.Port))
		e.ToRedis, e.ToSQL = append(e.ToRedis, redis), append(e.ToSQL, sql)
		return redis.Addr + redisUser, "host=127.0.0.1 port=" + sql.Port() + " dbname=stepgate user=stepgate"
	})
	return e
}

// startEstate runs gateways with the same keys, on the stores that stores names for each.
func startEstate(t testing.TB, nodes int, desk *Desk, stores func() (redis, dsn string)) (gateways []*Gateway) {
	t.Helper()
	dir := estateSecrets(t)
	for range nodes {
		redis, dsn := stores()
		gateways = append(gateways, StartGateway(t, fmt.Sprintf(estateStores, dir, redis, dsn), desk.Console()))
	}
	return gateways
}

// estateSecrets is a folder with PostgreSQL's password and a master key.
func estateSecrets(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	for name, text := range map[string]string{
		"password": PostgresPassword, "keys/k1.key": base64.StdEncoding.EncodeToString(key),
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// commands are those that Redis has taken.
func (e *Estate) commands() (n int) {
	_, rest, _ := strings.Cut(e.Redis.CLI("INFO", "stats"), "total_commands_processed:")
	fmt.Sscan(rest, &n)
	return n
}

// URLs are the gateways'.
func (e *Estate) URLs() (urls []string) {
	for _, g := range e.Gateways {
		urls = append(urls, g.URL)
	}
	return urls
}
