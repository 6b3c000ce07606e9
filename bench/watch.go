//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// watch asks for one session's page again and again until it is refused.
type watch struct {
	cookies string
	alive   sync.WaitGroup // until every watcher was let through once
	all     sync.WaitGroup

	mu   sync.Mutex
	last time.Time // when a request was sent that passed
	errs []error
}

func (w *watch) start(address string) error {
	conn, err := dial1(address, func() string { return w.cookies })
	if err != nil {
		return err
	}
	w.alive.Add(1)
	w.all.Go(func() {
		defer conn.Close()
		err := conn.exchange()
		w.alive.Done()
		if err != nil {
			w.note(time.Time{}, fmt.Errorf("before its session ended: %w", err))
			return
		}
		w.note(follow(conn.(*http1)))
	})
	return nil
}

// follow returns when the last request that passed was sent.
func follow(conn *http1) (passed time.Time, err error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		sent := time.Now()
		status, _, err := conn.ask()
		switch {
		case err != nil || status != http.StatusOK:
			return passed, err
		case sent.After(deadline):
			return passed, errors.New("a session that ended goes on")
		}
		passed = sent
	}
}

func (w *watch) note(passed time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if passed.After(w.last) {
		w.last = passed
	}
	if err != nil {
		w.errs = append(w.errs, err)
	}
}
