package caddymodule

import (
	"context"
	"sync"
	"time"
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

// retry says each thing once, however often it is tried.
func (a *App) retry(ctx context.Context, try func(context.Context) error, last error) bool {
	for wait(ctx, nextAttempt) {
		err := attempt(ctx, try)
		switch {
		case err == nil:
			a.log.Info("the stores answer: requests are served")
			return true
		case answered(err) && err.Error() != last.Error() && ctx.Err() == nil:
			a.log.Error("a store answers, and does not take this node or is not the right one: requests get 503 until that is mended", "error", err)
			last = err
		}
	}
	return false
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
