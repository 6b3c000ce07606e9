package sessions

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// nearSize bounds the near cache: about 1 KiB an entry.
const nearSize = 50_000

// nearKey is the hash of a cookie as it was sent.
type nearKey [sha256.Size]byte

// near holds verified sessions that were found a while ago. Every ending, of
// whichever session, is one epoch: a record that was read in an earlier one
// may be of a session that ended, and is not used a second time.
type near struct {
	epoch   atomic.Uint64
	flushes atomic.Uint64 // endings may have been missed
	entries *otter.Cache[nearKey, *Session]
	mu      sync.Mutex
	keys    map[ID]nearKey // of the entries
}

func newNear(size int) (*near, error) {
	n := &near{keys: make(map[ID]nearKey)}
	entries, err := otter.New(&otter.Options[nearKey, *Session]{MaximumSize: size, OnDeletion: n.deleted})
	n.entries = entries
	return n, err
}

// now is the epoch. Whoever reads a record takes it before.
func (n *near) now() uint64 { return n.epoch.Load() }

func (n *near) get(key nearKey) *Session {
	live, ok := n.entries.GetIfPresent(key)
	if !ok || !live.settled.Load() {
		return nil
	}
	return live
}

// keep puts a session in, and takes it out again if one ended since its
// record was read; an end that comes later finds the entry.
func (n *near) keep(live *Session) {
	n.mu.Lock()
	n.keys[live.ID] = live.key
	n.entries.Set(live.key, live)
	n.mu.Unlock()
	if n.epoch.Load() != live.epoch {
		n.drop(live.key)
		return
	}
	live.settled.Store(true)
}

func (n *near) drop(key nearKey) { n.entries.Invalidate(key) }

// end takes sessions out, and keeps loads that are under way from putting
// them back.
func (n *near) end(ids ...ID) {
	n.epoch.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if key, ok := n.keys[id]; ok {
			n.drop(key)
		}
	}
}

// flush takes everything out.
func (n *near) flush() {
	n.flushes.Add(1)
	n.epoch.Add(1)
	n.entries.InvalidateAll()
}

// deleted follows an entry's removal, whoever caused it, a moment later: by
// then the session may be near again.
func (n *near) deleted(e otter.DeletionEvent[nearKey, *Session]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, again := n.entries.GetEntryQuietly(e.Key); !again {
		delete(n.keys, e.Value.ID)
	}
}
