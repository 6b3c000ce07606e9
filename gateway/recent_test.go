package gateway_test

import (
	"testing"
	"time"
)

// TestRecentPassStaysAsOldAsItIs: a login that is not asked because of a pass
// minutes ago is no new pass, and vouches for nothing. Two linked sites would
// renew each other's otherwise, one password after the other, without end.
func TestRecentPassStaysAsOldAsItIs(t *testing.T) {
	wiki, blog := linkedPair(t)
	both := func(d time.Duration) { wiki.sleep(d); blog.now.Store(wiki.now.Load()) }
	there := wiki.verified("alice")
	both(4 * time.Minute)
	if there.password("alice"); there.user() == "-" {
		t.Fatal("four minutes after the pass alice is asked")
	}
	if passesByLink(typed(blog), there) {
		t.Error("who was not asked vouches at another site")
	}
	both(2 * time.Minute)
	if there.password("alice"); there.user() != "-" {
		t.Error("six minutes after the only code alice is let in by her password")
	}
}
