//go:build e2e

package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

// An operation does something of a name, and later proves that it was done.
type operation struct {
	name string
	do   func(ctx context.Context, a *Accounts, name string) error
	done func(ctx context.Context, a *Accounts, name string) error
}

func person(name string) identity.Subject { return identity.Subject{Realm: "wiki", Name: name} }

var operations = []operation{
	{"bind", func(ctx context.Context, a *Accounts, n string) error {
		return a.BindFirst(ctx, accounts.Credential{ID: n, Subject: person(n), Factor: identity.TOTP, Secret: []byte(n)})
	}, func(ctx context.Context, a *Accounts, n string) error {
		got, err := a.Account(ctx, person(n))
		if err == nil && (got.State != identity.Bound || len(got.Credentials) != 1 || string(got.Credentials[0].Secret) != n) {
			err = fmt.Errorf("account is %+v", got)
		}
		return err
	}},
	{"step", func(ctx context.Context, a *Accounts, n string) error {
		return a.AdvanceStep(ctx, n, 7, true, time.Now())
	}, func(ctx context.Context, a *Accounts, n string) error {
		return want(accounts.ErrSpent, a.AdvanceStep(ctx, n, 7, true, time.Now()))
	}},
	{"spend", func(ctx context.Context, a *Accounts, n string) error {
		return a.SpendID(ctx, n, time.Now().Add(time.Hour))
	}, func(ctx context.Context, a *Accounts, n string) error {
		return want(accounts.ErrSpent, a.SpendID(ctx, n, time.Now().Add(time.Hour)))
	}},
	{"charge", func(ctx context.Context, a *Accounts, n string) error {
		_, err := a.Budgets().Charge(ctx, n, three, time.Now())
		return err
	}, func(ctx context.Context, a *Accounts, n string) error {
		b, err := a.Budgets().Peek(ctx, n, three, time.Now())
		if err == nil && b.Remaining != 2 {
			err = fmt.Errorf("balance is %+v", b)
		}
		return err
	}},
	{"end", func(ctx context.Context, a *Accounts, n string) error {
		return a.EndSessions(ctx, person(n), time.Now())
	}, func(ctx context.Context, a *Accounts, n string) error {
		ended, err := a.Ended(ctx, person(n), n+"-other", time.Now().Add(-time.Hour))
		if err == nil && !ended {
			err = errors.New("the session goes on")
		}
		return err
	}},
}

func want(want, got error) error {
	if errors.Is(got, want) {
		return nil
	}
	return fmt.Errorf("got %v, want %v", got, want)
}

// load does all operations again and again, each time with a new name, and remembers what was confirmed.
type load struct {
	t    *testing.T
	stop context.CancelFunc
	all  sync.WaitGroup

	calls, faults atomic.Int64
	slowest       atomic.Int64 // of the calls, in nanoseconds

	mu        sync.Mutex
	confirmed [][2]string
}

const workers = 24

// startLoad works on all stores in turn. A store that says no where it cannot know fails the test.
func startLoad(t *testing.T, stores ...*Accounts) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{t: t, stop: stop}
	for w := range workers {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.round(stores[(w+i)%len(stores)], fmt.Sprintf("%d-%d", w, i))
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) round(a *Accounts, name string) {
	for _, op := range operations {
		began := time.Now()
		err := op.do(context.Background(), a, name)
		l.count(time.Since(began), err)
		switch {
		case err == nil:
			l.mu.Lock()
			l.confirmed = append(l.confirmed, [2]string{op.name, name})
			l.mu.Unlock()
		case errors.Is(err, accounts.ErrSpent), errors.Is(err, accounts.ErrAlreadyBound):
			l.t.Errorf("%s %s, done once, says %v", op.name, name, err)
		default:
			return // the others rest on it
		}
	}
}

func (l *load) count(took time.Duration, err error) {
	l.calls.Add(1)
	if err != nil {
		l.faults.Add(1)
	}
	for {
		slowest := l.slowest.Load()
		if int64(took) <= slowest || l.slowest.CompareAndSwap(slowest, int64(took)) {
			return
		}
	}
}

// works waits until an operation that began now succeeds, and says how long that took.
func (l *load) works() time.Duration {
	l.t.Helper()
	l.mu.Lock()
	before := len(l.confirmed)
	l.mu.Unlock()
	began := time.Now()
	for time.Since(began) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
		l.mu.Lock()
		now := len(l.confirmed)
		l.mu.Unlock()
		if now > before+2*workers { // more than what was under way
			return time.Since(began)
		}
	}
	l.t.Fatal("no recovery within 10 s")
	return 0
}

func (l *load) end() {
	l.stop()
	l.all.Wait()
}

// verify ends the load and checks that everything that was confirmed holds, and that nobody waited too long.
func (l *load) verify(a *Accounts) {
	l.t.Helper()
	l.end()
	for _, said := range l.confirmed {
		for _, op := range operations {
			if op.name != said[0] {
				continue
			}
			if err := op.done(l.t.Context(), a, said[1]); err != nil {
				l.t.Errorf("%s %s was confirmed and is lost: %v", said[0], said[1], err)
			}
		}
	}
	slowest := time.Duration(l.slowest.Load())
	l.t.Logf("%d calls, %d of them denied, %d confirmed and there; the slowest took %v", l.calls.Load(), l.faults.Load(), len(l.confirmed), slowest)
	if slowest > 2*time.Second {
		l.t.Errorf("somebody waited for %v", slowest)
	}
	if len(l.confirmed) < 500 || l.faults.Load() == 0 {
		l.t.Error("the load was too small, or met no fault")
	}
}
