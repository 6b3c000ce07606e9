package sessions

import (
	"context"
	"errors"
	"slices"

	"github.com/stepgate/stepgate/identity"
)

// End ends a session now. A session that is gone already is no error. What
// the ledger does not know might come back with an older copy of the store;
// what the store does not know, other nodes do not hear of.
func (s *Sessions) End(ctx context.Context, live *Session) error {
	noted := s.Ledger.EndSession(ctx, live.ID.inLedger(), live.ExpiresAt)
	err := s.endInStore(ctx, live.ID)
	if err != nil {
		s.endSoon(live.ID)
	}
	live.ended.Store(true)
	s.heardEnd(live.ID)
	return errors.Join(noted, err)
}

func (s *Sessions) endInStore(ctx context.Context, id ID) error {
	if _, err := s.Store.End(ctx, id); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// EndRecord ends a session that somebody else may hold: one that List
// told.
func (s *Sessions) EndRecord(ctx context.Context, r Record) error {
	return s.End(ctx, &Session{Record: r})
}

// listings bounds how often EndOthers looks for sessions that were under way
// from one token to the next.
const listings = 3

// EndOthers ends all sessions of a session's person, at all sites, but that one
// and what follows it in the same family.
func (s *Sessions) EndOthers(ctx context.Context, live *Session) error {
	for range listings {
		all, err := s.Store.List(ctx, live.Subject, s.Now())
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(all, live.Same)
		if len(others) == 0 {
			return nil
		}
		for _, r := range others {
			if err := s.EndRecord(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Same tells whether a record is this session, perhaps under a newer token.
func (live *Session) Same(r Record) bool { return r.Site == live.Site && r.Family == live.Family }

// endSoon ends a session in the store as soon as that can be reached.
func (s *Sessions) endSoon(id ID) {
	s.unended.add(func(ctx context.Context) error { return s.endInStore(ctx, id) })
}

// EndSubject ends all sessions of a subject, and makes its next login ask
// again. Each is noted by itself as well: it may have begun by a clock that
// is ahead of ours.
func (s *Sessions) EndSubject(ctx context.Context, who identity.Subject) error {
	errs := []error{s.Ledger.EndSessions(ctx, who, s.Now())}
	ids, err := s.Store.EndSubject(ctx, who)
	s.near.flush() // also what another call has ended and not yet forgotten
	s.heardEnd(ids...)
	if err != nil {
		s.unended.add(func(ctx context.Context) error { return s.EndSubject(ctx, who) })
	}
	for _, id := range ids {
		errs = append(errs, s.Ledger.EndSession(ctx, id.inLedger(), s.Now().Add(longest)))
	}
	return errors.Join(append(errs, err)...)
}

// heardEnd forgets sessions that ended, here or on another node, and cuts
// what is open of them.
func (s *Sessions) heardEnd(ids ...ID) {
	s.near.end(ids...)
	s.streams.end(ids...)
}

// inLedger is the session's name among the ids that are spent.
func (id ID) inLedger() string { return "session/" + string(id[:]) }
