package gateway

import (
	"context"
	"net/http"
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
// minute for each address and reason, or strangers could fill the disk.
func (g *Gateway) recordOnce(v *visit, e audit.Event, reasons ...policy.Reason) error {
	key := string(e) + "\x00" + string(reasons[0].Code) + "\x00" + reasons[0].Detail + "\x00" + v.at.Address
	if !g.recent.first(key, g.svc.Now()) {
		return nil
	}
	ctx, cancel := detached(v.Request.Request, storeTimeout)
	defer cancel()
	err := g.record(ctx, v, e, identity.Subject{}, "", reasons...)
	if err != nil {
		g.recent.forget(key)
	}
	return err
}

// recent remembers what was just recorded.
type recent struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// maxRecent bounds the memory; when it is full, everything is recorded anew.
const maxRecent = 10_000

func newRecent() *recent { return &recent{last: make(map[string]time.Time)} }

func (r *recent) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last[key]) < time.Minute {
		return false
	}
	if len(r.last) >= maxRecent {
		clear(r.last)
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
