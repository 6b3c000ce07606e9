package match

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Glob matches the whole of s; `*` stands for any characters, none and
// slashes included. There is no other sign, so that no pattern surprises.
func Glob(pattern, s string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

// NameGlob matches a cookie's name; besides `*` it knows `?` and character
// classes as in `wordpress_[0-9a-f]*` (path.Match).
func NameGlob(pattern, name string) bool {
	name = strings.ReplaceAll(name, "/", "_")
	if name != "" && literal(pattern) && pattern[0] != name[0] {
		return false // most names, of every request
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// literal tells that a pattern's first character stands for itself.
func literal(pattern string) bool {
	return pattern != "" && strings.IndexByte(`*?[\`, pattern[0]) < 0
}

// FoldName is a field's or cookie's name as a lenient console may read it:
// decoded, without blanks around it, and with PHP's replacements of the
// characters that no variable's name can have. An open bracket is one of them
// ("a[b" is "a_b"), unless a closing one makes an array of it ("a[b]" is "a").
func FoldName(name string) string {
	if plainName(name) {
		return name
	}
	name, _, _ = strings.Cut(unescape(strings.ReplaceAll(name, "+", " ")), "\x00")
	name = trimBlanks(name)
	if i := strings.IndexByte(name, '['); i > 0 && strings.IndexByte(name[i:], ']') > 0 {
		name = name[:i]
	}
	return folding.Replace(name)
}

var folding = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// plainName tells that every console reads a name alike.
func plainName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// trimBlanks removes what some language's trim takes for a blank: control
// bytes, Unicode's blanks, and Latin-1's, since Node and WSGI hand over bytes.
func trimBlanks(s string) string {
	s = strings.TrimFunc(s, blank)
	for s != "" && latin1Blank(s[0]) {
		s = strings.TrimLeftFunc(s[1:], blank)
	}
	for s != "" && latin1Blank(s[len(s)-1]) && !utf8.ValidString(s) {
		s = strings.TrimRightFunc(s[:len(s)-1], blank)
	}
	return s
}

func blank(r rune) bool { return r <= 0x20 || r == 0x7f || r == 0xfeff || unicode.IsSpace(r) }

func latin1Blank(b byte) bool { return b == 0x85 || b == 0xa0 }

// SameHeader tells whether two header names are one to a console that gets
// them by CGI, which makes `_` of `-`, and of `.` where it can.
func SameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldHeader(a[i]) != foldHeader(b[i]) {
			return false
		}
	}
	return true
}

func foldHeader(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c | 0x20
	case c == '_' || c == '.':
		return '-'
	}
	return c
}

// unescape decodes the escapes that are whole and leaves the others, as
// lenient consoles do.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
