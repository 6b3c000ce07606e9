package gateway_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/sessions"
)

// faults lets one method of a store fail or hang, and counts calls. The real
// store does everything else.
type faults struct {
	mu    sync.Mutex
	calls map[string]int
	at    string
	hang  bool
	err   error // what it fails with
	watch func(method string)
}

var errStore = errors.New("the store cannot answer")

// set names the method that fails; hang lets it wait for its context instead.
func (f *faults) set(method string, hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.hang, f.err = method, hang, errStore
	clear(f.calls)
}

// answer lets a method give an answer that is an error, as of a race lost.
func (f *faults) answer(method string, err error) {
	f.set(method, false)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *faults) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *faults) pass(ctx context.Context, method string) error {
	f.mu.Lock()
	f.calls[method]++
	hit, hang, err, watch := f.at == method, f.hang, f.err, f.watch
	f.mu.Unlock()
	if watch != nil {
		watch(method)
	}
	if hit && hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if hit {
		return err
	}
	return nil
}

// ask is a call that may fail before it is made.
func ask[T any](ctx context.Context, f *faults, method string, do func() (T, error)) (v T, err error) {
	if err := f.pass(ctx, method); err != nil {
		return v, err
	}
	return do()
}

func tell(ctx context.Context, f *faults, method string, do func() error) error {
	if err := f.pass(ctx, method); err != nil {
		return err
	}
	return do()
}

type faultySessions struct {
	sessions.Store
	f *faults
}

func (s faultySessions) Create(ctx context.Context, r sessions.Record) error {
	return tell(ctx, s.f, "sessions.Create", func() error { return s.Store.Create(ctx, r) })
}

func (s faultySessions) Find(ctx context.Context, id sessions.ID, now time.Time) (sessions.Record, error) {
	return ask(ctx, s.f, "sessions.Find", func() (sessions.Record, error) { return s.Store.Find(ctx, id, now) })
}

func (s faultySessions) List(ctx context.Context, who identity.Subject, now time.Time) ([]sessions.Record, error) {
	return ask(ctx, s.f, "sessions.List", func() ([]sessions.Record, error) { return s.Store.List(ctx, who, now) })
}

func (s faultySessions) Replace(ctx context.Context, old sessions.ID, r sessions.Record) error {
	return tell(ctx, s.f, "sessions.Replace", func() error { return s.Store.Replace(ctx, old, r) })
}

func (s faultySessions) Touch(ctx context.Context, seen map[sessions.ID]time.Time) error {
	return tell(ctx, s.f, "sessions.Touch", func() error { return s.Store.Touch(ctx, seen) })
}

func (s faultySessions) End(ctx context.Context, id sessions.ID) (sessions.Record, error) {
	return ask(ctx, s.f, "sessions.End", func() (sessions.Record, error) { return s.Store.End(ctx, id) })
}

type faultyChallenges struct {
	challenge.Store
	f *faults
}

func (s faultyChallenges) Create(ctx context.Context, r challenge.Record) error {
	return tell(ctx, s.f, "challenges.Create", func() error { return s.Store.Create(ctx, r) })
}

func (s faultyChallenges) Find(ctx context.Context, id string, now time.Time) (challenge.Record, error) {
	return ask(ctx, s.f, "challenges.Find", func() (challenge.Record, error) { return s.Store.Find(ctx, id, now) })
}

func (s faultyChallenges) Attempt(ctx context.Context, id string, most int, now time.Time) (int, error) {
	return ask(ctx, s.f, "challenges.Attempt", func() (int, error) { return s.Store.Attempt(ctx, id, most, now) })
}

func (s faultyChallenges) KeepPart(ctx context.Context, id string, p challenge.Part, now time.Time) (challenge.Part, error) {
	return ask(ctx, s.f, "challenges.KeepPart", func() (challenge.Part, error) { return s.Store.KeepPart(ctx, id, p, now) })
}

func (s faultyChallenges) PutPart(ctx context.Context, id string, p challenge.Part, now time.Time) error {
	return tell(ctx, s.f, "challenges.PutPart", func() error { return s.Store.PutPart(ctx, id, p, now) })
}

func (s faultyChallenges) TakePart(ctx context.Context, id, name, part string, now time.Time) (challenge.Part, error) {
	return ask(ctx, s.f, "challenges.TakePart", func() (challenge.Part, error) { return s.Store.TakePart(ctx, id, name, part, now) })
}

func (s faultyChallenges) Open(ctx context.Context, id, by string, strength identity.Strength, now time.Time) error {
	return tell(ctx, s.f, "challenges.Open", func() error { return s.Store.Open(ctx, id, by, strength, now) })
}

func (s faultyChallenges) Take(ctx context.Context, id string, now time.Time) (challenge.Record, error) {
	return ask(ctx, s.f, "challenges.Take", func() (challenge.Record, error) { return s.Store.Take(ctx, id, now) })
}

type faultyEscrows struct {
	escrow.Store
	f *faults
}

func (s faultyEscrows) Put(ctx context.Context, id string, blob []byte, expires time.Time) error {
	return tell(ctx, s.f, "escrows.Put", func() error { return s.Store.Put(ctx, id, blob, expires) })
}

func (s faultyEscrows) Take(ctx context.Context, id string, now time.Time) ([]byte, error) {
	return ask(ctx, s.f, "escrows.Take", func() ([]byte, error) { return s.Store.Take(ctx, id, now) })
}

type faultyBudgets struct {
	limits.Store
	f *faults
}

func (s faultyBudgets) Peek(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	return ask(ctx, s.f, "budgets.Peek", func() (limits.Balance, error) { return s.Store.Peek(ctx, key, rates, now) })
}

func (s faultyBudgets) Charge(ctx context.Context, key string, rates []limits.Rate, now time.Time) (limits.Balance, error) {
	return ask(ctx, s.f, "budgets.Charge", func() (limits.Balance, error) { return s.Store.Charge(ctx, key, rates, now) })
}

func (s faultyBudgets) Refund(ctx context.Context, key string, rates []limits.Rate, now time.Time) error {
	return tell(ctx, s.f, "budgets.Refund", func() error { return s.Store.Refund(ctx, key, rates, now) })
}

type faultyTrail struct {
	audit.Trail
	f *faults
}

func (s faultyTrail) Append(ctx context.Context, r audit.Record) error {
	return tell(ctx, s.f, "trail.Append", func() error { return s.Trail.Append(ctx, r) })
}
