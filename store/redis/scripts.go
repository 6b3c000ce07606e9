package redis

import (
	"embed"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// The scripts are known to the server by their digests. One that does not know
// a digest yet, as after a failover, is given the text again.
var (
	createSession  = script("session", "create")
	replaceSession = script("log", "session", "replace")
	touchSession   = script("touch")
	endSession     = script("log", "session", "end")
	endSubject     = script("log", "endsubject")
	tellPlace      = script("log", "beat")
	spendAttempt   = script("attempt")
	setPending     = script("pending")
	takeOnce       = script("take")
)

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
