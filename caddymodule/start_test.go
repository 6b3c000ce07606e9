package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// starting is an app whose stores answer as script says, the last word for
// ever: away, hangs, wrong, well.
type starting struct {
	*App
	tried  []string
	served bool
	log    bytes.Buffer
}

func newStarting() *starting {
	s := &starting{App: &App{settled: make(chan struct{})}}
	s.settle = func() {
		select {
		case <-s.settled:
		default:
			close(s.settled)
		}
	}
	s.App.log = slog.New(slog.NewTextHandler(&s.log, nil))
	return s
}

func (s *starting) bringUp(script ...string) error {
	return s.App.bringUp(func(ctx context.Context) error {
		now := script[min(len(s.tried), len(script)-1)]
		s.tried = append(s.tried, now)
		switch now {
		case "away":
			return fmt.Errorf("read tcp 127.0.0.1:%d: connection refused", 40000+len(s.tried))
		case "hangs":
			<-ctx.Done()
			return ctx.Err()
		case "wrong":
			return &lasting{errors.New("another database: name the right one")}
		}
		return nil
	}, func(ctx context.Context) {
		s.served = true
		<-ctx.Done()
	})
}

// Point 3: a store that is away is no error of the configuration. It is
// tried again until it answers, and the log has one line for each change.
func TestStoreAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarting()
		if err := s.bringUp("away", "away", "hangs", "wrong", "wrong", "away", "wrong", "well"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if s.await(t.Context()) != nil || time.Since(began) != 0 {
			t.Error("a request waits for a store that is away")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if !s.served || len(s.tried) != 8 {
			t.Errorf("not served after %q", s.tried)
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
		for line, times := range map[string]int{"connection refused": 1, "name the right one": 1, "requests are served": 1} {
			if n := strings.Count(s.log.String(), line); n != times {
				t.Errorf("the log says %d times %q:\n%s", n, line, &s.log)
			}
		}
	})
}

// What a store answers at the first attempt is an error of the configuration.
func TestWrongStoreAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarting()
		if err := s.bringUp("wrong"); err == nil {
			t.Error("it started")
		}
		if err := s.Cleanup(); err != nil || s.served {
			t.Errorf("cleaned up: %v, served: %t", err, s.served)
		}
	})
}

// A store that takes the call and says nothing delays the start, not longer.
func TestStoreHangsAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := newStarting(), time.Now()
		time.AfterFunc(time.Second, func() {
			if s.await(t.Context()) != nil || time.Since(began) > time.Second+startTimeout {
				t.Error("a request waits for a store that hangs")
			}
		})
		if err := s.bringUp("hangs"); err != nil || time.Since(began) != firstAttempt {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(nextAttempt + time.Second) // within the second attempt
		stopped := time.Now()
		if err := s.Cleanup(); err != nil || time.Since(stopped) != 0 {
			t.Errorf("stopping: %v after %s", err, time.Since(stopped))
		}
		if s.served {
			t.Error("served without a store")
		}
	})
}
