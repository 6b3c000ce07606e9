package caddymodule

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// A node says this often that it is alive, and is taken for gone after
// several times that.
const (
	announceEvery = 5 * time.Second
	aliveFor      = 15 * time.Second
)

// nodeList is kept by a store that several nodes share.
type nodeList interface {
	// Announce keeps a node's note for a time and returns all that are kept.
	Announce(ctx context.Context, node string, note []byte, keep time.Duration) ([]string, error)
	// Leave removes a node's note.
	Leave(ctx context.Context, node string) error
	// Owner returns the accounts that are known here, "" if none are, and the
	// name under which.
	Owner(ctx context.Context) (accounts, key string, err error)
	// Own makes accounts known, unless some are.
	Own(ctx context.Context, accounts string) error
}

// note is what a node says of itself.
type note struct {
	Process  string            `json:"process"` // has two notes during a reload
	Host     string            `json:"host"`
	Accounts string            `json:"accounts"` // the accounts store's id
	Sealing  string            `json:"sealing"`  // the key's id
	Keys     map[string]string `json:"keys"`     // fingerprints by id
}

// process tells the nodes of one machine apart.
var process = digest("process")

func newNote(process, accounts string, ring *seal.Ring) note {
	host, _ := os.Hostname() // only for people
	n := note{Process: process, Host: host, Accounts: accounts, Sealing: ring.IDs()[0], Keys: make(map[string]string)}
	prints := ring.Derive("fingerprint")
	for i, id := range ring.IDs() {
		n.Keys[id] = hex.EncodeToString(prints[i][:8])
	}
	return n
}

// against finds what one node would seal and the other not open.
func (n note) against(other note) error {
	switch {
	case other.Process == n.Process:
		return nil
	case other.Accounts != n.Accounts:
		return fmt.Errorf("accounts: the node %s shares these sessions and has another accounts store: name the same database on both, "+
			"or give each its own Redis, db or prefix", other.Host)
	case other.Keys[n.Sealing] != n.Keys[n.Sealing]:
		return fmt.Errorf("keys: this node seals with %s, which the node %s does not have: give the key to every node and reload it there "+
			"while the old one still seals, then let it seal; a node that was stopped counts for %s more", n.Sealing, other.Host, aliveFor)
	case n.Keys[other.Sealing] != other.Keys[other.Sealing]:
		return fmt.Errorf("keys: the node %s seals with %s, which this node does not have: copy the key from there", other.Host, other.Sealing)
	}
	return nil
}

// roll is this configuration's line in the list of nodes. Nil is the only
// node.
type roll struct {
	list    nodeList
	node    string // one configuration of a process
	process string
	mine    note
}

// join enters this node in the list and compares it with the others. It is
// there before it looks: of two that do not fit, one finds the other.
func (r *roll) join(ctx context.Context, accounts string, ring *seal.Ring) error {
	if r == nil {
		return nil
	}
	r.mine = newNote(r.process, accounts, ring)
	err := r.checkOwner(ctx)
	if err == nil {
		err = r.compare(ctx)
	}
	if err != nil {
		r.leave()
	}
	return err
}

// checkOwner compares the accounts with those of the nodes that were there
// before, all of which may be gone, and their storage with them.
func (r *roll) checkOwner(ctx context.Context) error {
	owner, key, err := r.list.Owner(ctx)
	if err != nil || owner == "" || owner == r.mine.Accounts {
		return err
	}
	return &lasting{fmt.Errorf("accounts: the accounts store is empty or another than the nodes had before that shared these sessions: "+
		"name their database, or bring it back; or, if nobody shall be enrolled any more, delete the key %s in Redis", key)}
}

// own makes the accounts known to nodes that come when this one is gone.
func (r *roll) own(ctx context.Context) error {
	if r == nil {
		return nil
	}
	if err := r.list.Own(ctx, r.mine.Accounts); err != nil {
		return err
	}
	return r.checkOwner(ctx) // another node may have been quicker
}

func (r *roll) compare(ctx context.Context) error {
	text, err := json.Marshal(r.mine)
	if err != nil {
		return err
	}
	others, err := r.list.Announce(ctx, r.node, text, aliveFor)
	if err != nil {
		return err
	}
	for _, text := range slices.Sorted(slices.Values(others)) {
		var other note
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			return fmt.Errorf("sessions: the note of another node cannot be read: %w: give each version of Stepgate its own prefix", err)
		}
		if err := r.mine.against(other); err != nil {
			return &lasting{err}
		}
	}
	return nil
}

// keep stays in the list, and says so if a node comes that does not fit: this
// one was there first and goes on.
func (r *roll) keep(ctx context.Context, log *slog.Logger) {
	if r == nil {
		return
	}
	last := ""
	for wait(ctx, announceEvery) {
		err := r.compare(ctx)
		if err == nil { // the store may have forgotten everything
			err = r.own(ctx)
		}
		if answered(err) && err.Error() != last {
			log.Error("the nodes do not fit together", "error", err)
			last = err.Error()
		}
	}
	r.leave()
}

// leave is a courtesy: a node that says nothing is forgotten as well.
func (r *roll) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.list.Leave(ctx, r.node)
}
