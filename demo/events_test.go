package demo

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// listen runs the event stream to its end and counts what it sent.
func listen(ctx context.Context, b *browser) (events int, kind string) {
	a := b.send(httptest.NewRequestWithContext(ctx, "GET", "/events", nil))
	return strings.Count(body(b.t, a), "data: {"), a.Header.Get("Content-Type")
}

func TestEventsTickAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := signIn(t, NewConsole(), "alice")
		start := time.Now()
		events, kind := listen(t.Context(), b)
		if events != 60 || kind != "text/event-stream" {
			t.Errorf("%d events as %s, want 60", events, kind)
		}
		if took := time.Since(start); took != eventsLife {
			t.Errorf("the stream took %v", took)
		}
	})
}

func TestEventsEndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := signIn(t, NewConsole(), "alice")
		other := &browser{t: t, console: b.console, cookie: b.cookie}
		time.AfterFunc(2500*time.Millisecond, func() { other.post("/logout") })
		if events, _ := listen(t.Context(), b); events != 3 {
			t.Errorf("%d events, want 3", events)
		}
	})
}

func TestEventsEndWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := signIn(t, NewConsole(), "alice")
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if events, _ := listen(ctx, b); events != 2 {
			t.Errorf("%d events, want 2", events)
		}
	})
}
