package sessions

import (
	"context"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// moving is a store in which something happens as soon as it was listed.
type moving struct {
	*memory
	listed func()
}

func (m *moving) List(ctx context.Context, who identity.Subject, now time.Time) ([]Record, error) {
	all, err := m.memory.List(ctx, who, now)
	if f := m.listed; f != nil {
		m.listed = nil
		f()
	}
	return all, err
}

// TestEndOthersFollowsNewTokens: a session that gets a new token while the
// others are ended ends as well; the one that asks, with its own new tokens,
// stays, and so do other people's.
func TestEndOthersFollowsNewTokens(t *testing.T) {
	c := new(clock)
	c.Store(time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	m := &moving{memory: &memory{records: map[ID]Record{}}}
	s := over(t, m, ringOf(t, "k1"), c.now)
	here, _ := verified(t, s)
	other, old := verified(t, s)
	_, half := begin(t, s)
	bobs, _, err := s.Begin(Record{Site: "wiki", Subject: identity.Subject{Realm: "staff", Name: "bob"}, BeganAt: c.now(), ExpiresAt: c.now().Add(time.Hour), Idle: time.Hour})
	check(t, err)
	check(t, s.Start(t.Context(), bobs))
	var renewed, moved string
	m.listed = func() {
		_, ck, err := s.Renew(t.Context(), here, here.AMR, identity.Device, c.now())
		check(t, err)
		renewed = ck.Value
		_, ck, err = s.Renew(t.Context(), other, other.AMR, identity.Device, c.now())
		check(t, err)
		moved = ck.Value
	}
	check(t, s.EndOthers(t.Context(), here))
	for what, value := range map[string]string{"the old token": old.Value, "the new one": moved, "a pending one": half.Value} {
		if s.alive(t, value) {
			t.Errorf("%s is alive", what)
		}
	}
	if !s.alive(t, renewed) || len(m.records) != 2 {
		t.Errorf("this one: %v, in all %d", s.alive(t, renewed), len(m.records))
	}
}
