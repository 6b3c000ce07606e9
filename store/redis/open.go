package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/sessions"
)

const (
	// patience bounds each call with all its retries: a fault is a denial
	// within two seconds.
	patience = 1500 * time.Millisecond
	// step bounds each wait within a call.
	step = time.Second
	// connections are kept at most to each server. Redis does one thing at a
	// time; more would only wait there instead of here.
	connections = 32
	// idle is how long a connection is kept unused.
	idle = 30 * time.Minute
	// reload is how often a cluster in use is asked who its masters are: one
	// that is dead cannot say who follows it.
	reload = time.Second
)

// Options say which Redis.
type Options struct {
	// Addrs are host:port, or the path of a unix socket: of the server, of
	// Sentinels, or of some servers of a cluster.
	Addrs []string
	// Sentinel is the name under which Sentinels watch the master.
	Sentinel string
	Cluster  bool

	Username, Password                 string
	SentinelUsername, SentinelPassword string

	DB     int
	TLS    *tls.Config // nil: in plain
	Prefix string      // of all keys and channels; "stepgate" if empty
}

// Store is a Redis. It is itself the store of sessions and the feed of their
// endings.
type Store struct {
	client goredis.UniversalClient
	keys   keys
	node   string // names this Store in its own channel
	where  string // for people

	sentinel bool
}

var (
	_ sessions.Store = (*Store)(nil)
	_ sessions.Feed  = (*Store)(nil)
)

// Open connects to nothing yet: a Redis that cannot be reached is an error of
// the calls that need it.
func Open(o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "stepgate"
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("store: redis: %w", err)
	}
	return &Store{
		client: o.client(),
		keys:   newKeys(o.Prefix, o.Cluster, o.DB),
		node:   rand.Text(),
		where:  o.where(),

		sentinel: o.Sentinel != "",
	}, nil
}

func (o Options) check() error {
	switch {
	case len(o.Addrs) == 0:
		return errors.New("no address is given")
	case o.Sentinel != "" && o.Cluster:
		return errors.New("it is either watched by Sentinels or a cluster")
	case o.Sentinel == "" && !o.Cluster && len(o.Addrs) > 1:
		return errors.New("several addresses need the name that Sentinels watch, or a cluster")
	case o.DB < 0 || o.Cluster && o.DB != 0:
		return errors.New("a database has a number, and a cluster has 0 only")
	case o.Sentinel == "" && o.SentinelUsername+o.SentinelPassword != "":
		return errors.New("user and password of Sentinels are given, and no name that they watch")
	case !usable(o.Prefix):
		return fmt.Errorf("the prefix %q holds something else than visible ASCII without braces", o.Prefix)
	}
	return nil
}

func (o Options) where() string {
	addrs := strings.Join(o.Addrs, ", ")
	switch {
	case o.Sentinel != "":
		return fmt.Sprintf("Redis %s of the Sentinels %s", o.Sentinel, addrs)
	case o.Cluster:
		return "Redis cluster of " + addrs
	default:
		return "Redis at " + addrs
	}
}

func (o Options) client() goredis.UniversalClient {
	u := o.universal()
	switch {
	case o.Sentinel != "":
		return goredis.NewFailoverClient(u.Failover())
	case o.Cluster:
		c := u.Cluster()
		c.ClusterStateReloadInterval = reload
		return goredis.NewClusterClient(c)
	default:
		return goredis.NewClient(u.Simple())
	}
}

func (o Options) universal() *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Sentinel, DB: o.DB, TLSConfig: o.TLS,
		Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		DialTimeout: step, ReadTimeout: step, WriteTimeout: step, PoolTimeout: step,
		ContextTimeoutEnabled: true,
		// One retry meets a connection that the server closed, and a failover.
		// What was done and not confirmed is then done twice or not found.
		MaxRetries: 1, DialerRetries: 1, MinRetryBackoff: 50 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond,
		PoolSize: connections, PipelinePoolSize: -1, ConnMaxIdleTime: idle,
		// Neither pushes nor names: a command is a command and an answer.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Close gives the connections back.
func (s *Store) Close() error { return s.client.Close() }

// Challenges is the same Redis as the store of challenges.
func (s *Store) Challenges() challenge.Store { return challenges{s} }

// Escrows is the same Redis as the store of escrows.
func (s *Store) Escrows() escrow.Store { return escrows{s} }

// run is one step.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) *goredis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return script.Run(ctx, s.client, keys, args...)
}

// get reads one value.
func (s *Store) get(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.client.Get(ctx, key).Result()
}

// put stores what lives under its own id, once.
func (s *Store) put(ctx context.Context, key string, value []byte, expires time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.client.Do(ctx, "SET", key, value, "NX", "PXAT", keepUntil(millis(expires))).Err()
	return s.answer(err, errInUse)
}

var errInUse = errors.New("the id is in use")
