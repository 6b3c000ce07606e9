package redis

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/sessions"
)

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time { return instant(rapid.Int64Range(0, latest).Draw(t, "ms")) })
}

func anyText() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
}

func anyStrength() *rapid.Generator[identity.Strength] { return rapid.SampledFrom(strengthOf) }

func anySession() *rapid.Generator[sessions.Record] {
	return rapid.Custom(func(t *rapid.T) sessions.Record {
		text := func(what string) string { return anyText().Draw(t, what) }
		at := func(what string) time.Time { return anyTime().Draw(t, what) }
		r := sessions.Record{
			Site: text("site"), Source: text("source"), Challenge: text("challenge"), Waiting: text("waiting"),
			Address: text("address"), Browser: text("browser"),
			Subject: identity.Subject{Realm: strings.ReplaceAll(text("realm"), "/", ""), Name: text("name")},
			Level:   rapid.SampledFrom(levelOf).Draw(t, "level"), Strength: anyStrength().Draw(t, "strength"),
			BeganAt: at("began"), AuthTime: at("auth"), SeenAt: at("seen"), ExpiresAt: at("expires"),
			Idle: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "idle")) * time.Millisecond,
		}
		for range rapid.IntRange(0, 3).Draw(t, "lists") {
			r.AMR = append(r.AMR, text("amr"))
			r.Bound = append(r.Bound, []byte(text("bound")))
			r.Groups = append(r.Groups, text("group"))
		}
		copy(r.Family[:], text("family"))
		return r
	})
}

func TestSessionsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anySession().Draw(t, "session")
		value, err := encodeSession(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeSession(want.ID, string(value))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, want)
		}
		broken(t, string(value), func(v string) error { _, err := decodeSession(want.ID, v); return err })
	})
}

func TestChallengesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(what string) string { return anyText().Draw(t, what) }
		at := func(what string) time.Time { return anyTime().Draw(t, what) }
		want := challenge.Record{
			ID: "c", Subject: identity.Subject{Realm: text("realm"), Name: text("name")}, Site: text("site"),
			Purpose: challenge.Purpose(text("purpose")), Reference: text("reference"), ReturnTo: text("return"),
			Enroll: rapid.Bool().Draw(t, "enroll"), Escrow: rapid.Bool().Draw(t, "escrow"),
			CreatedAt: at("created"), ExpiresAt: at("expires"), Attempts: rapid.IntRange(0, math.MaxInt32).Draw(t, "attempts"),
			Gate: policy.Gate(text("gate")), Opened: text("opened"), Binds: identity.Factor(text("binds")),
			Instead: text("instead"), Strength: anyStrength().Draw(t, "strength"),
		}
		if n := rapid.IntRange(0, 3).Draw(t, "parts"); n > 0 {
			want.Parts = map[string]challenge.Part{}
			for range n {
				p := challenge.Part{Name: text("part"), ID: text("id"), Data: []byte(text("data")), ExpiresAt: at("until")}
				want.Parts[p.Name] = p
			}
		}
		copy(want.Session[:], text("session"))
		value, err := encodeChallenge(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeChallenge(want.ID, string(value))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, want)
		}
		for _, p := range want.Parts { // a challenge that lost its last parts whole is one, too
			last, err := encodePart(p)
			if err != nil {
				t.Fatal(err)
			}
			broken(t, string(last), func(v string) error { _, err := decodePart(v); return err })
			want.Parts = nil
		}
		if value, err = encodeChallenge(&want); err != nil {
			t.Fatal(err)
		}
		broken(t, string(value), func(v string) error { _, err := decodeChallenge(want.ID, v); return err })
	})
}

// broken: a value that was cut, or has something behind it, is an error, and
// none that means that there is nothing.
func broken(t *rapid.T, value string, decode func(string) error) {
	cut := rapid.IntRange(0, len(value)-1).Draw(t, "cut")
	for _, v := range []string{value[:cut], value + "x"} {
		if err := decode(v); err == nil || errors.Is(err, sessions.ErrNotFound) || errors.Is(err, challenge.ErrNotFound) {
			t.Fatalf("%q was read, with %v", v, err)
		}
	}
}

func TestAnyBytesAreNoPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := anyText().Draw(t, "value")
		_, _ = decodeSession(sessions.ID{}, value)
		_, _ = decodeChallenge("c", value)
		_, _ = decodePart(value)
		_, _ = decodeEntry(value, clusterLines)
	})
}

func TestOtherVersionsAreNotRead(t *testing.T) {
	r := sessions.Record{Subject: identity.Subject{Realm: "wiki", Name: "alice"}}
	value, err := encodeSession(&r)
	if err != nil {
		t.Fatal(err)
	}
	for at, b := range map[int]byte{18: version + 1, 18 + 1 + 2 + len("wiki/alice"): 'x', 26: '.'} {
		other := append([]byte(nil), value...)
		other[at] = b
		if _, err := decodeSession(r.ID, string(other)); (err == nil) != (b == '.') {
			t.Errorf("byte %d as %q: %v", at, b, err)
		}
	}
	for what, odd := range map[string]sessions.Record{"level": {Level: 9}, "strength": {Strength: 9}} {
		if _, err := encodeSession(&odd); err == nil {
			t.Errorf("a %s that does not exist can be stored", what)
		}
	}
	other := append([]byte(nil), value...)
	other[len(other)-1] = 'x'
	if _, err := decodeSession(r.ID, string(other)); err == nil {
		t.Error("a strength that does not exist is read")
	}
}

// TestSessionsOfBefore: what the first version wrote is read, with nothing
// proved that was not noted then.
func TestSessionsOfBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anySession().Draw(t, "session")
		want.Strength = identity.Unproved
		value, err := encodeSession(&want)
		if err != nil {
			t.Fatal(err)
		}
		value = value[:len(value)-1] // the strength
		if len(want.Groups) == 0 {
			value = value[:len(value)-1] // how many groups
		}
		value[18] = unstrengthened
		got, err := decodeSession(want.ID, string(value))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, want)
		}
	})
}

// TestChallengesOfBefore: one without parts is over, and no fault; one of a
// later version, or cut, is a fault.
func TestChallengesOfBefore(t *testing.T) {
	value, err := encodeChallenge(&challenge.Record{ID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	for written, over := range map[byte]bool{partless: true, version + 1: false, 0: false} {
		value[10] = written
		_, err := decodeChallenge("c", string(value))
		if err == nil || errors.Is(err, challenge.ErrNotFound) != over {
			t.Errorf("version %d: %v", written, err)
		}
	}
}

func TestInstants(t *testing.T) {
	for in, want := range map[time.Time]int64{
		{}: 0, time.Unix(-5, 0): 0, time.UnixMilli(1): 1, time.Unix(1, 999_999): 1000,
		time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC): latest,
	} {
		if got := millis(in); got != want {
			t.Errorf("%v is %d, want %d", in, got, want)
		}
	}
}
