package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stepgate/stepgate/sessions"
)

// silence is how long a subscription may tell nothing, where beats come
// several times a second.
const silence = 5 * time.Second

// Lines implements sessions.Feed.
func (s *Store) Lines() int { return len(s.keys.tags) }

// ending are the arguments of a script that enters something in the log.
func (s *Store) ending(shard byte, more ...any) []any {
	return append([]any{s.keys.line(shard), rand.Text(), s.keys.endings()}, more...)
}

// Beat implements sessions.Feed, in one round trip to each server.
func (s *Store) Beat(ctx context.Context, mark uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lines := make([]int, s.Lines())
	for i := range lines {
		lines[i] = i
	}
	unknown, err := s.beat(ctx, lines, mark, tellPlace.EvalSha)
	if len(unknown) > 0 {
		_, again := s.beat(ctx, unknown, mark, tellPlace.Eval)
		err = errors.Join(err, again)
	}
	return s.fault(err)
}

type evaluate func(context.Context, goredis.Scripter, []string, ...any) *goredis.Cmd

// beat returns the lines whose server does not know the script.
func (s *Store) beat(ctx context.Context, lines []int, mark uint64, how evaluate) (unknown []int, err error) {
	answers := make([]*goredis.Cmd, len(lines))
	_, err = s.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for i, line := range lines {
			answers[i] = how(ctx, pipe, []string{s.keys.log(line)}, line, rand.Text(), s.keys.beats(s.node), mark)
		}
		return nil
	})
	if goredis.HasErrorPrefix(err, "NOSCRIPT") {
		err = nil
	}
	for i, answer := range answers {
		if failed := answer.Err(); goredis.HasErrorPrefix(failed, "NOSCRIPT") {
			unknown = append(unknown, lines[i])
		} else if failed != nil {
			err = failed
		}
	}
	return unknown, err
}

// Hear implements sessions.Feed over one connection, which is never replaced
// by another one unnoticed.
func (s *Store) Hear(ctx context.Context, heard func(sessions.Entry)) error {
	subscription := s.client.Subscribe(ctx)
	defer func() { _ = subscription.Close() }()
	// A read ends when the connection is closed, not when a context is.
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })()
	err := subscription.Subscribe(ctx, s.keys.endings(), s.keys.beats(s.node))
	for err == nil {
		err = s.hear(ctx, subscription, heard)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.fault(err)
}

// hear takes one message.
func (s *Store) hear(ctx context.Context, subscription *goredis.PubSub, heard func(sessions.Entry)) error {
	got, err := subscription.ReceiveTimeout(ctx, silence)
	if err != nil {
		return err
	}
	message, ok := got.(*goredis.Message)
	if !ok {
		return nil // that the subscription began
	}
	entry, err := decodeEntry(message.Payload, s.Lines())
	if err == nil {
		heard(entry)
	}
	return err
}

// decodeEntry reads line|log|number|mark|ids, where the ids follow each other
// without anything between them.
func decodeEntry(message string, lines int) (e sessions.Entry, err error) {
	part := strings.SplitN(message, "|", 5)
	if len(part) != 5 || len(part[4])%len(sessions.ID{}) != 0 {
		return sessions.Entry{}, errMessage
	}
	line, errLine := strconv.Atoi(part[0])
	number, errNumber := strconv.ParseUint(part[2], 10, 64)
	mark, errMark := strconv.ParseUint(part[3], 10, 64)
	if err := errors.Join(errLine, errNumber, errMark); err != nil || line < 0 || line >= lines {
		return sessions.Entry{}, fmt.Errorf("%w: line %q, number %q, mark %q", errMessage, part[0], part[2], part[3])
	}
	e = sessions.Entry{Line: line, Log: part[1], Number: number, Mark: mark}
	for ids := part[4]; ids != ""; ids = ids[len(sessions.ID{}):] {
		e.Ended = append(e.Ended, sessions.ID([]byte(ids[:len(sessions.ID{})])))
	}
	return e, nil
}

var errMessage = errors.New("a message of the log of endings cannot be read: do all nodes run the same version?")
