package redis

import (
	"context"
	"time"
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

func (k keys) nodes() string { return k.prefix + ":nodes" }
