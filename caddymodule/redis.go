package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"

	"github.com/stepgate/stepgate/store/redis"
)

// openRedis connects to nothing yet: its check does.
func (a *App) openRedis(s *stores) error {
	r := a.Sessions.Redis
	options, content, err := r.options()
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	key := "sessions redis " + digest(string(text), content)
	store, err := hold(a, key, func() (*redis.Store, error) { return redis.Open(options) })
	if err != nil {
		return err
	}
	s.sessions, s.feed, s.key = store, store, s.key+key
	s.roll = &roll{list: store, node: rand.Text(), process: process}
	s.checks = append(s.checks, func(ctx context.Context) error { return a.checkRedis(ctx, store) })
	return nil
}

// checkRedis reports what an operator should change and can live with.
func (a *App) checkRedis(ctx context.Context, store *redis.Store) error {
	warnings, err := store.Check(ctx)
	for _, w := range warnings {
		a.log.Warn(w)
	}
	return err
}

// options are r for the store; content changes with the files of r.
func (r *Redis) options() (o redis.Options, content string, err error) {
	o = redis.Options{Cluster: r.Cluster, Username: r.Username, Password: r.Password, DB: r.DB, Prefix: r.Prefix}
	for _, a := range r.Addresses {
		o.Addrs = append(o.Addrs, strings.TrimPrefix(a, "unix/"))
	}
	if r.Sentinel != nil {
		o.Sentinel, o.SentinelUsername, o.SentinelPassword = r.Sentinel.Name, r.Sentinel.Username, r.Sentinel.Password
	}
	o.TLS, content, err = r.TLS.load()
	return o, content, err
}
