package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var hello = Message{Channel: SMS, To: "+491701234567", Lang: "en", Text: "Your code is 482913.", Code: "482913", Purpose: "login"}

// script is a carrier that does as it is told.
type script struct {
	mu    sync.Mutex
	tries []time.Time
	do    func(ctx context.Context, try int) error
	codes bool // carries codes only
}

func (s *script) Carries(m Message) bool { return !s.codes || m.Code != "" }

func (s *script) Carry(ctx context.Context, _ Message) error {
	s.mu.Lock()
	s.tries = append(s.tries, time.Now())
	n := len(s.tries)
	s.mu.Unlock()
	return s.do(ctx, n)
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries)
}

func (s *script) count() int { return len(s.times()) }

func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

func always(err error) func(context.Context, int) error {
	return func(context.Context, int) error { return err }
}

// counts is a Meter.
type counts struct {
	mu  sync.Mutex
	got map[string]int
}

func (c *counts) Notified(ch Channel, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got == nil {
		c.got = make(map[string]int)
	}
	c.got[string(ch)+" "+outcome]++
}

func (c *counts) of(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got["sms "+outcome]
}

// inBubble runs f with a courier whose SMS go to s, on a clock of its own.
func inBubble(t *testing.T, s *script, f func(t *testing.T, c *Courier, m *counts, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, log := new(counts), new(bytes.Buffer)
		c := New(Options{SMS: s, Log: slog.New(slog.NewTextHandler(log, nil)), Meter: m})
		defer func() { _ = c.Close() }()
		f(t, c, m, log)
	})
}

func mustSend(t *testing.T, c *Courier, m Message) {
	t.Helper()
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func mustRefuse(t *testing.T, c *Courier, m Message) {
	t.Helper()
	if err := c.Send(t.Context(), m); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestSent(t *testing.T) {
	s := &script{do: always(nil)}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := c.Send(ctx, hello); err != nil {
			t.Fatal(err)
		}
		cancel() // the request has ended: the message goes out all the same
		synctest.Wait()
		if s.count() != 1 || m.of("sent") != 1 {
			t.Errorf("%d tries, %v", s.count(), m.got)
		}
	})
}

// A provider that hangs stalls nobody: Send takes no time at all, and says
// when no more can wait.
func TestSendNeverWaits(t *testing.T) {
	inBubble(t, &script{do: hang}, func(t *testing.T, c *Courier, _ *counts, _ *bytes.Buffer) {
		start, taken := time.Now(), 0
		for range 10 * waiting {
			if c.Send(t.Context(), hello) == nil {
				taken++
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		if taken < waiting || taken > waiting+workers {
			t.Errorf("%d messages were taken", taken)
		}
	})
}

func TestUnavailable(t *testing.T) {
	s := &script{do: always(nil), codes: true}
	inBubble(t, s, func(t *testing.T, c *Courier, _ *counts, _ *bytes.Buffer) {
		mustRefuse(t, c, Message{Channel: Mail, To: "a@example.com"})
		mustRefuse(t, c, Message{Channel: "fax"})
		mustRefuse(t, c, Message{Channel: SMS, To: hello.To, Text: "Something changed."}) // has no code
		if c.Has(Mail) || !c.Has(SMS) {
			t.Error("only SMS are configured")
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, c, hello)
		if s.count() != 0 {
			t.Errorf("%d were sent", s.count())
		}
	})
}

// Exactly one more try, and only where the provider certainly has nothing.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		tries   int
		outcome string
	}{
		"temporary":    {fault(Temporary, "503"), 2, "failed"},
		"deferred":     {fault(Deferred, "452"), 2, "refused"},
		"refused":      {fault(Refused, "550"), 1, "refused"},
		"broken":       {fault(Broken, "401"), 1, "failed"},
		"unclear":      {fault(Unclear, "504"), 1, "unclear"},
		"unknown":      {errors.New("?"), 1, "unclear"},
		"wrapped":      {errors.Join(errors.New("?"), fault(Temporary, "503")), 2, "failed"},
		"no_time_left": {context.DeadlineExceeded, 1, "unclear"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{do: always(c.err)}
			inBubble(t, s, func(t *testing.T, courier *Courier, m *counts, _ *bytes.Buffer) {
				mustSend(t, courier, hello)
				time.Sleep(time.Minute)
				if s.count() != c.tries || m.of(c.outcome) != 1 {
					t.Errorf("%d tries, %v", s.count(), m.got)
				}
			})
		})
	}
}

