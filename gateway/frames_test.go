package gateway

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

var errTest = errors.New("refused")

// sent is one frame of a client, masked as RFC 6455, section 5.3 wants it.
func sent(first byte, payload string) []byte {
	out := []byte{first}
	switch {
	case len(payload) < 126:
		out = append(out, 0x80|byte(len(payload)))
	case len(payload) < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(len(payload)))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(len(payload)))
	}
	out = append(out, 9, 8, 7, 6)
	for i := range len(payload) {
		out = append(out, payload[i]^"\x09\x08\x07\x06"[i%4])
	}
	return out
}

// TestFramesOfAnyCut reads the same messages however the bytes come.
func TestFramesOfAnyCut(t *testing.T) {
	long, longer := strings.Repeat("l", 200), strings.Repeat("L", 70_000)
	all := slices.Concat(sent(0x81, "one"), sent(0x89, "ping"), sent(0x01, "tw"), sent(0x8a, ""), sent(0x00, ""), sent(0x80, "o"),
		sent(0x82, long), sent(0x81, longer), sent(0x81, ""), sent(0x89, long[:125]), sent(0x88, "\x03\xe8"))
	want := []string{"one", "two", long, longer, ""}
	for _, size := range []int{1, 2, 3, 5, 7, 13, 1000, len(all)} {
		var got []string
		f := &frames{allow: func(m []byte) error { got = append(got, string(m)); return nil }}
		for part := range slices.Chunk(all, size) {
			if err := f.read(part); err != nil {
				t.Fatalf("in parts of %d: %v", size, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in parts of %d the messages are %.80q", size, got)
		}
	}
}

// TestFramesRefused are refused before the last byte of what is amiss, and what
// allow refuses as well.
func TestFramesRefused(t *testing.T) {
	allow := func(m []byte) error {
		if strings.Contains(string(m), "bad") {
			return errTest
		}
		return nil
	}
	for what, bytes := range map[string][]byte{
		"a message":             sent(0x81, "bad"),
		"a binary one":          sent(0x82, "bad"),
		"one after a good one":  slices.Concat(sent(0x81, "good"), sent(0x81, "bad")),
		"one in pieces":         slices.Concat(sent(0x01, "b"), sent(0x00, "a"), sent(0x89, "x"), sent(0x80, "d")),
		"one without a mask":    {0x81, 3, 'b', 'a', 'd'},
		"compressed":            sent(0xc1, "x"),
		"an end that began not": sent(0x80, "x"),
		"a beginning inside":    slices.Concat(sent(0x01, "b"), sent(0x81, "x")),
		"one in a long ping":    sent(0x89, strings.Repeat("x", maxControl-1)+"bad"),
		"one in a ping's piece": sent(0x09, "bad"),
		"one in an odd pong":    sent(0xca, "bad"),
		"too long":              sent(0x81, strings.Repeat("x", maxMessage+1)),
		"too long in pieces":    slices.Concat(sent(0x01, strings.Repeat("x", maxMessage)), sent(0x80, "x")),
		"longer than can be":    {0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
	} {
		f := &frames{allow: allow}
		var err error
		for at := 0; at < len(bytes) && err == nil; at++ {
			err = f.read(bytes[at : at+1])
		}
		if err == nil {
			t.Errorf("%s passes", what)
		}
	}
}
