package sessions

import (
	"errors"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// TestListLeavesOutWhatEnded: a session that the store has again, or still,
// is not shown once the ledger ended it; what began later is. Where the ledger
// cannot tell, nothing is.
func TestListLeavesOutWhatEnded(t *testing.T) {
	s, _, c := service(t)
	book := s.Ledger.(*ledger)
	ids := func() (all []ID) {
		t.Helper()
		list, err := s.List(t.Context(), alice)
		check(t, err)
		for _, r := range list {
			all = append(all, r.ID)
		}
		return all
	}
	before, _ := verified(t, s)
	c.sleep(time.Minute)
	check(t, book.EndSessions(t.Context(), alice, c.now()))
	one, _ := verified(t, s)
	other, _ := verified(t, s)
	if got := ids(); len(got) != 2 || got[0] == before.ID || got[1] == before.ID {
		t.Errorf("%d sessions are listed", len(got))
	}
	check(t, book.EndSession(t.Context(), one.ID.inLedger(), one.ExpiresAt))
	if got := ids(); len(got) != 1 || got[0] != other.ID {
		t.Errorf("%d sessions are listed beside one that ended", len(got))
	}
	if none, err := s.List(t.Context(), identity.Subject{Realm: "staff", Name: "bob"}); err != nil || len(none) > 0 {
		t.Errorf("of somebody else: %v %v", none, err)
	}
	book.err = errors.New("away")
	if all, err := s.List(t.Context(), alice); err == nil || len(all) > 0 {
		t.Errorf("without the ledger %d are listed", len(all))
	}
}
