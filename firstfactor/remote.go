package firstfactor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// remoteStale is how long what an issuer published counts when it cannot be
// had again: so long an issuer may be away, and so long a key that it took back
// meanwhile goes on.
const remoteStale = 6 * time.Hour

// remote is something that an issuer publishes, as it is now or was a while
// ago: its description, its keys. Whatever people send, the issuer is asked by
// one question at a time, and then left alone for a while.
type remote[T any] struct {
	// load has it, and returns the old one if it is the same.
	load    func(ctx context.Context, old *T) (*T, error)
	fresh   time.Duration // then it is loaded again
	every   time.Duration // at most
	wait    time.Duration // of one request
	patient bool          // a request for a newer one waits until one may be loaded
	now     func() time.Time
	fault   func(error) // is told that it cannot be loaded

	current atomic.Pointer[T]
	readAt  atomic.Int64 // when current was loaded last, in Unix nanoseconds

	mu    sync.Mutex
	tried time.Time
	err   error         // of the last try
	doing chan struct{} // closed when the try under way is over
}

// get is what was published a while ago at most. When it has become old, it is
// loaded again; the old one counts only if that cannot be.
func (r *remote[T]) get(ctx context.Context) (*T, error) {
	if value := r.current.Load(); value != nil && r.age() < r.fresh {
		return value, nil
	}
	err := r.refresh(ctx, false)
	if value := r.current.Load(); value != nil && r.age() < remoteStale {
		return value, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: it was a long time ago", ErrIssuer)
	}
	return nil, err
}

// within is what was loaded so short a time ago, or is loaded now.
func (r *remote[T]) within(ctx context.Context, age time.Duration) (*T, error) {
	if value := r.current.Load(); value != nil && r.age() <= age {
		return value, nil
	}
	if err := r.refresh(ctx, false); err != nil {
		return nil, err
	}
	return r.current.Load(), nil
}

// after is what comes after an old one, in which something was not found. The
// same one means that nothing has, or that somebody asks without end.
func (r *remote[T]) after(ctx context.Context, old *T) (*T, error) {
	if value := r.current.Load(); value != old {
		return value, nil
	}
	if err := r.refresh(ctx, r.patient); err != nil {
		return nil, err
	}
	return r.current.Load(), nil
}

// still tells that nothing is known against what was concluded from a value.
// It does not wait.
func (r *remote[T]) still(value *T) bool {
	age := r.age()
	if age >= r.fresh {
		r.begin(false)
	}
	return r.current.Load() == value && age < remoteStale
}

func (r *remote[T]) age() time.Duration { return r.now().Sub(time.Unix(0, r.readAt.Load())) }

// refresh waits for a try, if there may be one, and returns what became of the
// last.
func (r *remote[T]) refresh(ctx context.Context, patient bool) error {
	ctx, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	if doing := r.begin(patient); doing != nil {
		select {
		case <-doing:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrIssuer, ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// begin tries to load it, unless that was tried just now, and returns what is
// closed when the try under way is over. The try is nobody's own: whoever
// waits may go away.
func (r *remote[T]) begin(patient bool) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	pause := max(0, r.every-now.Sub(r.tried))
	if r.doing == nil && (pause == 0 || patient) {
		r.tried, r.doing = now.Add(pause), make(chan struct{})
		go r.try(pause)
	}
	return r.doing
}

func (r *remote[T]) try(pause time.Duration) {
	time.Sleep(pause)
	ctx, cancel := context.WithTimeout(context.Background(), issuerTimeout)
	defer cancel()
	value, err := r.load(ctx, r.current.Load())
	if err == nil {
		r.current.Store(value)
		r.readAt.Store(r.now().UnixNano())
	} else {
		r.fault(err)
		err = fmt.Errorf("%w: %w", ErrIssuer, brief(err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.doing)
	r.doing, r.err = nil, err
}
