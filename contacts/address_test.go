package contacts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/stepgate/stepgate/identity"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// TestNumberSpellings: however a number is typed, it is one number, or the cap
// on its people would hold for one spelling each.
func TestNumberSpellings(t *testing.T) {
	for _, typed := range []string{
		"13800138000", "138 0013 8000", "138-0013-8000", "013800138000", "+8613800138000", "+86 138 0013 8000", "0086 138 0013 8000",
		"(+86) 138-0013-8000", "＋８６１３８００１３８０００", "１３８００１３８０００", "+86 (0) 13800138000", "+86(0)138.0013.8000",
		"138　0013　8000", "138\u200b0013\u202c8000", "①3800138000", "+86–138–0013–8000", "\t13800138000\n",
	} {
		if got, err := ReadNumber(typed, "CN"); err != nil || got != "+8613800138000" {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]string{
		"+44 (0)7911 123456": "+447911123456", "0049 1512 3456789": "+4915123456789", "+1 (201) 555-0123": "+12015550123",
		"+39 312 345 6789": "+393123456789", "+54 9 11 2345 6789": "+5491123456789", "+54 11 15 2345 6789": "+5491123456789",
	} {
		if got, err := ReadNumber(typed, ""); err != nil || got != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

func TestNumbersRefused(t *testing.T) {
	for _, c := range []struct {
		typed, region string
		want          Refusal
	}{
		{"", "CN", NotNumber},
		{"13800138000", "", CountryMissing},
		{"+", "", NotNumber},
		{"+86", "", NotNumber},
		{"+8613800138000+1", "", NotNumber},
		{"+86 138 0013 800", "", NotNumber},
		{"+86 138 0013 80000", "", NotNumber},
		{"+999 138 0013 8000", "", NotNumber},
		{"one three eight", "CN", NotNumber},
		{"13800138000 x12", "CN", HasExtension},
		{"+12015550123;ext=4", "", HasExtension},
		{"+1 201 555 0123 #4", "", HasExtension},
		{"+12015550123,,4", "", HasExtension},
		{"tel:+8613800138000", "", NotNumber},
		{"+86 10 6552 9988", "", NotMobile},    // a landline in Beijing
		{"+1 800 234 5678", "", NotMobile},     // toll-free
		{"+1 900 234 5678", "", NotMobile},     // premium rate
		{"+44 909 879 0123", "", NotMobile},    // premium rate
		{"+44 843 123 4567", "", NotMobile},    // shared cost
		{"+44 56 1234 5678", "", NotMobile},    // voice over IP
		{"+44 76 4012 3456", "", NotMobile},    // pager
		{"+44 70 1234 5678", "", NotMobile},    // personal number: forwards anywhere, and costs
		{"+881 612 345 678", "", NotMobile},    // satellite
		{"+883 5100 123 45678", "", NotMobile}, // of no country
		{"+800 1234 5678", "", NotMobile},      // international toll-free
		{"110", "CN", NotNumber},
		{strings.Repeat("0", 100), "CN", NotNumber},
		{"１３８００１３８０００a", "CN", NotNumber},
		{"+86138001\x0038000", "CN", NotNumber},
	} {
		got, err := ReadNumber(c.typed, c.region)
		if !errors.Is(err, c.want) || got != "" {
			t.Errorf("%q: %q, %v, want %v", c.typed, got, err, c.want)
		}
	}
}

func TestAddressSpellings(t *testing.T) {
	for typed, want := range map[string]string{
		"Lin.Wei@Example.COM":       "Lin.Wei@example.com",
		" lin@example.com\n":        "lin@example.com",
		"lin@example.com.":          "lin@example.com",
		"lin＠example．com":           "lin@example.com",
		"ｌｉｎ@ｅｘａｍｐｌｅ.com":           "lin@example.com",
		"lin@例子。中国":                 "lin@xn--fsqu00a.xn--fiqs8s",
		"lin@EXÄMPLE.com":           "lin@xn--exmple-cua.com",
		"lin@exаmple.com":           "lin@xn--exmple-4nf.com", // a Cyrillic letter is another host, and looks it
		"lin@exam\u00adple.com":     "lin@example.com",        // a soft hyphen is none
		"a+b=c/d&e@mail.example.co": "a+b=c/d&e@mail.example.co",
	} {
		if got, err := ReadAddress(typed); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", typed, got, err, want)
		}
	}
}

func TestAddressesRefused(t *testing.T) {
	for _, typed := range []string{
		"", "@", "lin", "lin@", "@example.com", "lin@localhost", "lin@127.0.0.1", "lin@[127.0.0.1]", "lin@example.123",
		"Lin <lin@example.com>", "<lin@example.com>", "lin@example.com, b@example.com", "a@b@example.com",
		`"lin wei"@example.com`, `"lin"@example.com`, "lin(comment)@example.com", "lin wei@example.com", ".lin@example.com", "lin.@example.com",
		"l..n@example.com", "lin%other.com@example.com", "host!lin@example.com", "林@example.com", "lin\x00@example.com",
		"lin\r\nBcc: b@example.com@example.com", "lin@example.com\r\nBcc: b@example.com", "lin@exa mple.com", "lin@-example.com", "lin@example-.com",
		"lin@exa_mple.com", "lin@example..com", "lin@.com", "lin@example.com..", "lin@xn--a.com", "lin@exam\u202eple.com",
		strings.Repeat("l", 65) + "@example.com", strings.Repeat("l", 60) + "@" + strings.Repeat("abcdefghi.", 20) + "com", "l@" + strings.Repeat("a.", 126) + "com", strings.Repeat("l", 5000) + "@example.com",
	} {
		if got, err := ReadAddress(typed); !errors.Is(err, NotAddress) || got != "" {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

// TestReadTwice: what was read reads as itself, and is plain ASCII that breaks
// neither out of an SMTP command nor out of a header.
func TestReadTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]identity.Factor{identity.SMS, identity.Email}).Draw(t, "kind")
		typed := rapid.OneOf(rapid.String(), rapid.StringMatching(`[+0-9 ()-]{5,16}`), rapid.StringMatching(`[a-zA-Z.+"<> -]{1,9}@[a-zA-Z0-9.äé-]{3,12}`)).Draw(t, "typed")
		got, err := Read(kind, typed, "CN")
		if err != nil {
			return
		}
		if again, err := Read(kind, got, ""); err != nil || again != got {
			t.Fatalf("%q: %q, then %q, %v", typed, got, again, err)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"(),;:\`, r) }) {
			t.Fatalf("%q: %q", typed, got)
		}
	})
}

