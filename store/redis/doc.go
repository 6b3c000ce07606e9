// Package redis keeps sessions, challenges and held answers in a Redis that
// several nodes share: one server, a group that Sentinels watch, or a cluster.
// docs/decisions/0011-redis-layout.md says why the keys look as they do.
//
// Every method is one step of one Redis server: a single command or a Lua
// script, on the master, never a replica. What ends a session enters that in a
// log in the same step and publishes it, so that all nodes forget it at once.
//
// Redis's own expiry only cleans up. Whether something has expired is judged
// by the instant that the caller names, since clocks differ.
//
// No call waits longer than patience, whatever the network does, and no call
// says "not found" when it could not look.
package redis
