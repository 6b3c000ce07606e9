package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// lane is one channel's queue and what its workers need.
type lane struct {
	channel Channel
	carrier Carrier
	timeout time.Duration
	queue   chan queued
	breaker *gobreaker.CircuitBreaker[struct{}]
	log     *slog.Logger
	meter   Meter
	anew    func(queued) error // puts a message into the queue
	resting atomic.Int32       // announcements that wait for that
}

type queued struct {
	Message
	at time.Time
}

// useful is how long the message may wait.
func (m queued) useful() time.Duration {
	if m.Code != "" {
		return usefulCode
	}
	return usefulNotice
}

func newLane(ch Channel, carrier Carrier, timeout time.Duration, o Options) *lane {
	l := &lane{channel: ch, carrier: carrier, timeout: cmp.Or(timeout, tryTimeout), queue: make(chan queued, waiting),
		log: o.Log.With("channel", ch), meter: o.Meter}
	l.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:       openFor,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful:  alive,
		OnStateChange: func(_ string, _, to gobreaker.State) { l.changed(to) },
	})
	return l
}

func (l *lane) changed(to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		l.log.Error("the provider fails: nothing is sent for a while", "seconds", openFor.Seconds())
	case gobreaker.StateClosed:
		l.log.Info("the provider takes messages again")
	}
}

// work sends what comes, until the queue is closed and empty, or ctx ends.
func (l *lane) work(ctx context.Context) {
	for m := range l.queue {
		l.deliver(ctx, m)
	}
}

// deliver tries once, and once more if the provider certainly does not have the
// message.
func (l *lane) deliver(ctx context.Context, m queued) {
	start := time.Now()
	if l.stale(ctx, m) {
		return
	}
	err := l.try(ctx, m.Message)
	if again(err) {
		l.log.Warn("the provider did not take a message; trying once more", l.about(m, err)...)
		pause(ctx, retryAfter)
		if l.stale(ctx, m) {
			return
		}
		err = l.try(ctx, m.Message)
	}
	if m.Code == "" && (again(err) || turnedAway(err)) && l.rest(m) {
		return
	}
	l.report(m, time.Since(start), err)
}

// rest has an announcement begin anew later, unless too many do.
func (l *lane) rest(m queued) bool {
	if l.resting.Add(1) > waiting {
		l.resting.Add(-1)
		return false
	}
	time.AfterFunc(anewAfter, func() {
		l.resting.Add(-1)
		if l.anew(m) != nil {
			l.drop(m, "a message was dropped: the gateway stops, or too many wait")
		}
	})
	return true
}

// stale drops what is of no use anymore.
func (l *lane) stale(ctx context.Context, m queued) bool {
	switch {
	case ctx.Err() != nil:
		l.drop(m, "a message was dropped: the gateway stops")
	case time.Since(m.at) > m.useful():
		l.drop(m, "a message was dropped: it waited too long")
	default:
		return false
	}
	return true
}

func (l *lane) drop(m queued, why string) {
	l.log.Warn(why, append(l.about(m, nil), "waited", time.Since(m.at))...)
	l.count("dropped")
}

// turnedAway tells whether the breaker let nobody through to the provider.
func turnedAway(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

func (l *lane) try(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	_, err := l.breaker.Execute(func() (struct{}, error) { return struct{}{}, l.carry(ctx, m) })
	return err
}

// carry makes an error of a panic: what a provider answers must not end the
// process that guards the consoles.
func (l *lane) carry(ctx context.Context, m Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault(Unclear, "panic: %v", p)
		}
	}()
	return l.carrier.Carry(ctx, m)
}

func (l *lane) report(m queued, took time.Duration, err error) {
	switch {
	case err == nil:
		l.log.Info("a message was sent", append(l.about(m, nil), "took", took)...)
		l.count("sent")
	case turnedAway(err):
		l.drop(m, "a message was dropped: the provider fails")
	case kind(err) == Unclear:
		l.log.Error("a message may have been sent, or not", l.about(m, err)...)
		l.count("unclear")
	case alive(err):
		l.log.Warn("the provider refused a message", l.about(m, err)...)
		l.count("refused")
	default:
		l.log.Error("a message could not be sent", l.about(m, err)...)
		l.count("failed")
	}
}

// about is what the log may say of a message.
func (l *lane) about(m queued, err error) []any {
	attrs := []any{"purpose", m.Purpose, "to", masked(m.To), "lang", m.Lang}
	if err != nil {
		attrs = append(attrs, "error", scrubbed(err, m.Message))
	}
	return attrs
}

func (l *lane) count(outcome string) {
	if l.meter != nil {
		l.meter.Notified(l.channel, outcome)
	}
}

// pause ends early with ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
