package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// What holds for every channel.
const (
	// waiting is how many messages may wait; more come only from a provider
	// that does not keep up, and would be stale when it does.
	waiting = 256
	// workers hand over messages at the same time.
	workers = 4
	// usefulCode is how long a code may wait: whoever asked for it asks again, or
	// has gone another way. An announcement is asked for by nobody, and may be
	// what tells of a thief.
	usefulCode   = 30 * time.Second
	usefulNotice = 10 * time.Minute
	// tryTimeout bounds one try, unless the operator says otherwise.
	tryTimeout = 10 * time.Second
	// retryAfter is the pause before the second try, the only one of a code.
	// Announcements begin anew so long after that.
	retryAfter = time.Second
	anewAfter  = time.Minute
	// failuresToOpen in a row open the breaker; openFor later one message tries
	// whether the provider is back.
	failuresToOpen = 5
	openFor        = 30 * time.Second
	// closing is how long Close lets messages go out.
	closing = 5 * time.Second
)

// Meter counts what became of messages: sent, failed, unclear, refused, or
// dropped unsent.
type Meter interface {
	Notified(ch Channel, outcome string)
}

// Options are what a courier needs. A nil carrier is a channel that is not
// configured.
type Options struct {
	Mail, SMS               Carrier
	MailTimeout, SMSTimeout time.Duration // of one try; 10 s if 0
	Log                     *slog.Logger
	Meter                   Meter // may be nil
}

// Courier sends messages in the background. Its methods are safe for
// concurrent use.
type Courier struct {
	lanes map[Channel]*lane
	stop  context.CancelFunc
	mu    sync.RWMutex // held for writing while the queues are closed
	ended bool
	done  sync.WaitGroup
}

// New starts a courier. Close ends it.
func New(o Options) *Courier {
	ctx, stop := context.WithCancel(context.Background())
	c := &Courier{lanes: make(map[Channel]*lane), stop: stop}
	c.open(ctx, Mail, o.Mail, o.MailTimeout, o)
	c.open(ctx, SMS, o.SMS, o.SMSTimeout, o)
	return c
}

func (c *Courier) open(ctx context.Context, ch Channel, carrier Carrier, timeout time.Duration, o Options) {
	if carrier == nil {
		return
	}
	l := newLane(ch, carrier, timeout, o)
	l.anew = func(m queued) error { return c.put(l, m) }
	c.lanes[ch] = l
	for range workers {
		c.done.Go(func() { l.work(ctx) })
	}
}

// Has tells whether a channel is configured.
func (c *Courier) Has(ch Channel) bool { return c.lanes[ch] != nil }

// Send puts m into its channel's queue. It returns ErrUnavailable at once if the
// channel is not configured, the queue is full, or the provider sends no
// messages of this kind; for a code also if the provider is known to be down. Nil
// does not mean that the message arrives. The context is not that of the
// sending, which goes on when the request has ended.
func (c *Courier) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := c.lanes[m.Channel]
	if l == nil || !l.carrier.Carries(m) || m.Code != "" && l.breaker.State() == gobreaker.StateOpen {
		return ErrUnavailable
	}
	return c.put(l, queued{m, time.Now()})
}

func (c *Courier) put(l *lane, m queued) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.ended {
		return ErrUnavailable
	}
	select {
	case l.queue <- m:
		return nil
	default:
		return ErrUnavailable
	}
}

// Close takes no more messages and lets those that wait go out, for at most a
// few seconds. It returns when nothing runs anymore.
func (c *Courier) Close() error {
	c.mu.Lock()
	if !c.ended {
		c.ended = true
		for _, l := range c.lanes {
			close(l.queue)
		}
	}
	c.mu.Unlock()
	giveUp := time.AfterFunc(closing, c.stop)
	defer giveUp.Stop()
	c.done.Wait()
	c.stop()
	return nil
}
