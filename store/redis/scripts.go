package redis

import (
	"context"
	"embed"
	"fmt"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// The scripts are known to the server by their digests. One that does not know
// a digest yet, as after a failover, is given the text again.
var (
	createSession  = script("session", "create")
	findSession    = script("master", "find")
	replaceSession = script("master", "log", "session", "replace")
	touchSessions  = script("touch")
	endSession     = script("master", "log", "session", "end")
	endSubject     = script("master", "log", "endsubject")
	tellPlace      = script("master", "log", "beat")
	spendAttempt   = script("attempt")
	openGate       = script("challenge", "open")
	keepPart       = script("challenge", "keep")
	putPart        = script("challenge", "put")
	takePart       = script("challenge", "takepart")
	takeOnce       = script("take")
)

// The client's own log would have a line for every connection that fails while
// Redis is down, and each is returned as an error.
func init() { goredis.SetLogger(quiet{}) }

type quiet struct{}

func (quiet) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}

// script joins files that are part of this program.
func script(names ...string) *goredis.Script {
	var text []byte
	for _, name := range names {
		part, err := sources.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err)
		}
		text = append(text, part...)
	}
	return goredis.NewScript(string(text))
}
