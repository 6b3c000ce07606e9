package gateway

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// record writes one entry of the audit trail.
func (g *Gateway) record(ctx context.Context, v *visit, e audit.Event, who identity.Subject, reference string, reasons ...policy.Reason) error {
	return g.svc.Trail.Append(ctx, audit.Record{At: g.svc.Now(), Event: e, Site: g.site.Name, Subject: who,
		Reasons: reasons, Reference: reference, Address: v.at.Address, Browser: browserLabel(v.Request.Request)})
}

// recordOnce writes an entry that anybody can cause any number of times: one a
// minute for each network and what it is about, or strangers could fill the
// disk.
func (g *Gateway) recordOnce(v *visit, e audit.Event, about, reference string, reasons ...policy.Reason) error {
	return g.recordOnceOf(v, e, identity.Subject{}, about, reference, reasons...)
}

// recordOnceOf does the same for what is about somebody, as far as that is
// known: who it is makes no other entry.
func (g *Gateway) recordOnceOf(v *visit, e audit.Event, who identity.Subject, about, reference string, reasons ...policy.Reason) error {
	key := string(e) + "\x00" + about + "\x00" + network(v.at.Address)
	if !g.recent.first(key, g.svc.Now()) {
		return nil
	}
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	err := g.record(ctx, v, e, who, reference, reasons...)
	if err != nil {
		g.recent.forget(key)
	}
	return err
}

// network is an address as far as one person has it alone: of IPv6 the first
// 64 bits (RFC 6177).
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() || addr.Is4In6() {
		return address
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// recent remembers what was just recorded.
type recent struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// maxRecent bounds the memory, and with it what is recorded in a minute: what
// comes when it is full is only in the log and the metrics.
const maxRecent = 10_000

func newRecent() *recent { return &recent{last: make(map[string]time.Time)} }

func (r *recent) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last[key]) < time.Minute {
		return false
	}
	if len(r.last) >= maxRecent {
		maps.DeleteFunc(r.last, func(_ string, at time.Time) bool { return now.Sub(at) >= time.Minute })
	}
	if len(r.last) >= maxRecent {
		return false
	}
	r.last[key] = now
	return true
}

func (r *recent) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, key)
}

// browserLabel is the User-Agent, cut to what the audit trail keeps.
func browserLabel(r *http.Request) string {
	ua := r.UserAgent()
	return ua[:min(len(ua), 200)]
}
