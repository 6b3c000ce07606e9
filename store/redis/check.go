package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// Check looks at how Redis is set up, and returns what an operator should
// change: sessions are not a cache. An error means that it could not look.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	look := func(ctx context.Context, server *goredis.Client) error {
		found, err := lookAt(ctx, server, s.sentinel)
		mu.Lock()
		defer mu.Unlock()
		for _, warning := range found {
			warnings = append(warnings, fmt.Sprintf("%s: %s", s.where, warning))
		}
		return err
	}
	switch client := s.client.(type) {
	case *goredis.ClusterClient:
		err = client.ForEachMaster(ctx, look)
	case *goredis.Client:
		err = look(ctx, client)
	}
	slices.Sort(warnings)
	return slices.Compact(warnings), s.fault(err)
}

// lookAt asks with CONFIG, and with INFO where the user may not.
func lookAt(ctx context.Context, server *goredis.Client, sentinel bool) (warnings []string, err error) {
	set, err := server.ConfigGet(ctx, "*").Result()
	if goredis.HasErrorPrefix(err, "NOPERM") || goredis.HasErrorPrefix(err, "unknown command") {
		set, err = fromInfo(ctx, server)
	}
	if err != nil {
		return nil, err
	}
	if policy := set["maxmemory-policy"]; policy != "noeviction" {
		warnings = append(warnings, fmt.Sprintf("its maxmemory-policy is %q, which throws sessions away when memory is short: "+
			"set it to noeviction", policy))
	}
	save, known := set["save"]
	switch {
	case set["appendonly"] == "yes" || save != "":
	case known:
		warnings = append(warnings, "it writes nothing to its disk, and a restart ends all sessions: set appendonly to yes")
	default:
		warnings = append(warnings, "it keeps no append-only file, and whether it takes snapshots this user may not see: "+
			"set appendonly to yes, or allow the user +config|get")
	}
	if sentinel && set["min-replicas-to-write"] == "0" {
		warnings = append(warnings, "a master that is cut off from its Sentinels goes on, and what ends there is not heard elsewhere: "+
			"set min-replicas-to-write to 1")
	}
	return warnings, nil
}

// fromInfo knows all but whether snapshots are taken.
func fromInfo(ctx context.Context, server *goredis.Client) (map[string]string, error) {
	info, err := server.InfoMap(ctx, "memory", "persistence").Result()
	if err != nil {
		return nil, err
	}
	set := map[string]string{"maxmemory-policy": info["Memory"]["maxmemory_policy"], "appendonly": "no"}
	if strings.TrimSpace(info["Persistence"]["aof_enabled"]) == "1" {
		set["appendonly"] = "yes"
	}
	return set, nil
}
