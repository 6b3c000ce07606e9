package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// Create implements sessions.Store.
func (s *Store) Create(ctx context.Context, r sessions.Record) error {
	args, err := storing(&r)
	if err != nil {
		return s.fault(err)
	}
	err = s.run(ctx, createSession, []string{s.keys.session(r.ID), s.keys.index(r.Subject)}, args...).Err()
	return s.fault(err)
}

// storing are the arguments with which scripts store a session.
func storing(r *sessions.Record) ([]any, error) {
	if r.ID.Shard() != sessions.ShardOf(r.Subject) {
		return nil, fmt.Errorf("the session's id is not one of %s", r.Subject)
	}
	value, err := encodeSession(r)
	ends := min(millis(r.ExpiresAt), millis(r.SeenAt)+r.Idle.Milliseconds())
	return []any{value, keepUntil(ends), r.ID[:], keepUntil(millis(r.ExpiresAt))/1000 + 1}, err
}

// Find implements sessions.Store.
func (s *Store) Find(ctx context.Context, id sessions.ID, now time.Time) (sessions.Record, error) {
	value, err := s.run(ctx, findSession, []string{s.keys.logOf(id.Shard()), s.keys.session(id)}).Text()
	r, err := s.session(id, value, err)
	if err == nil && (!now.Before(r.ExpiresAt) || !now.Before(r.SeenAt.Add(r.Idle))) {
		return sessions.Record{}, sessions.ErrNotFound
	}
	return r, err
}

// session reads what Redis answered.
func (s *Store) session(id sessions.ID, value string, err error) (sessions.Record, error) {
	if err != nil {
		return sessions.Record{}, s.answer(err, sessions.ErrNotFound)
	}
	r, err := decodeSession(id, value)
	return r, s.fault(err)
}

// Replace implements sessions.Store.
func (s *Store) Replace(ctx context.Context, old sessions.ID, r sessions.Record) error {
	args, err := storing(&r)
	if err == nil && s.keys.line(old.Shard()) != s.keys.line(r.ID.Shard()) {
		err = fmt.Errorf("the session's id and the old one are not of one subject")
	}
	if err != nil {
		return s.fault(err)
	}
	shard := old.Shard()
	keys := []string{s.keys.logOf(shard), s.keys.session(old), s.keys.session(r.ID), s.keys.index(r.Subject)}
	args = append(s.ending(shard, old[:], s.keys.indexes(shard)), args...)
	return s.answer(s.run(ctx, replaceSession, keys, args...).Err(), sessions.ErrNotFound)
}

// touchAtOnce bounds what one script does while others wait.
const touchAtOnce = 500

// Touch implements sessions.Store, in one step for each line of the log and
// some hundred sessions.
func (s *Store) Touch(ctx context.Context, seen map[sessions.ID]time.Time) error {
	lines := make([][]sessions.ID, s.Lines())
	for id := range seen {
		line := s.keys.line(id.Shard())
		lines[line] = append(lines[line], id)
	}
	for _, ids := range lines {
		for some := range slices.Chunk(ids, touchAtOnce) {
			if err := s.touch(ctx, some, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) touch(ctx context.Context, ids []sessions.ID, seen map[sessions.ID]time.Time) error {
	keys, args := make([]string, len(ids)), []any{margin.Milliseconds()}
	for i, id := range ids {
		keys[i], args = s.keys.session(id), append(args, millis(seen[id]))
	}
	return s.fault(s.run(ctx, touchSessions, keys, args...).Err())
}

// End implements sessions.Store.
func (s *Store) End(ctx context.Context, id sessions.ID) (sessions.Record, error) {
	shard := id.Shard()
	keys := []string{s.keys.logOf(shard), s.keys.session(id)}
	value, err := s.run(ctx, endSession, keys, s.ending(shard, id[:], s.keys.indexes(shard))...).Text()
	return s.session(id, value, err)
}

// listed bounds what List reads: a person has a few sessions, a script that
// keeps no cookie may have made more.
const listed = 200

// List implements sessions.Store, with the sessions that live longest.
func (s *Store) List(ctx context.Context, who identity.Subject, now time.Time) (all []sessions.Record, err error) {
	ids, err := s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{Key: s.keys.index(who), Start: 0, Stop: listed - 1, Rev: true}).Result()
	if err != nil {
		return nil, s.fault(err)
	}
	for _, id := range ids {
		r, err := s.Find(ctx, sessions.ID([]byte(id)), now)
		if errors.Is(err, sessions.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// EndSubject implements sessions.Store.
func (s *Store) EndSubject(ctx context.Context, who identity.Subject) ([]sessions.ID, error) {
	shard := sessions.ShardOf(who)
	keys := []string{s.keys.logOf(shard), s.keys.index(who)}
	ended, err := s.run(ctx, endSubject, keys, s.ending(shard, s.keys.sessions(shard))...).StringSlice()
	if err != nil {
		return nil, s.fault(err)
	}
	ids := make([]sessions.ID, len(ended))
	for i := range ended {
		copy(ids[i][:], ended[i])
	}
	return ids, nil
}
