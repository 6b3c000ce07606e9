package notify

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// An announcement outlasts a provider's trouble, for a while; a code does not.
func TestAnnouncementsWait(t *testing.T) {
	notice := hello
	notice.Code, notice.Purpose = "", "announce"
	start := time.Now()
	s := &script{}
	s.do = func(context.Context, int) error {
		if time.Since(start) < 5*time.Minute {
			return fault(Temporary, "503")
		}
		return nil
	}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		start = time.Now()
		for s.count() < failuresToOpen {
			mustSend(t, c, hello)
			time.Sleep(2 * retryAfter)
		}
		mustRefuse(t, c, hello)
		for range 3 * workers {
			mustSend(t, c, notice)
		}
		tried := s.count()
		time.Sleep(4 * time.Minute)
		if n := s.count() - tried; n > 20 || m.of("sent") != 0 { // the breaker keeps them off
			t.Errorf("%d tries, %v", n, m.got)
		}
		time.Sleep(4 * time.Minute)
		if m.of("sent") != 3*workers {
			t.Errorf("%v", m.got)
		}
	})
}

// However many there are, only so many wait for the provider.
func TestAnnouncementsAreBounded(t *testing.T) {
	notice := hello
	notice.Code = ""
	s := &script{do: always(fault(Temporary, "503"))}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		for s.count() < failuresToOpen {
			mustSend(t, c, hello)
			time.Sleep(2 * retryAfter)
		}
		before := m.of("dropped")
		for range 2 * waiting {
			mustSend(t, c, notice)
			synctest.Wait()
		}
		if got := m.of("dropped") - before; got != waiting {
			t.Errorf("%d of %d were dropped", got, 2*waiting)
		}
	})
}

func TestAnnouncementsEnd(t *testing.T) {
	notice := hello
	notice.Code = ""
	s := &script{do: always(fault(Deferred, "450"))}
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		refused := 0
		for range 5 * waiting { // as many as fit, again and again: they do not pile up
			if c.Send(t.Context(), notice) != nil {
				refused++
			}
			time.Sleep(retryAfter / 5)
		}
		time.Sleep(usefulNotice + 2*anewAfter)
		synctest.Wait()
		if got := m.of("dropped") + m.of("refused") + refused; got != 5*waiting || m.of("dropped") == 0 {
			t.Errorf("%d of %d ended: %v", got, 5*waiting, m.got)
		}
	})
	inBubble(t, s, func(t *testing.T, c *Courier, m *counts, _ *bytes.Buffer) {
		mustSend(t, c, notice)
		time.Sleep(anewAfter / 2)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(anewAfter)
		synctest.Wait()
		if m.of("dropped") != 1 {
			t.Errorf("%v", m.got)
		}
	})
}
