package caddymodule

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"
)

// currentLog writes to the default log of whatever configuration runs. It is
// for what outlives reloads: the log of one configuration is closed with it.
type currentLog struct {
	with func(slog.Handler) slog.Handler // attributes and groups
}

func newCurrentLog() *slog.Logger {
	return slog.New(currentLog{func(h slog.Handler) slog.Handler { return h }})
}

func (c currentLog) handler() slog.Handler {
	return c.with(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName("stepgate"), zapslog.AddStacktraceAt(slog.Level(127))))
}

// Enabled implements slog.Handler.
func (c currentLog) Enabled(ctx context.Context, l slog.Level) bool {
	return c.handler().Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (c currentLog) Handle(ctx context.Context, r slog.Record) error {
	return c.handler().Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (c currentLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return currentLog{func(h slog.Handler) slog.Handler { return c.with(h).WithAttrs(attrs) }}
}

// WithGroup implements slog.Handler.
func (c currentLog) WithGroup(name string) slog.Handler {
	return currentLog{func(h slog.Handler) slog.Handler { return c.with(h).WithGroup(name) }}
}
