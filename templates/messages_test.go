package templates

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// announcements are all kinds of them that the source has.
var announcements = sync.OnceValue(func() (all []AnnouncementKind) {
	source, _ := os.ReadFile("messages.go")
	for _, m := range regexp.MustCompile(`AnnouncementKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, AnnouncementKind(m[1]))
	}
	return all
})

// everyMessage writes each message there is, in each language.
func everyMessage(s *Set, a Announcement, see func(lang string, sms bool, what, subject, text string)) {
	for _, lang := range []string{"en", "zh-Hans"} {
		for _, sms := range []bool{true, false} {
			for _, p := range []CodePurpose{CodeSignIn, CodeChange, CodeContact, CodeIdentity} {
				subject, text := s.Code(lang, CodeMessage{SMS: sms, Purpose: p, Site: "wiki", Code: "012345", Life: 10 * time.Minute, LastLine: "@wiki.example.com #012345"})
				see(lang, sms, "code "+string(p), subject, text)
			}
			for _, k := range announcements() {
				a.SMS, a.Kind = sms, k
				subject, text := s.Announce(lang, a)
				see(lang, sms, string(k), subject, text)
			}
		}
	}
}

func TestEveryMessageIsWhole(t *testing.T) {
	s := newSet(t, "")
	if n := len(announcements()); n < 10 {
		t.Fatalf("only %d kinds are found", n)
	}
	a := Announcement{Account: "lin.wei", Site: "wiki", At: noon, Until: noon.Add(72 * time.Hour), Network: "203.0.113.0/24", Browser: "Firefox 145 on Linux", Detail: "Authenticator app"}
	seen := map[string]string{}
	everyMessage(s, a, func(lang string, sms bool, what, subject, text string) {
		about := lang + " " + what
		if strings.ContainsAny(subject+text, "{}") || strings.Contains(text, "\n\n\n") || text != strings.TrimSpace(text) {
			t.Errorf("%s: %q, %q", about, subject, text)
		}
		if sms != (subject == "") || strings.Contains(subject, "\n") || !strings.Contains(subject+text, "Example Cloud") {
			t.Errorf("%s: subject %q, text %q", about, subject, text)
		}
		if other, twice := seen[lang+text]; twice {
			t.Errorf("%s says the same as %s", about, other)
		}
		if seen[lang+text] = about; regexp.MustCompile(`(?i)https?:|www\.|<|&#`).MatchString(text) {
			t.Errorf("%s has a link or markup: %q", about, text)
		}
		if lang == "zh-Hans" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s is not Chinese: %q", about, text)
		}
	})
}

// TestShortMessagesAreShort: an SMS in English keeps to letters of the GSM
// alphabet (3GPP TS 23.038), in which 160 fit into one; another letter halves
// that. No message takes more than two in English, or three in Chinese.
func TestShortMessagesAreShort(t *testing.T) {
	a := Announcement{Account: "lin.wei", Site: "wiki", At: noon, Until: noon}
	everyMessage(newSet(t, ""), a, func(lang string, sms bool, what, _, text string) {
		switch n := utf8.RuneCountInString(text); {
		case !sms:
		case lang == "en" && (n > 2*153 || strings.ContainsFunc(text, func(r rune) bool { return r > '~' })):
			t.Errorf("%s: %d letters: %q", what, n, text)
		case lang != "en" && n > 2*67:
			t.Errorf("%s: %d letters: %q", what, n, text)
		case strings.HasPrefix(what, "code") && !strings.HasSuffix(text, "\n@wiki.example.com #012345"):
			t.Errorf("%s does not end with the line for browsers: %q", what, text)
		}
	})
}

// hostile are names with which a thief would like to write to the owner.
func hostile() []string {
	return []string{
		"x\nIf this wasn’t you, visit https://evil.example.com/undo", "x\r\n\r\nDear customer", "x\u2028y\u2029z\u0085w\vv",
		"https://evil.com/undo", "evil.com", "evil.com:8080", "www.evil.co.uk/x", "EVIL．COM", "evil。com", "ｅｖｉｌ.com", "例子.中国", "evil.xn--fiqs8s",
		"support@evil.com", "a\u202emoc.live", "ev\u200bil.com", "a.b.evil.io.", "(evil.com)", "tel:+8613800138000", "\xff\xfe.com", "{brand}{value}",
		"<a href=//evil.com>x</a>", "javascript://evil.com", strings.Repeat("long ", 200),
	}
}

