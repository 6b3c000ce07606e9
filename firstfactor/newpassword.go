package firstfactor

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Password is Stepgate's own sign-in page, for consoles that have no login;
// `first_factor password {…}` in a Caddyfile. What new passwords must be
// follows NIST SP 800-63B, section 5.1.1: a length, and none that is guessed
// first; no rules of composition, no expiry.
type Password struct {
	// MinLength is how many characters a new password needs. Default 12; from
	// 8 to 64.
	MinLength int `json:"min_length,omitempty"`
	// Label is what the button says where there are other ways to sign in as
	// well. Default: Password.
	Label string `json:"label,omitempty"`
}

const (
	defaultMinLength = 12
	maxLength        = 256 // characters; NIST asks for at least 64
	restLength       = 8   // characters beside names and common words
)

// Validate finds settings that cannot be meant.
func (p Password) Validate() error {
	if p.MinLength != 0 && (p.MinLength < 8 || p.MinLength > 64) {
		return fmt.Errorf("min_length: %d is not between 8 and 64 characters", p.MinLength)
	}
	return nil
}

// Shortest is the length that counts.
func (p Password) Shortest() int {
	if p.MinLength == 0 {
		return defaultMinLength
	}
	return p.MinLength
}

// Weakness is why a new password is refused.
type Weakness string

// The weaknesses.
const (
	Strong   Weakness = ""
	TooShort Weakness = "too_short"
	TooLong  Weakness = "too_long"
	Common   Weakness = "common"
	LikeName Weakness = "like_name"
	Unusable Weakness = "unusable" // control characters, or bytes that are no characters
)

// Check judges a new password. names are what the person and the site are
// called.
func (p Password) Check(password string, names ...string) Weakness {
	form, err := precis.OpaqueString.String(password)
	length := utf8.RuneCountInString(form)
	switch {
	case password == "":
		return TooShort
	case err != nil || !utf8.ValidString(password):
		return Unusable
	case length > maxLength:
		return TooLong
	case length < p.Shortest():
		return TooShort
	}
	switch {
	case row(form) || repeats(form) || little(form, commonWords):
		return Common
	case little(form, long(names)):
		return LikeName
	}
	return Strong
}

// common.txt has rows of neighbors on keyboards and in alphabets, and after an
// empty line the words that passwords are made of first.
//
//go:embed common.txt
var common string

var commonRows, commonWords = func() (rows, words []string) {
	above, below, _ := strings.Cut(common, "\n\n")
	words = strings.Fields(below)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	return strings.Fields(above), words
}()

// row tells whether a password is a piece of a row.
func row(password string) bool {
	return slices.ContainsFunc(commonRows, func(r string) bool { return strings.Contains(r, strings.ToLower(password)) })
}

// repeats tells whether a short piece makes the whole, as in abcd1abcd1abcd1.
func repeats(password string) bool {
	for size := 1; size <= 6 && size <= len(password)/2; size++ {
		if strings.HasPrefix(strings.Repeat(password[:size], len(password)/size+1), password) {
			return true
		}
	}
	return false
}

// little tells whether little is left of a password without some words, also
// as people disguise them: P4ssw0rd.
func little(password string, words []string) bool {
	for _, form := range []func(string) string{strings.ToLower, undisguised} {
		whole := form(password)
		rest := whole
		for _, word := range words {
			rest = strings.ReplaceAll(rest, form(word), "")
		}
		if rest != whole && utf8.RuneCountInString(rest) < restLength {
			return true
		}
	}
	return false
}

var disguises = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

func undisguised(s string) string { return disguises.Replace(strings.ToLower(s)) }

// long are the names that are more than a coincidence in a password.
func long(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return utf8.RuneCountInString(n) < 3 })
}
