package firstfactor

import (
	"strings"
	"testing"
)

func TestPasswordsThatAreRefused(t *testing.T) {
	for want, passwords := range map[Weakness][]string{
		TooShort: {"", "short", "elevenchars", "用户用户用户", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301"},
		TooLong:  {strings.Repeat("x", 257), strings.Repeat("ab1 ", 70)},
		Common: {"password1234", "Password2024!", "P4ssw0rd-2026", "p@$$w0rd12345", "123456789012", "987654321098", "aaaaaaaaaaaa",
			"abcdefghijkl", "QWERTYUIOP asdf"[:10] + "asdf", "abc123abc123", "adminadmin123", "Welcome2024admin", "changeme1234", "1qaz2wsx3edc", "woaini1314520"},
		LikeName: {"lin.wei-2026", "Lin.Wei-2026", "wiki-lin.wei", "LIN.WEI12345", "l1n.w3i-1234"},
		Unusable: {"twelve\x00characters", "twelve\ncharacters", "\xff\xfetwelve characters"},
		Strong: {"correct horse battery", "tulip kettle orbit", "Xk9#mQ2$vL7p", "用户名和密码都很长很长吧", "summerhouse-tulip", "a lin.wei of one's own",
			"thequickbrownfox", strings.Repeat("Xk9#mQ2$", 32), "twelve  chars"},
	} {
		for _, password := range passwords {
			if got := (Password{}).Check(password, "lin.wei", "wiki", "", "it"); got != want {
				t.Errorf("%q: %q, want %q", password, got, want)
			}
		}
	}
}

func TestPasswordLength(t *testing.T) {
	for _, length := range []int{0, 8, 12, 64} {
		if err := (Password{MinLength: length}).Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, length := range []int{-1, 1, 7, 65} {
		if (Password{MinLength: length}).Validate() == nil {
			t.Errorf("a shortest length of %d is accepted", length)
		}
	}
	if got := (Password{MinLength: 20}).Check("correct horse bat"); got != TooShort {
		t.Errorf("%q", got)
	}
	if got := (Password{MinLength: 8}).Check("Xk9#mQ2$"); got != Strong {
		t.Errorf("%q", got)
	}
}

// RFC 8265, section 4.2.2: what looks the same and is typed on another system
// is the same.
func TestPasswordIsPrepared(t *testing.T) {
	for _, same := range [][2]string{{"caf\u00e9 tulip", "cafe\u0301 tulip"}, {"a\u00a0b", "a b"}, {"a\u3000b", "a b"}} {
		if prepared(same[0]) != prepared(same[1]) {
			t.Errorf("%q and %q differ", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"Alice", "alice"}, {"a b", "a  b"}, {" a", "a"}, {"\xff", ""}, {"a\x00", "a"}} {
		if prepared(other[0]) == prepared(other[1]) {
			t.Errorf("%q and %q are the same", other[0], other[1])
		}
	}
}
