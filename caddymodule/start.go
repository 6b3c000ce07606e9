package caddymodule

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode"
)

// The first attempt to reach the stores may take this long; those that follow
// in the background begin this far apart.
const (
	firstAttempt = 5 * time.Second
	nextAttempt  = time.Second
)

// bringUp calls try until it succeeds, and then runs after. What a store
// answers to the first attempt is an error of the configuration; a store that
// does not answer is waited for in the background, while requests get 503.
func (a *App) bringUp(try func(context.Context) error, after func(context.Context)) error {
	err := attempt(context.Background(), try)
	if answered(err) {
		return err
	}
	if err != nil {
		a.log.Error("a store cannot be reached: requests get 503 until it can", "error", err)
	}
	a.settle()
	a.beside(func(ctx context.Context) {
		if err == nil || a.retry(ctx, try, err) {
			after(ctx)
		}
	})
	return nil
}

// retry says each thing once, however often it happens.
func (a *App) retry(ctx context.Context, try func(context.Context) error, first error) bool {
	said := map[string]bool{withoutNumbers(first): true}
	for wait(ctx, nextAttempt) {
		err := attempt(ctx, try)
		if err == nil {
			a.log.Info("the stores answer: requests are served")
			return true
		}
		if text := withoutNumbers(err); !said[text] && ctx.Err() == nil {
			a.log.Error("still no store that can be used: requests get 503 until there is", "error", err)
			said[text] = true
		}
	}
	return false
}

// withoutNumbers is what stays the same when a connection's port does not.
func withoutNumbers(err error) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, err.Error())
}

// beside runs do until the app is cleaned up.
func (a *App) beside(do func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { do(ctx) })
	a.release = append(a.release, func() error {
		cancel()
		running.Wait()
		return nil
	})
}

func attempt(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, firstAttempt)
	defer cancel()
	return try(ctx)
}

// wait tells whether the time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
