package gateway_test

import (
	"context"
	"sync"

	"github.com/stepgate/stepgate/notify"
)

// postbox keeps what would have been sent. The real couriers are tried where
// they are made, and in the end-to-end tests.
type postbox struct {
	mu   sync.Mutex
	all  []notify.Message
	down map[notify.Channel]bool // not configured, or broken
}

func (p *postbox) Has(ch notify.Channel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.down[ch]
}

func (p *postbox) Send(_ context.Context, m notify.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down[m.Channel] {
		return notify.ErrUnavailable
	}
	p.all = append(p.all, m)
	return nil
}

// take returns what came since the last call.
func (p *postbox) take() []notify.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

// code is the newest code that came to an address.
func (p *postbox) code(to string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.all) - 1; i >= 0; i-- {
		if p.all[i].To == to && p.all[i].Code != "" {
			return p.all[i].Code
		}
	}
	return ""
}
