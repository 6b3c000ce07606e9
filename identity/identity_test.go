package identity

import (
	"errors"
	"strings"
	"testing"
)

func TestSubjectsAreByteForByte(t *testing.T) {
	for _, name := range []string{"alice", "Alice", " alice", "alice ", "a/b", "用户", "e\u0301", "\u00e9", "\xff", strings.Repeat("x", MaxName)} {
		if s, err := NewSubject("staff", name); err != nil || s.Name != name || s.String() != "staff/"+name {
			t.Errorf("%q: %v, %v", name, s, err)
		}
	}
	for _, name := range []string{"", "a\x00", "a\nb", "\x7f", strings.Repeat("x", MaxName+1)} {
		if s, err := NewSubject("staff", name); !errors.Is(err, ErrName) || !s.IsZero() {
			t.Errorf("%q: %v, %v", name, s, err)
		}
	}
	for _, realm := range []string{"", "a/b"} {
		if _, err := NewSubject(realm, "alice"); !errors.Is(err, ErrName) {
			t.Errorf("realm %q: %v", realm, err)
		}
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var level Level
	var state Enrollment
	if level != None || state != Unknown || None >= FirstFactor || FirstFactor >= Verified {
		t.Error("a zero value is more than nothing")
	}
	if None.String() != "none" || Level(9).String() != "none" || Verified.String() != "verified" || TOTP.AMR() != "otp" {
		t.Error("the words changed")
	}
}