// TestOneMailboxHasOneDigest are the spellings with which one mailbox would be
// the contact of any number of people.
func TestOneMailboxHasOneDigest(t *testing.T) {
	read := func(typed string) []byte {
		address, err := ReadAddress(typed)
		if err != nil {
			t.Fatal(typed, err)
		}
		return Digest(key, identity.Email, address)
	}
	want := read("lin.wei@example.com")
	for _, typed := range []string{
		"LIN.WEI@EXAMPLE.COM", "linwei@example.com", "l.i.n.w.e.i@example.com", "lin.wei+1@example.com", "lin.wei+a+b@example.com",
		"lin.wei+@example.com.", "Lin.Wei＋ｘ＠example．com",
	} {
		if !bytes.Equal(read(typed), want) {
			t.Errorf("%s has a digest of its own", typed)
		}
	}
	for _, typed := range []string{"lin.wei@example.org", "lin@example.com", "+lin@example.com", "lin.wei@exаmple.com", "lin.wei@mail.example.com"} {
		if bytes.Equal(read(typed), want) {
			t.Errorf("%s has the digest of another", typed)
		}
	}
	for typed, host := range sameHost {
		if !bytes.Equal(read("Lin.Wei+1@"+typed), read("linwei@"+host)) || sameHost[host] != "" {
			t.Errorf("%s and %s are two hosts", typed, host)
		}
	}
	if bytes.Equal(Digest(key, identity.SMS, "+8613800138000"), Digest(key, identity.Email, "+8613800138000")) ||
		bytes.Equal(Digest(key, identity.SMS, "+8613800138000"), Digest(key[1:], identity.SMS, "+8613800138000")) {
		t.Error("digests of different kinds or keys are one")
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct {
		kind          identity.Factor
		address, want string
	}{
		{identity.SMS, "+8613800138000", "+86 138****8000"},
		{identity.SMS, "+12015550123", "+1 ****123"},
		{identity.SMS, "+37251234567", "+372 ****567"},
		{identity.SMS, "+4781549300", "+47 ****300"},
		{identity.SMS, "+29025678", "+290 ****"},
		{identity.SMS, "", "****"},
		{identity.SMS, "junk", "****"},
		{identity.Email, "lin@example.com", "l***@e***.com"},
		{identity.Email, "li@qq.com", "***@***.com"},
		{identity.Email, "lin.wei@mail.example.co.uk", "l***@m***.uk"},
		{identity.Email, "林小伟@例子子.中国", "林***@例***.中国"},
		{identity.Email, "lin", "****"},
		{identity.Email, "lin@host", "****"},
	} {
		if got := Mask(c.kind, c.address); got != c.want {
			t.Errorf("%s: %s, want %s", c.address, got, c.want)
		}
	}
}

// TestMasksHide: of a number at most seven digits, and never all but three, of
// a mailbox one letter; whatever the address, the mask is whole runes.
func TestMasksHide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := fmt.Sprintf("+%d", rapid.Int64Range(1, 999999999999999).Draw(t, "number"))
		mask := Mask(identity.SMS, number)
		country, rest, _ := strings.Cut(mask, " ")
		shown, national := len(strings.ReplaceAll(rest, "*", "")), len(number)-len(country)
		if mask != hidden && (!strings.HasPrefix(number, country) || shown > 7 || shown > 0 && national-shown < 4) {
			t.Fatalf("%s hides too little of %s", mask, number)
		}
		local := rapid.StringN(1, 20, -1).Filter(func(s string) bool { return !strings.Contains(s, "@") }).Draw(t, "local")
		domain := rapid.StringN(1, 20, -1).Draw(t, "domain")
		mail := Mask(identity.Email, local+"@"+domain+".com")
		if utf8.RuneCountInString(mail) > utf8.RuneCountInString("l***@e***.com") && !strings.Contains(domain, ".") {
			t.Fatalf("%q of %q at %q", mail, local, domain)
		}
		if utf8.ValidString(local+domain) && !utf8.ValidString(mail) {
			t.Fatalf("%q is cut inside a letter", mail)
		}
	})
}

func TestRegion(t *testing.T) {
	if !Region("CN") || !Region("US") || Region("cn") || Region("XX") || Region("") || Region("001") {
		t.Error("wrong regions")
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "::ffff:203.0.113.77": "203.0.113.0/24", "2001:db8:1:2:3::4": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "": "", "nonsense": "", "203.0.113.77:80": "",
	} {
		if got := Network(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
