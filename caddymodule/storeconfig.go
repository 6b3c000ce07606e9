package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SessionStore says where sessions, challenges and held answers live.
type SessionStore struct {
	// Redis is one that all nodes share.
	Redis *Redis `json:"redis,omitempty"`
}

// AccountStore says where enrollments, and what is spent or counted, live.
type AccountStore struct {
	// Postgres is a PostgreSQL that all nodes share.
	Postgres *Postgres `json:"postgres,omitempty"`
}

// Redis is a single server, a group watched by Sentinels, or a cluster.
type Redis struct {
	// Addresses are host:port or unix//path: one server; or the Sentinels; or
	// some nodes of the cluster, which tell the others.
	Addresses []string `json:"addresses"`
	// Sentinel is set if the addresses are Sentinels.
	Sentinel *Sentinel `json:"sentinel,omitempty"`
	// Cluster is true if the addresses are nodes of a cluster.
	Cluster bool `json:"cluster,omitempty"`
	// Username is the ACL user. Default: the server's default user.
	Username string `json:"username,omitempty"`
	// Password of the user. Best a placeholder, {file.X} or {env.X}.
	Password string `json:"password,omitempty"`
	// TLS encrypts the connections, also those to the Sentinels.
	TLS *TLS `json:"tls,omitempty"`
	// DB is the number of the database. A cluster has only 0.
	DB int `json:"db,omitempty"`
	// Prefix begins every key, where several installations share one Redis.
	// Default: stepgate.
	Prefix string `json:"prefix,omitempty"`
}

// Sentinel is the group that Sentinels watch.
type Sentinel struct {
	// Name is what the Sentinels call the group, like mymaster.
	Name string `json:"name"`
	// Username is the ACL user at the Sentinels themselves.
	Username string `json:"username,omitempty"`
	// Password at the Sentinels themselves.
	Password string `json:"password,omitempty"`
}

// Postgres is a PostgreSQL database.
type Postgres struct {
	// DSN names hosts, database and user, as libpq takes it, and no password.
	DSN string `json:"dsn"`
	// Password of the user. Best a placeholder, {file.X} or {env.X}.
	Password string `json:"password,omitempty"`
}

// check finds what contradicts itself. It opens nothing, and its errors hold
// no value that might be a secret.
func (s *SessionStore) check() error {
	switch {
	case s == nil:
		return nil
	case s.Redis == nil:
		return errors.New("sessions: name the store, as `sessions redis localhost:6379`, or leave the word out")
	}
	return s.Redis.check()
}

func (s *AccountStore) check() error {
	switch {
	case s == nil:
		return nil
	case s.Postgres == nil:
		return errors.New("accounts: name the store, as `accounts postgres \"host=db1 dbname=mfa user=stepgate\"`, or leave the word out")
	}
	return s.Postgres.check()
}

func (r *Redis) check() error {
	return errors.Join(r.checkAddresses(), r.checkKind(), r.checkUsers(), r.TLS.check(), checkPrefix(r.Prefix))
}

func (r *Redis) checkAddresses() error {
	if len(r.Addresses) == 0 {
		return errors.New("sessions redis: give it an address, as localhost:6379 or unix//run/redis.sock")
	}
	for _, a := range r.Addresses {
		if err := checkAddress(a); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress repeats an address only if it cannot hold a password.
func checkAddress(address string) error {
	if strings.Contains(address, "://") || strings.Contains(address, "@") {
		return errors.New("sessions redis: an address is host:port, and no URL, which may hold a password and be logged: " +
			"write user, password and tls as words of the block")
	}
	if path, ok := strings.CutPrefix(address, "unix/"); ok && strings.HasPrefix(path, "/") {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.ParseUint(port, 10, 16)
	if !hasPlaceholder(address) && (err != nil || bad != nil || host == "" || n == 0) {
		return fmt.Errorf("sessions redis: %q is no address: write host:port, as localhost:6379 or [::1]:6379, or unix//run/redis.sock", address)
	}
	return nil
}

// hasPlaceholder tells whether a value still holds a placeholder.
func hasPlaceholder(value string) bool { return strings.Contains(value, "{") }

func (r *Redis) checkKind() error {
	sockets := slices.ContainsFunc(r.Addresses, func(a string) bool { return strings.HasPrefix(a, "unix/") })
	switch {
	case r.Sentinel != nil && r.Cluster:
		return errors.New("sessions redis: sentinel and cluster exclude each other: keep the one that these servers are")
	case r.Sentinel != nil && r.Sentinel.Name == "":
		return errors.New("sentinel: name the group that the Sentinels watch, as `sentinel mymaster`")
	case len(r.Addresses) > 1 && r.Sentinel == nil && !r.Cluster:
		return errors.New("sessions redis: several addresses need `sentinel NAME` or `cluster` in the block, " +
			"whichever they are: independent servers would each hold a part of the sessions")
	case sockets && (r.Sentinel != nil || r.Cluster):
		return errors.New("sessions redis: a unix socket leads to one server: give host:port for Sentinels and clusters")
	case r.DB < 0:
		return errors.New("db: the number of a database is 0 or more")
	case r.DB > 0 && r.Cluster:
		return errors.New("db: a cluster has database 0 only: leave db out, and use prefix where installations share it")
	}
	return nil
}

func (r *Redis) checkUsers() error {
	if r.Username != "" && r.Password == "" || r.Sentinel != nil && r.Sentinel.Username != "" && r.Sentinel.Password == "" {
		return errors.New("username: Redis takes no user without a password: add `password {file./run/secrets/redis}`, or leave username out")
	}
	return nil
}

var prefixForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{0,32}$`)

func checkPrefix(prefix string) error {
	if !hasPlaceholder(prefix) && !prefixForm.MatchString(prefix) {
		return fmt.Errorf("prefix: %q: use up to 32 letters, digits, dots, - and _", prefix)
	}
	return nil
}

func (p *Postgres) check() error {
	switch {
	case strings.TrimSpace(p.DSN) == "":
		return errors.New("accounts postgres: say which database, as \"host=db1 dbname=mfa user=stepgate\"")
	case holdsPassword(p.DSN):
		return errors.New("accounts postgres: a password in the DSN would be logged: take it out, and write it as a word of the block, " +
			"`password {file./run/secrets/pg}`")
	}
	return nil
}

// passwordWord is a password in a DSN of words, or in a URL's query.
var passwordWord = regexp.MustCompile(`(?i)(^|[\s'?&])(ssl)?password\s*=`)

// holdsPassword finds a password in a DSN, in either of its forms.
func holdsPassword(dsn string) bool {
	_, rest, isURL := strings.Cut(dsn, "://")
	if plain, err := url.QueryUnescape(dsn); isURL && err == nil {
		dsn = plain
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	user := authority[:max(0, strings.LastIndex(authority, "@"))]
	return passwordWord.MatchString(dsn) || isURL && strings.Contains(user, ":")
}
