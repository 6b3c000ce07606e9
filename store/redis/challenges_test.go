//go:build e2e

package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
)

// changes are all that can be done to a challenge with a part "sent", "p-1".
func changes(s challenge.Store, id string, now time.Time) map[string]func(context.Context) error {
	p := challenge.Part{Name: "key", ID: "p-2", Data: []byte("sealed"), ExpiresAt: now.Add(time.Minute)}
	return map[string]func(context.Context) error{
		"attempt":   func(ctx context.Context) error { _, err := s.Attempt(ctx, id, 5, now); return err },
		"keep part": func(ctx context.Context) error { _, err := s.KeepPart(ctx, id, p, now); return err },
		"put part":  func(ctx context.Context) error { return s.PutPart(ctx, id, p, now) },
		"take part": func(ctx context.Context) error { _, err := s.TakePart(ctx, id, "sent", "p-1", now); return err },
		"open":      func(ctx context.Context) error { return s.Open(ctx, id, "sms", identity.Telephone, now) },
	}
}

func underWay(t *testing.T, s *Store, now time.Time) challenge.Record {
	t.Helper()
	r := challenge.Record{ID: "c-1", Subject: alice, ExpiresAt: now.Add(time.Minute), Parts: map[string]challenge.Part{
		"sent": {Name: "sent", ID: "p-1", ExpiresAt: now.Add(time.Minute)},
	}}
	must(t, s.Challenges().Create(t.Context(), r))
	return r
}

// TestChallengesAreForgotten: whatever changes, Redis removes them at the end.
func TestChallengesAreForgotten(t *testing.T) {
	s := open(t, single(e2e.StartRedis(t, e2e.RedisOptions{})))
	now := time.Now()
	r := underWay(t, s, now)
	for what, change := range changes(s.Challenges(), r.ID, now) {
		must(t, change(t.Context()))
		left, err := s.client.PTTL(t.Context(), s.keys.challenge(r.ID)).Result()
		must(t, err)
		if left <= margin || left > margin+time.Minute {
			t.Errorf("%s: removed after %v", what, left)
		}
	}
}

// TestChallengesOfOtherVersions: what the version before wrote is over in every
// step, and no script changes what it cannot read.
func TestChallengesOfOtherVersions(t *testing.T) {
	s := open(t, single(e2e.StartRedis(t, e2e.RedisOptions{})))
	now := time.Now()
	r := underWay(t, s, now)
	key := s.keys.challenge(r.ID)
	for _, written := range []byte{partless, version + 1} {
		must(t, s.client.SetRange(t.Context(), key, 10, string(written)).Err())
		before := s.client.Get(t.Context(), key).Val()
		for what, change := range changes(s.Challenges(), r.ID, now) {
			if err := change(t.Context()); !errors.Is(err, challenge.ErrNotFound) {
				t.Errorf("%s, version %d: %v", what, written, err)
			}
		}
		if s.client.Get(t.Context(), key).Val() != before {
			t.Errorf("version %d was changed", written)
		}
	}
	must(t, s.client.SetRange(t.Context(), key, 10, string([]byte{partless})).Err())
	for range 2 { // there, and then gone
		if _, err := s.Challenges().Take(t.Context(), r.ID, now); !errors.Is(err, challenge.ErrNotFound) {
			t.Error(err)
		}
	}
}
