package sessions

import (
	"context"
	"sync"
)

// maxRetries bounds what is remembered to be done in the store. What is left
// out, the ledger knows.
const maxRetries = 10_000

// retries are steps that a store could not take and must take later.
type retries struct {
	mu    sync.Mutex
	steps []func(context.Context) error
}

func (r *retries) add(step func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) < maxRetries {
		r.steps = append(r.steps, step)
	}
}

func (r *retries) first() func(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) == 0 {
		return nil
	}
	return r.steps[0]
}

// run takes the steps in order until one fails again.
func (r *retries) run(ctx context.Context) {
	for step := r.first(); step != nil; step = r.first() {
		if step(ctx) != nil {
			return
		}
		r.mu.Lock()
		r.steps = r.steps[1:]
		r.mu.Unlock()
	}
}
