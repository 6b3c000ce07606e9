package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func key(t testing.TB, id string) Key {
	t.Helper()
	k, err := NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ring(t testing.TB, sealing string, keys ...Key) *Ring {
	t.Helper()
	r, err := NewRing(sealing, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parts() *rapid.Generator[[]string] {
	return rapid.SliceOfN(rapid.StringN(0, 8, 20), 0, 4)
}

func TestOpenGivesBackWhatWasSealed(t *testing.T) {
	r := ring(t, "k1", key(t, "k1"))
	rapid.Check(t, func(t *rapid.T) {
		purpose, bound := rapid.String().Draw(t, "purpose"), parts().Draw(t, "bound")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed := r.Seal(purpose, plain, bound...)
		got, err := r.Open(purpose, sealed, bound...)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v", got, err)
		}
		if len(plain) >= 8 && bytes.Contains(sealed, plain) {
			t.Fatal("the plain text shows")
		}
	})
}

func TestOtherPurposeOrPartsOpenNothing(t *testing.T) {
	r := ring(t, "k1", key(t, "k1"))
	rapid.Check(t, func(t *rapid.T) {
		purpose, bound := rapid.String().Draw(t, "purpose"), parts().Draw(t, "bound")
		other, foreign := rapid.String().Draw(t, "other purpose"), parts().Draw(t, "other parts")
		sealed := r.Seal(purpose, []byte("secret"), bound...)
		if other != purpose {
			wantShut(t, r, other, sealed, bound...)
		}
		if !slices.Equal(foreign, bound) {
			wantShut(t, r, purpose, sealed, foreign...)
		}
		wantShut(t, r, purpose, sealed, append(bound, "")...)
	})
}

func wantShut(t *rapid.T, r *Ring, purpose string, sealed []byte, bound ...string) {
	if got, err := r.Open(purpose, sealed, bound...); !errors.Is(err, ErrOpen) || got != nil {
		t.Fatalf("opened for %q %q: %q, %v", purpose, bound, got, err)
	}
}

func TestAnAlteredByteOpensNothing(t *testing.T) {
	r := ring(t, "k1", key(t, "k1"), key(t, "k2"))
	sealed := r.Seal("cookie", []byte("secret"), "site", "name")
	for i := range sealed {
		for _, flip := range []byte{1, 2, 3, 0x80, 0xff} { // 3 makes k1 name k2
			altered := slices.Clone(sealed)
			altered[i] ^= flip
			if got, err := r.Open("cookie", altered, "site", "name"); err == nil || got != nil {
				t.Fatalf("byte %d altered by %#x: got %q", i, flip, got)
			}
		}
	}
	for n := range sealed {
		if _, err := r.Open("cookie", sealed[:n], "site", "name"); err == nil {
			t.Fatalf("opened when cut to %d bytes", n)
		}
	}
	if _, err := r.Open("cookie", append(slices.Clone(sealed), 0), "site", "name"); err == nil {
		t.Fatal("opened with a byte more")
	}
}

// TestAnyBytesAreSafe: what clients send as a cookie comes here unread.
func TestAnyBytesAreSafe(t *testing.T) {
	r := ring(t, "k1", key(t, "k1"))
	for first := range 256 {
		for _, n := range []int{1, 2, 3, 31, 255, 256, 257, 4096} {
			sealed := bytes.Repeat([]byte{byte(first)}, n)
			if _, err := r.Open("cookie", sealed); err == nil {
				t.Fatalf("opened %d bytes of %#x", n, first)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sealed := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "bytes")
		if _, err := r.Open("cookie", sealed); err == nil {
			t.Fatal("opened")
		}
	})
}

func TestUnknownKey(t *testing.T) {
	sealed := ring(t, "old", key(t, "old")).Seal("x", []byte("secret"))
	r := ring(t, "new", key(t, "new"))
	if _, err := r.Open("x", sealed); !errors.Is(err, ErrUnknownKey) || !strings.Contains(fmt.Sprint(err), "old") {
		t.Errorf("lost key: %v", err)
	}
	// An equal id with another secret is a foreign key set: no value opens.
	if _, err := ring(t, "old", key(t, "old")).Open("x", sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("foreign key of the same id: %v", err)
	}
}

// TestRotation: two nodes change their keys one after the other, in two
// phases, and each opens at all times what the other seals.
func TestRotation(t *testing.T) {
	k1, k2 := key(t, "k1"), key(t, "k2")
	phases := []*Ring{ring(t, "k1", k1), ring(t, "k1", k1, k2), ring(t, "k2", k1, k2), ring(t, "k2", k2)}
	for i, a := range phases[:len(phases)-2] {
		for _, pair := range [][2]*Ring{{a, phases[i+1]}, {phases[i+1], a}} {
			sealed := pair[0].Seal("x", []byte("secret"), "p")
			if got, err := pair[1].Open("x", sealed, "p"); err != nil || string(got) != "secret" {
				t.Errorf("phase %d: %v", i, err)
			}
		}
	}
	if _, err := phases[3].Open("x", phases[0].Seal("x", nil)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a key that was taken away still opens: %v", err)
	}
}

func TestDerive(t *testing.T) {
	k1, k2, k3 := key(t, "k1"), key(t, "k2"), key(t, "k3")
	r := ring(t, "k2", k3, k1, k2)
	if got := r.IDs(); !slices.Equal(got, []string{"k2", "k1", "k3"}) {
		t.Errorf("ids: %v", got)
	}
	if first := ring(t, "k2", k2).Derive("cookie", "family")[0]; !bytes.Equal(r.Derive("cookie", "family")[0], first) {
		t.Error("the sealing key's is not the first")
	}
	seen := map[string]bool{}
	for _, keys := range [][][]byte{
		r.Derive("cookie"), r.Derive("cookies"), r.Derive("cookie", ""), r.Derive("cookie", "a", "b"), r.Derive("cookie", "ab"), r.Derive("cookie", "b", "a"),
	} {
		for _, k := range keys {
			if len(k) != KeySize || seen[string(k)] {
				t.Errorf("key %x is too short or stands twice", k)
			}
			seen[string(k)] = true
		}
	}
}

// TestJoinIsInjective: different lists are different data, also where their
// concatenations are equal.
func TestJoinIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts().Draw(t, "a"), parts().Draw(t, "b")
		if slices.Equal(a, b) != bytes.Equal(join(a), join(b)) {
			t.Fatalf("%q and %q", a, b)
		}
		whole := strings.Join(a, "")
		if len(a) != 1 && bytes.Equal(join(a), join([]string{whole})) {
			t.Fatalf("%q and %q", a, whole)
		}
	})
	if bytes.Equal(join([]string{"ab", "c"}), join([]string{"a", "bc"})) {
		t.Error("the border between parts does not count")
	}
}

func TestDigest(t *testing.T) {
	k1, k2 := bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)
	if !bytes.Equal(Digest(k1, "a", "b"), Digest(k1, "a", "b")) {
		t.Error("a digest changes")
	}
	for _, other := range [][]byte{Digest(k2, "a", "b"), Digest(k1, "ab"), Digest(k1, "b", "a"), Digest(k1, "a")} {
		if bytes.Equal(Digest(k1, "a", "b"), other) {
			t.Error("digests of different things are equal")
		}
	}
}

func TestImpossibleRings(t *testing.T) {
	good := key(t, "k1")
	for want, make := range map[string]func() error{
		"not in the key set": func() error { _, err := NewRing("k2", good); return err },
		"stands twice":       func() error { _, err := NewRing("k1", good, good); return err },
		"use 1 to 32 of":     func() error { _, err := NewRing("K", Key{ID: "K"}); return err },
		`key id ""`:          func() error { _, err := NewKey(""); return err },
		"key id":             func() error { _, err := NewKey(strings.Repeat("a", 33)); return err },
	} {
		if err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
