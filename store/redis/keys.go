package redis

import (
	"fmt"
	"slices"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// clusterLines is over how many parts the sessions of a cluster are spread,
// and their log with them.
const clusterLines = 16

// keys are the names of all that lies in Redis. tags has one entry for each
// line of the log. In a cluster that is a hash tag, so that all sessions of a
// subject, their index and their log lie on one server. A single server has
// none, which saves memory.
type keys struct {
	prefix string
	tags   []string
	db     string // what channels have besides, since these are the same in every database
}

func newKeys(prefix string, cluster bool, db int) keys {
	k := keys{prefix: prefix, tags: []string{":"}}
	if db != 0 {
		k.db = fmt.Sprintf(":%d", db)
	}
	if cluster {
		k.tags = make([]string, clusterLines)
		for i := range k.tags {
			k.tags[i] = fmt.Sprintf("{%04b}", i) // these spread evenly over servers
		}
	}
	return k
}

func (k keys) line(shard byte) int { return int(shard) % len(k.tags) }

// at begins all keys of a line.
func (k keys) at(shard byte) string { return k.prefix + k.tags[k.line(shard)] }

func (k keys) sessions(shard byte) string    { return k.at(shard) + "s:" }
func (k keys) session(id sessions.ID) string { return k.sessions(id.Shard()) + string(id[:]) }
func (k keys) indexes(shard byte) string     { return k.at(shard) + "u:" }
func (k keys) log(line int) string           { return k.prefix + k.tags[line] + "log" }

func (k keys) logOf(shard byte) string { return k.log(k.line(shard)) }

func (k keys) index(s identity.Subject) string {
	return k.indexes(sessions.ShardOf(s)) + s.String()
}

func (k keys) challenge(id string) string { return k.prefix + ":c:" + id }
func (k keys) escrow(id string) string    { return k.prefix + ":e:" + id }

// endings is the channel of the log, beats that of one node.
func (k keys) endings() string          { return k.prefix + ":endings" + k.db }
func (k keys) beats(node string) string { return k.prefix + ":beats:" + node + k.db }

// usable tells whether a prefix would leave the hash tags alone.
func usable(prefix string) bool {
	return prefix != "" && !slices.ContainsFunc([]byte(prefix), func(c byte) bool {
		return c == '{' || c == '}' || c <= ' ' || c >= 0x7f
	})
}
