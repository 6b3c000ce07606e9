package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// notes is a list of nodes in memory.
type notes map[string]string

func (n notes) Announce(_ context.Context, node string, note []byte, _ time.Duration) (all []string, err error) {
	n[node] = string(note)
	return slices.Collect(maps.Values(n)), nil
}

func (n notes) Leave(_ context.Context, node string) error {
	delete(n, node)
	return nil
}

func (n notes) Owner(context.Context) (string, string, error) {
	return n["owner"], "test:accounts", nil
}

func (n notes) Own(_ context.Context, accounts string) error {
	if n["owner"] == "" {
		n["owner"] = accounts
	}
	return nil
}

var testKeys = map[string]seal.Key{"k1": {ID: "k1", Secret: [seal.KeySize]byte{1}}, "k2": {ID: "k2", Secret: [seal.KeySize]byte{2}}}

// ringOf seals with the first key.
func ringOf(t *testing.T, ids ...string) *seal.Ring {
	var keys []seal.Key
	for _, id := range ids {
		keys = append(keys, testKeys[id])
	}
	ring, err := seal.NewRing(ids[0], keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// A node of its own process joins the list.
func (n notes) join(node, accounts string, ring *seal.Ring) error {
	r := &roll{list: n, node: node, process: node}
	return r.join(context.Background(), accounts, ring)
}

// Rotation in two phases passes, node by node, in whatever order.
func TestNodesRotateKeys(t *testing.T) {
	list := notes{}
	for _, phase := range [][]string{{"k1"}, {"k1", "k2"}, {"k2", "k1"}} {
		for _, node := range []string{"a", "b", "c"} {
			if err := list.join(node, "db", ringOf(t, phase...)); err != nil {
				t.Errorf("%s with %q: %v", node, phase, err)
			}
		}
	}
}

// Nodes that would not open each other's seals do not both start.
func TestNodesThatDoNotFit(t *testing.T) {
	other, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{9}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		first, second *seal.Ring
		accounts      string
		says          string
	}{
		"seals with what the other lacks": {ringOf(t, "k1"), ringOf(t, "k2", "k1"), "db", "this node seals with k2"},
		"lacks what the other seals with": {ringOf(t, "k1", "k2"), ringOf(t, "k2"), "db", "seals with k1, which this node does not have"},
		"another key of the same name":    {ringOf(t, "k1"), other, "db", "this node seals with k1"},
		"another accounts store":          {ringOf(t, "k1"), ringOf(t, "k1"), "other", "another accounts store"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			list := notes{}
			if err := list.join("a", "db", c.first); err != nil {
				t.Fatal(err)
			}
			err := list.join("b", c.accounts, c.second)
			if !answered(err) {
				t.Fatalf("the second node: %v", err)
			}
			mustSay(t, err.Error(), c.says)
			if len(list) != 1 {
				t.Errorf("who was refused stays in the list: %v", list)
			}
		})
	}
}

// During a reload one process is there twice, and is not in its own way.
func TestNodeReloads(t *testing.T) {
	list := notes{}
	for node, ids := range map[string][]string{"before": {"k1"}, "after": {"k2", "k1"}} {
		r := &roll{list: list, node: node, process: "one"}
		if err := r.join(t.Context(), "db", ringOf(t, ids...)); err != nil {
			t.Error(err)
		}
	}
}

// A node that goes on says once what came that does not fit, and leaves.
func TestNodeKeepsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, log := notes{}, bytes.Buffer{}
		r := &roll{list: list, node: "a", process: "a"}
		if err := r.join(t.Context(), "db", ringOf(t, "k1")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.keep(ctx, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		list["b"] = `{"process":"b","host":"beta","accounts":"db","sealing":"k2","keys":{"k1":"?"}}`
		time.Sleep(5 * announceEvery)
		cancel()
		<-ended
		if n := strings.Count(log.String(), "beta"); n != 1 {
			t.Errorf("the log names the other node %d times:\n%s", n, &log)
		}
		if list["a"] != "" {
			t.Error("it did not leave")
		}
	})
}

// A list that cannot be reached is waited for.
func TestNodeListAway(t *testing.T) {
	r := &roll{list: away{}, node: "a", process: "a"}
	if err := r.join(t.Context(), "db", ringOf(t, "k1")); err == nil || answered(err) {
		t.Errorf("joined: %v", err)
	}
}

type away struct{ notes }

func (away) Announce(context.Context, string, []byte, time.Duration) ([]string, error) {
	return nil, errors.New("connection refused")
}
