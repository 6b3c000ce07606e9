package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var announceNode = script("nodes")

// Announce keeps the note of a node for a time, by Redis's own clock, and
// returns those of all nodes whose time has not passed, this one's as well.
func (s *Store) Announce(ctx context.Context, node string, note []byte, keep time.Duration) ([]string, error) {
	notes, err := s.run(ctx, announceNode, []string{s.keys.nodes()}, node, note, keep.Milliseconds()).StringSlice()
	return notes, s.fault(err)
}

// Leave removes the note of a node.
func (s *Store) Leave(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.fault(s.client.HDel(ctx, s.keys.nodes(), node).Err())
}

// Owner returns the accounts that these sessions belong to, "" if nobody said
// so yet, and the key that has them.
func (s *Store) Owner(ctx context.Context) (accounts, key string, err error) {
	accounts, err = s.get(ctx, s.keys.accounts())
	if errors.Is(err, goredis.Nil) {
		err = nil
	}
	return accounts, s.keys.accounts(), s.fault(err)
}

// Own says for good which accounts these sessions belong to, unless that was
// said before.
func (s *Store) Own(ctx context.Context, accounts string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.client.Do(ctx, "SET", s.keys.accounts(), accounts, "NX").Err()
	if errors.Is(err, goredis.Nil) {
		err = nil
	}
	return s.fault(err)
}

func (k keys) accounts() string { return k.prefix + ":accounts" }
func (k keys) nodes() string    { return k.prefix + ":nodes" }
