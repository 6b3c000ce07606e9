package match

import (
	"net/url"
	"path"
	"strings"
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
	ok, err := path.Match(pattern, strings.ReplaceAll(name, "/", "_"))
	return ok && err == nil
}

// FoldName is a field's or cookie's name as a lenient console may read it:
// decoded, without blanks around it, and with PHP's replacements of the
// characters that no variable's name can have. An open bracket is one of them
// ("a[b" is "a_b"), unless a closing one makes an array of it ("a[b]" is "a").
func FoldName(name string) string {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.Trim(name, " \t\r\n\v\f")
	if i := strings.IndexByte(name, '['); i > 0 && strings.IndexByte(name[i:], ']') > 0 {
		name = name[:i]
	}
	return folding.Replace(name)
}

var folding = strings.NewReplacer(".", "_", " ", "_", "[", "_")