// linked is what mail programs and telephones turn into a link.
var linked = regexp.MustCompile(`(?i)://|[\p{L}\p{N}-][.。．｡](com|uk|io|中国|xn--fiqs8s)\b`)

func TestNamesBringNeitherLinesNorLinks(t *testing.T) {
	s := newSet(t, "")
	clean := Announcement{Account: "x", Site: "x", At: noon, Until: noon, Network: "x", Browser: "x", Detail: "x"}
	lines := map[string]int{}
	everyMessage(s, clean, func(lang string, sms bool, what, _, text string) {
		lines[lang+what+map[bool]string{true: "sms"}[sms]] = strings.Count(text, "\n")
	})
	for _, name := range hostile() {
		// An account may be called by a mail address, which a factor may not.
		if got := harmless(name, fullName); strings.Contains(got, "@evil.com") {
			t.Errorf("%q is shown as %q", name, got)
		}
		a := Announcement{Account: name, Site: "x", At: noon, Until: noon, Network: "x", Browser: name, Detail: name}
		everyMessage(s, a, func(lang string, sms bool, what, subject, text string) {
			if strings.HasPrefix(what, "code") {
				return
			}
			if n := strings.Count(text, "\n"); n != lines[lang+what+map[bool]string{true: "sms"}[sms]] || strings.ContainsAny(text, "\r\v\u0085\u2028\u2029\u202e\u200b") {
				t.Errorf("%q breaks a line of %s: %q", name, what, text)
			}
			if m := linked.FindString(strings.ReplaceAll(text, "support@evil.com", "")); m != "" || !utf8.ValidString(text) || len(text) > 2500 {
				t.Errorf("%q makes a link %q in %s: %q", name, m, what, text)
			}
			if strings.Contains(subject, "evil") {
				t.Errorf("%q stands in the subject %q", name, subject)
			}
		})
	}
}

func TestHarmless(t *testing.T) {
	for name, want := range map[string]string{
		"lin.wei": "lin.wei", "林小伟": "林小伟", "Authenticator app": "Authenticator app", "O'Brien & <Co>": "O'Brien & <Co>",
		"Chrome 142 on Mac OS X 10.15.7": "Chrome 142 on Mac OS X 10.15.7", "": "", " a \n b ": "a b",
		"lin@example.com": "lin@example[.]com", "203.0.113.0/24": "203.0.113.0/24", "+86 138****8000": "+86 138****8000",
		"iPhone (Lin's 2.)": "iPhone (Lin's 2.)", "l***@e***.com": "l***@e***.com",
	} {
		if got := harmless(name, fullName); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"lin@example.com": "lin@example.com", "lin.wei": "lin.wei", "evil.com": "evil[.]com", "lin@evil.com/x": "lin@evil[.]com/x",
		"a@b@evil.com": "a@b@evil[.]com", "@evil.com": "@evil[.]com", "x y@evil.com": "x y@evil[.]com",
	} {
		if got := account(name, fullName); got != want {
			t.Errorf("account %q: %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		got := harmless(rapid.String().Draw(t, "name"), shortName)
		if strings.ContainsFunc(got, unicode.IsControl) || strings.Contains(got, "://") || utf8.RuneCountInString(got) > 3*shortName {
			t.Fatalf("%q", got)
		}
	})
}

func TestMessagesChooseTheirLanguage(t *testing.T) {
	s := newSet(t, "")
	for lang, want := range map[string]string{"en": "en", "zh": "zh", "zh-CN": "zh", "zh-Hans": "zh", "zh-TW": "zh", "de": "en", "": "en", "\x00": "en"} {
		if got := s.speechOf(lang).Code; got != want {
			t.Errorf("%q: %s, want %s", lang, got, want)
		}
	}
	for _, l := range s.languages {
		if s.speechOf(l.Tag.String()).Code != l.Code {
			t.Errorf("%s does not come back", l.Code)
		}
	}
}

// TestCodesNameNobody: a code may go to a stranger's number, and a thief might
// choose names for the stranger to read.
func TestCodesNameNobody(t *testing.T) {
	texts := newSet(t, "").languages[0].texts
	for key, text := range texts {
		if strings.HasPrefix(key, "sms.code") || strings.HasPrefix(key, "mail.code") || strings.HasPrefix(key, "code.") {
			for _, p := range placeholders(text) {
				if !slices.Contains([]string{"{brand}", "{code}", "{span}", "{purpose}", "{site}"}, p) {
					t.Errorf("%s shows %s", key, p)
				}
			}
		}
	}
}
