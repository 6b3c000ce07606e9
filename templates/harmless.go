package templates

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// How much of a name a message shows.
const (
	shortName = 24
	fullName  = 80
)

// harmless is a name as it may stand in plain text: on one line, of bounded
// length, without marks that turn the direction of writing, and with nothing
// that a mail program or telephone would make a link of. Somebody who got into
// an account can choose the names of factors and of browsers, and the owner
// must not find the thief's address in a message from us.
func harmless(name string, most int) string {
	return unlinked(strings.ReplaceAll(oneLine(name, most), "://", ": "))
}

// account is an account's name, of which its owner knows that it is theirs: a
// mail address stays one.
func account(name string, most int) string {
	line := oneLine(name, most)
	if local, host, ok := strings.Cut(line, "@"); ok && !outside(local) && !outside(host) {
		return line
	}
	return harmless(name, most)
}

// outside tells whether a word has more than letters, digits and dots.
func outside(word string) bool {
	return word == "" || strings.ContainsFunc(word, func(r rune) bool { return !inHost(r) && r != '_' })
}

func oneLine(name string, most int) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, " "))
	name = strings.Join(strings.Fields(name), " ")
	if letters := []rune(name); len(letters) > most {
		name = string(letters[:most-1]) + "…"
	}
	return name
}

// unlinked puts the dots of what looks like a host into brackets.
func unlinked(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		end := strings.IndexFunc(name, func(r rune) bool { return !inHost(r) })
		if end < 0 {
			end = len(name)
		}
		b.WriteString(defanged(name[:end]))
		name = name[end:]
		rest := strings.IndexFunc(name, inHost)
		if rest < 0 {
			rest = len(name)
		}
		b.WriteString(name[:rest])
		name = name[rest:]
	}
	return b.String()
}

// dots are what mail programs and browsers take for the dot of a host (UTS
// #46, section 2.3).
const dots = ".。．｡"

func inHost(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '-' || strings.ContainsRune(dots, r)
}

func defanged(word string) string {
	host := strings.Trim(word, dots)
	if !strings.ContainsAny(host, dots) || !linkable(host) {
		return word
	}
	return strings.NewReplacer(".", "[.]", "。", "[.]", "．", "[.]", "｡", "[.]").Replace(word)
}

// linkable tells whether a host's last label is one that exists. "lin.wei" is
// somebody's name.
func linkable(host string) bool {
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(host))
	if err != nil {
		return true
	}
	_, real := publicsuffix.PublicSuffix(ascii)
	return real
}
