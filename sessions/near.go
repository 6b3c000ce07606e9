package sessions

import "sync"

// NearByDefault is how many sessions are kept near unless the configuration
// says otherwise: about 1 KiB each, and up to 3 where the console's cookies
// are long.
const NearByDefault = 50_000

// remembered is how many endings are remembered by their ids. A record that
// was read more than that many endings ago is not kept near.
const remembered = 8192

// compared is how many sessions are looked at to find one that was not used
// for long, where there is no room for another.
const compared = 8

// nearKey is a cookie as it was sent, compared whole: the cache hashes it with
// a secret of the process.
type nearKey string

// near holds verified sessions that were found a while ago. Finding one takes
// no lock and writes nothing.
type near struct {
	entries sync.Map // *Session by nearKey
	size    int

	mu     sync.Mutex
	kept   map[ID]*Session // the entries
	at     moment
	recent map[ID]struct{} // what ended last: an id never lives again
	ring   [remembered]ID
}

// moment is how many endings there were, and how often some may have been
// missed. Whoever reads a record takes it before.
type moment struct{ endings, flushes uint64 }

func newNear(size int) *near {
	return &near{size: size, kept: make(map[ID]*Session), recent: make(map[ID]struct{})}
}

func (n *near) now() moment {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at
}

func (n *near) get(key nearKey) *Session {
	found, _ := n.entries.Load(key)
	live, _ := found.(*Session)
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
	if other := n.kept[live.ID]; other != nil {
		n.remove(other)
	} else if len(n.kept) >= n.size {
		n.remove(n.idle())
	}
	n.kept[live.ID] = live
	n.entries.Store(live.key, live)
}

// idle is the one that was not used for longest, of a few that are picked by
// chance. One in use is hardly ever it, and no request has to note its place
// in a list.
func (n *near) idle() (found *Session) {
	looked := 0
	for _, live := range n.kept {
		if found == nil || live.seen.Load() < found.seen.Load() {
			found = live
		}
		if looked++; looked == compared {
			break
		}
	}
	return found
}

// remove needs the lock.
func (n *near) remove(live *Session) {
	delete(n.kept, live.ID)
	n.entries.Delete(live.key)
}

// drop takes a session out.
func (n *near) drop(live *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept[live.ID] == live {
		n.remove(live)
	}
}

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
		if live := n.kept[id]; live != nil {
			n.remove(live)
		}
	}
}

// flush takes everything out.
func (n *near) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at.flushes++
	clear(n.kept)
	n.entries.Clear()
}
