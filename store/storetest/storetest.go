// Package storetest is the conformance suite of the stores: every promise in
// the doc comments of the interfaces that they implement, whatever the
// technology. A store's own tests add what only it can get wrong.
//
// The suite names all instants itself, near the real time, so that a store may
// also let its server expire things. Instants are whole milliseconds.
package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/identity"
)

// crowd is how many do the same thing at once in the cases of concurrency.
const crowd = 100

var alice = identity.Subject{Realm: "wiki", Name: "alice"}

// oddNames are names that some console may state, no two of them the same.
var oddNames = []string{
	"alice", "Alice", "alice ", " alice", "alice/admin", `O'Brien`, `"; DROP TABLE accounts; --`, `a\'b`, "a%", "a_", "*",
	"用户", "🔑🔒", "e\u0301", "\u00e9", "null", "0", "{}", "a:b", "\xff\xfe", "caf\xe9", strings.Repeat("x", identity.MaxName),
}

// clock is the instant that a case calls now.
func clock() time.Time { return time.Now().Truncate(time.Millisecond).UTC() }

// same compares instants, also where a store has another location for them.
func same(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

// wantUnknown: an error that is none of the answers.
func wantUnknown(t *testing.T, what string, got error, answers ...error) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no error", what)
	}
	for _, answer := range answers {
		if errors.Is(got, answer) {
			t.Fatalf("%s: got the answer %v where the store cannot know", what, got)
		}
	}
}

// canceled is a context that ended before the call.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// race lets a crowd do the same at once and counts who had no error; everybody
// else must have had lost, or one of the others.
func race(t *testing.T, lost error, do func(i int) error, others ...error) (won int) {
	t.Helper()
	errs := make([]error, crowd)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case slices.ContainsFunc(others, func(other error) bool { return errors.Is(err, other) }):
		case lost == nil || !errors.Is(err, lost):
			t.Errorf("a loser of the race got error %v, want %v", err, lost)
		}
	}
	return won
}
