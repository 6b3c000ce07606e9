package sessions

import (
	"sync"

	"github.com/maypok86/otter/v2"
)

// nearSize bounds the near cache: about 1 KiB an entry, and up to 3 where the
// console's cookies are long.
const nearSize = 50_000

// remembered is how many endings are remembered by their ids. A record that
// was read more than that many endings ago is not kept near.
const remembered = 8192

// nearKey is a cookie as it was sent, compared whole: the cache hashes it with
// a secret of the process.
type nearKey string

// near holds verified sessions that were found a while ago.
type near struct {
	entries *otter.Cache[nearKey, *Session]

	mu     sync.Mutex
	keys   map[ID]nearKey // of the entries
	at     moment
	recent map[ID]struct{} // what ended last: an id never lives again
	ring   [remembered]ID
}

// moment is how many endings there were, and how often some may have been
// missed. Whoever reads a record takes it before.
type moment struct{ endings, flushes uint64 }

func newNear(size int) (*near, error) {
	n := &near{keys: make(map[ID]nearKey), recent: make(map[ID]struct{})}
	entries, err := otter.New(&otter.Options[nearKey, *Session]{MaximumSize: size, OnDeletion: n.deleted})
	n.entries = entries
	return n, err
}

func (n *near) now() moment {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at
}

func (n *near) get(key nearKey) *Session {
	live, _ := n.entries.GetIfPresent(key)
	return live
}

// keep puts a session in, unless it may have ended since its record was read.
// An end that comes later finds the entry.
func (n *near) keep(live *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ended := n.recent[live.ID]
	if ended || n.at.flushes != live.read.flushes || n.at.endings-live.read.endings > remembered {
		return
	}
	if other, ok := n.keys[live.ID]; ok && other != live.key {
		n.drop(other)
	}
	n.keys[live.ID] = live.key
	n.entries.Set(live.key, live)
}

func (n *near) drop(key nearKey) { n.entries.Invalidate(key) }

// end takes sessions out, and keeps loads that are under way from putting
// them back.
func (n *near) end(ids ...ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		slot := &n.ring[n.at.endings%remembered]
		delete(n.recent, *slot)
		*slot = id
		n.recent[id] = struct{}{}
		n.at.endings++
		if key, ok := n.keys[id]; ok {
			n.drop(key)
		}
	}
}

// flush takes everything out.
func (n *near) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at.flushes++
	n.entries.InvalidateAll()
}

// deleted follows an entry's removal, whoever caused it, a moment later: by
// then the session may be near again.
func (n *near) deleted(e otter.DeletionEvent[nearKey, *Session]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, again := n.entries.GetEntryQuietly(e.Key); !again && n.keys[e.Value.ID] == e.Key {
		delete(n.keys, e.Value.ID)
	}
}
