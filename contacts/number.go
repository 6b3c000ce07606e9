package contacts

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// Refusal is why something typed is no contact. Its value is a stable word for
// pages and logs, which never holds what was typed.
type Refusal string

// The refusals.
const (
	NotNumber      Refusal = "not_number"      // no telephone number, or one that no plan has
	CountryMissing Refusal = "country_missing" // a number without + and country, where none is set
	HasExtension   Refusal = "has_extension"   // a number behind a switchboard
	NotMobile      Refusal = "not_mobile"      // gets no SMS, or costs extra
	NotAddress     Refusal = "not_address"     // no mail address that can be written to
)

// Error implements error.
func (r Refusal) Error() string { return "contacts: " + string(r) }

// longestNumber is more than anybody types, with blanks between all digits.
const longestNumber = 64

// ReadNumber takes a mobile number as people type it, with blanks, hyphens,
// parentheses, full-width digits, 00 for +, or "(0)" behind the country, and
// returns it in E.164. region (ISO 3166, "CN") says which country a number
// without + is of; with "" it has to have one.
func ReadNumber(typed, region string) (string, error) {
	digits, err := dialed(typed)
	if err != nil {
		return "", err
	}
	if region == "" && !strings.HasPrefix(digits, "+") {
		return "", CountryMissing
	}
	n, err := phonenumbers.Parse(digits, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", NotNumber
	}
	if !textable(n) {
		return "", NotMobile
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// dialed leaves the digits, and a + if the number begins with one or with 00.
func dialed(typed string) (string, error) {
	if len(typed) > longestNumber {
		return "", NotNumber
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(typed) {
		switch {
		case '0' <= r && r <= '9', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r), strings.ContainsRune("().−/", r):
		case b.Len() > 0 && strings.ContainsRune("xX#;,eE", r):
			return "", HasExtension
		default:
			return "", NotNumber
		}
	}
	if rest, ok := strings.CutPrefix(b.String(), "00"); ok {
		return "+" + rest, nil
	}
	return b.String(), nil
}

// textable tells whether a number may be a mobile one. Satellite and other
// numbers of no country are left out: a message there costs a hundred times as
// much, which is what some people send them for.
func textable(n *phonenumbers.PhoneNumber) bool {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return phonenumbers.GetRegionCodeForNumber(n) != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
	default:
		return false
	}
}

// Region tells whether a word names a country whose numbers can be read.
func Region(word string) bool { return phonenumbers.GetSupportedRegions()[word] }
