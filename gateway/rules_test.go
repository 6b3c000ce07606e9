package gateway_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

func dial(t testing.TB, r *rig) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	check(t, err)
	check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// scanTrail fails if the audit trail holds a credential, a password or a key.
func scanTrail(t testing.TB, r *rig, also ...string) {
	t.Helper()
	all, err := json.Marshal(r.trail())
	check(t, err)
	for _, mark := range append(also, secret, "pw-") {
		if i := strings.Index(string(all), mark); i >= 0 {
			t.Errorf("the trail holds %q: %s", mark, all[max(0, i-200):min(len(all), i+50)])
		}
	}
}
