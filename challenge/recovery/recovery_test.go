package recovery

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

var form = regexp.MustCompile(`^([2-9A-HJKMNP-TV-Z]{4}-){3}[2-9A-HJKMNP-TV-Z]{4}$`)

func TestMake(t *testing.T) {
	seen := map[Code]bool{}
	for range 50 {
		codes := Make()
		if len(codes) != Count {
			t.Fatalf("%d codes", len(codes))
		}
		for _, c := range codes {
			if !form.MatchString(string(c)) || seen[c] {
				t.Errorf("%s, seen before: %v", c, seen[c])
			}
			seen[c] = true
		}
	}
}

// TestSymbolsAreUniform: 256 is no multiple of 30; whoever just takes the
// remainder gets the first sixteen symbols more often, by an eighth.
func TestSymbolsAreUniform(t *testing.T) {
	counts := map[byte]int{}
	for b := range 256 {
		for _, s := range take(nil, []byte{byte(b)}) {
			counts[s]++
		}
	}
	for i := range len(alphabet) {
		if counts[alphabet[i]] != counts[alphabet[0]] || counts[alphabet[i]] == 0 {
			t.Errorf("%c stands for %d bytes, %c for %d", alphabet[i], counts[alphabet[i]], alphabet[0], counts[alphabet[0]])
		}
	}
}

// TestReadAsTyped draws spellings of a code: each symbol in either case and
// width, anything that people put between.
func TestReadAsTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := New()
		var typed strings.Builder
		for _, r := range strings.ReplaceAll(string(code), "-", "") {
			if rapid.Bool().Draw(t, "lower") {
				r = unicode.ToLower(r)
			}
			if rapid.Bool().Draw(t, "wide") {
				r += 0xFF01 - '!'
			}
			typed.WriteRune(r)
			typed.WriteString(rapid.SampledFrom([]string{"", "", "-", " ", "–", "－", "　", "\t"}).Draw(t, "between"))
		}
		if got, ok := Read(typed.String()); !ok || got != code {
			t.Fatalf("%q: %q, want %q", typed.String(), got, code)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for _, typed := range []string{
		"", "2345-6789-ABCD", "2345-6789-ABCD-EFGHJ", "0345-6789-ABCD-EFGH", "O345-6789-ABCD-EFGH", "I345-6789-ABCD-EFGH", "l345-6789-ABCD-EFGH",
		"2345_6789_ABCD_EFGH", "2345-6789-ABCD-EFG\x00", "2345-6789-ABCD-EFGΗ", "2345-6789-ABCD-EFG\xff",
		strings.Repeat(" ", 300) + "2345-6789-ABCD-EFGH",
	} {
		if got, ok := Read(typed); ok {
			t.Errorf("%q is %q", typed, got)
		}
	}
}

// TestDigest: a digest is good for one code, under one key, in one row.
func TestDigest(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	code, _ := Read("2345-6789-ABCD-EFGH")
	typed, _ := Read("23456789abcdefgh")
	digest := code.Digest(key, "credential")
	if !bytes.Equal(digest, typed.Digest(key, "credential")) {
		t.Error("another spelling has another digest")
	}
	for name, d := range map[string][]byte{
		"key": code.Digest(other, "credential"), "row": code.Digest(key, "other"), "code": New().Digest(key, "credential"), "bare": code.Digest(key),
	} {
		if bytes.Equal(d, digest) {
			t.Errorf("the same digest with another %s", name)
		}
	}
}