func TestSecondTrySucceeds(t *testing.T) {
	s := &script{do: func(_ context.Context, try int) error {
		if try == 1 {
			return fault(Temporary, "503")
		}
		return nil
	}}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		mustSend(t, c, hello)
		time.Sleep(time.Minute)
		tries := s.times()
		if len(tries) != 2 || tries[1].Sub(tries[0]) != retryAfter || m.of("sent") != 1 {
			t.Errorf("%v, %v", tries, m.got)
		}
	})
}

// A provider that fails is left alone, then tried by one message, and used
// again when it is back.
func TestBreaker(t *testing.T) {
	var back bool
	s := &script{}
	s.do = func(ctx context.Context, n int) error {
		if back {
			return nil
		}
		return hang(ctx, n)
	}
	inBubble(t, s, func(t *testing.T, c *Courier, _ *counts, log *bytes.Buffer) {
		for range failuresToOpen {
			mustSend(t, c, hello)
			time.Sleep(tryTimeout)
			synctest.Wait()
		}
		mustRefuse(t, c, hello)
		tried := s.count()
		time.Sleep(openFor + time.Second)
		mustSend(t, c, hello) // still down
		time.Sleep(tryTimeout)
		synctest.Wait()
		mustRefuse(t, c, hello)
		if s.count() != tried+1 {
			t.Errorf("%d tries more", s.count()-tried)
		}
		time.Sleep(openFor + time.Second)
		back = true
		mustSend(t, c, hello)
		synctest.Wait()
		for range 3 * failuresToOpen {
			mustSend(t, c, hello)
		}
		synctest.Wait()
		if s.count() != tried+2+3*failuresToOpen {
			t.Errorf("%d tries more", s.count()-tried)
		}
		for _, text := range []string{"the provider fails", "takes messages again"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("the log does not say %q", text)
			}
		}
	})
}

// Numbers that no provider takes switch nothing off for others.
func TestBreakerIsNotThePersons(t *testing.T) {
	for _, k := range []Kind{Refused, Deferred} {
		s := &script{do: always(fault(k, "no such number"))}
		inBubble(t, s, func(t *testing.T, c *Courier, _ *counts, _ *bytes.Buffer) {
			for range 4 * failuresToOpen {
				mustSend(t, c, hello)
				time.Sleep(2 * retryAfter)
			}
			mustSend(t, c, hello)
		})
	}
}

// What waited too long is not sent: whoever asked for it has gone.
func TestStale(t *testing.T) {
	s := &script{do: func(ctx context.Context, try int) error { time.Sleep(8 * time.Second); return nil }}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, log *bytes.Buffer) {
		for range 10 * workers {
			mustSend(t, c, hello)
		}
		time.Sleep(10 * time.Minute)
		tries := s.times()
		last := slices.MaxFunc(tries, time.Time.Compare)
		if m.of("sent") != 4*workers || m.of("dropped") != 6*workers || last.Sub(tries[0]) > usefulCode {
			t.Errorf("%v, the last after %v", m.got, last.Sub(tries[0]))
		}
		if !strings.Contains(log.String(), "waited too long") {
			t.Error("the log does not say so")
		}
	})
}

func TestTryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(counts)
		c := New(Options{SMS: &script{do: hang}, SMSTimeout: 3 * time.Second, Log: slog.New(slog.DiscardHandler), Meter: m})
		defer func() { _ = c.Close() }()
		mustSend(t, c, hello)
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		before := m.of("unclear")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if before != 0 || m.of("unclear") != 1 {
			t.Errorf("%d, then %v", before, m.got)
		}
	})
}

func TestCloseSendsWhatWaits(t *testing.T) {
	s := &script{do: func(context.Context, int) error { time.Sleep(time.Second); return nil }}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		for range 3 * workers {
			mustSend(t, c, hello)
		}
		if err := c.Close(); err != nil || m.of("sent") != 3*workers {
			t.Errorf("%v, %v", err, m.got)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	inBubble(t, &script{do: hang}, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		for range 3 * workers {
			mustSend(t, c, hello)
		}
		start := time.Now()
		if err := c.Close(); err != nil || time.Since(start) != closing {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if m.of("unclear") != workers || m.of("dropped") != 2*workers {
			t.Errorf("%v", m.got)
		}
		if err := c.Close(); err != nil { // once more does no harm
			t.Error(err)
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	inBubble(t, &script{do: func(context.Context, int) error { panic("482913") }}, func(t *testing.T, c *Courier, m *counts, log *bytes.Buffer) {
		mustSend(t, c, hello)
		synctest.Wait()
		if m.of("unclear") != 1 || strings.Contains(log.String(), hello.Code) {
			t.Errorf("%v, %s", m.got, log)
		}
	})
}
