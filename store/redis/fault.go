package redis

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

const (
	wantsPassword = "Redis wants a password: configure user and password"
	lacksRights   = "the user may not do all that is needed: see the rights in docs/configuration.md"
)

// remedies say what an operator can do about what Redis answers.
var remedies = []struct{ says, remedy string }{
	{"WRONGPASS", "check the user and the password"},
	{"NOAUTH", wantsPassword}, {"unauthenticated", wantsPassword},
	{"NOPERM", lacksRights}, {"can't run this command", lacksRights}, {"can't access", lacksRights},
	{"READONLY", "this is a replica: name the master, or let Sentinels or the cluster name it"},
	{"NOREPLICAS", "the master waits for its replicas (min-replicas-to-write): bring them back"},
	{"MASTERDOWN", "this is a replica without a master: look at the Sentinels"},
	{"OOM", "Redis is full: raise maxmemory or add memory"},
	{"MISCONF", "Redis cannot write to its disk: make room, or look at its log"},
	{"LOADING", "Redis still reads its data: wait"},
	{"BUSY", "another script blocks Redis: find it with SLOWLOG, or SCRIPT KILL"},
	{"CLUSTERDOWN", "a part of the cluster has no master: look at CLUSTER NODES"},
	{"MOVED", "this server belongs to a cluster: configure it as one"},
	{"CROSSSLOT", "this server belongs to a cluster: configure it as one"},
	{"WRONGTYPE", "another program uses the same keys: choose another prefix or database"},
	{"This instance has cluster support disabled", "this is no cluster: configure it as one server"},
	{"DB index is out of range", "Redis has fewer databases: choose a lower number"},
	{"max number of clients", "raise maxclients, or find who holds the connections"},
	{"all sentinels specified", "no Sentinel that answers knows this name: check their addresses, the name and their password"},
	{"first record does not look like a TLS handshake", "the server does not speak TLS on this port: turn tls off or name the other port"},
}

// answer turns "there is nothing" into what that means here, and every other
// error into a fault.
func (s *Store) answer(err, none error) error {
	if errors.Is(err, goredis.Nil) {
		err = none
	}
	if errors.Is(err, none) && none != errInUse {
		return err
	}
	return s.fault(err)
}

// fault says of an error which Redis it is about and what helps.
func (s *Store) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case remedy(err) == "":
		return fmt.Errorf("store: %s: %w", s.where, err)
	default:
		return fmt.Errorf("store: %s: %w: %s", s.where, err, remedy(err))
	}
}

func remedy(err error) string {
	for _, r := range remedies {
		if strings.Contains(err.Error(), r.says) {
			return r.remedy
		}
	}
	var network net.Error
	var certificate *x509.UnknownAuthorityError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "nobody listens there: start Redis, or correct the address"
	case errors.As(err, &certificate):
		return "the certificate is signed by nobody who is trusted: configure the authority"
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded), errors.Is(err, goredis.ErrPoolTimeout):
		return "no answer in time: check that Redis runs and is not overloaded, and that no firewall is in between"
	}
	return ""
}
