//go:build e2e

package redis

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/store/storetest"
)

// rights are what docs/configuration.md asks for.
func rights(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	must(t, err)
	found := regexp.MustCompile(`(?m)^user stepgate on >PASSWORD (.+)$`).FindStringSubmatch(string(text))
	if found == nil {
		t.Fatal("docs/configuration.md does not name the rights")
	}
	return found[1]
}

// TestConformance runs the suites over every way to reach a Redis.
func TestConformance(t *testing.T) {
	for name, reach := range map[string]func(*testing.T) Options{
		"tcp": func(t *testing.T) Options { return single(e2e.StartRedis(t, e2e.RedisOptions{})) },
		"tls": func(t *testing.T) Options {
			r := e2e.StartRedis(t, e2e.RedisOptions{TLS: true})
			return Options{Addrs: []string{r.Addr}, TLS: r.TLS}
		},
		"socket": func(t *testing.T) Options {
			return Options{Addrs: []string{e2e.StartRedis(t, e2e.RedisOptions{}).Socket}}
		},
		"acl": func(t *testing.T) Options {
			r := e2e.StartRedis(t, e2e.RedisOptions{ACL: rights(t)})
			return Options{Addrs: []string{r.Addr}, Username: "stepgate", Password: e2e.RedisPassword}
		},
		"db": func(t *testing.T) Options {
			return Options{Addrs: []string{e2e.StartRedis(t, e2e.RedisOptions{}).Addr}, DB: 3}
		},
		"sentinel": func(t *testing.T) Options {
			g := e2e.StartSentinel(t)
			return Options{Addrs: g.Sentinels, Sentinel: g.Name}
		},
		"cluster": func(t *testing.T) Options {
			return Options{Addrs: e2e.StartRedisCluster(t).Addrs, Cluster: true}
		},
	} {
		t.Run(name, func(t *testing.T) { conform(t, reach(t)) })
	}
}

func single(r *e2e.Redis) Options { return Options{Addrs: []string{r.Addr}} }

// conform gives each case a prefix of its own, which is as good as a Redis.
func conform(t *testing.T, o Options) {
	cases := 0
	fresh := func() Options {
		cases++
		o.Prefix = fmt.Sprintf("stepgate-%d", cases)
		return o
	}
	storetest.Sessions(t, func(t *testing.T) storetest.SessionStores {
		s := open(t, fresh())
		return storetest.SessionStores{Sessions: s, Challenges: s.Challenges(), Escrows: s.Escrows()}
	})
	storetest.Feed(t, func(t *testing.T, n int) (nodes []storetest.Node) {
		o := fresh()
		for range n {
			nodes = append(nodes, open(t, o))
		}
		return nodes
	})
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
