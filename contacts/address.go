package contacts

import (
	"cmp"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// Read reads what a person typed as a contact of a kind: identity.SMS or
// identity.Email.
func Read(kind identity.Factor, typed, region string) (string, error) {
	if kind == identity.SMS {
		return ReadNumber(typed, region)
	}
	return ReadAddress(typed)
}

// sameHost are names of one host, whose mailboxes are the same under each.
var sameHost = map[string]string{
	"googlemail.com": "gmail.com",
	"me.com":         "icloud.com", "mac.com": "icloud.com",
	"protonmail.com": "proton.me", "protonmail.ch": "proton.me", "pm.me": "proton.me",
	"ya.ru": "yandex.ru", "yandex.com": "yandex.ru", "yandex.by": "yandex.ru", "yandex.kz": "yandex.ru",
}

// Canonical is the one form of all addresses that end in the same place, for
// counting and limiting; nothing is sent there. Of a mail address it folds the
// case of the local part, leaves out "+tag" and dots, and knows hosts of several
// names: some ignore tags and dots, and then each person would have as many
// addresses as they like. Where a host
// does tell them apart, a few people share a limit.
func Canonical(kind identity.Factor, address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if kind == identity.SMS || !ok {
		return address
	}
	local = strings.ToLower(local)
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	return strings.ReplaceAll(local, ".", "") + "@" + cmp.Or(sameHost[domain], domain)
}

// Digest recognizes an address in all its spellings without telling it.
func Digest(key []byte, kind identity.Factor, address string) []byte {
	return seal.Digest(key, "contact", string(kind), Canonical(kind, address))
}

// hidden stands for what a mask leaves out, however much that is.
const hidden = "****"

// Mask shows as much of an address as its owner needs to know it by: a number's
// country and last digits, a mail address's first letters and its last label.
func Mask(kind identity.Factor, address string) string {
	if kind == identity.SMS {
		return maskNumber(address)
	}
	return maskMail(address)
}

// maskNumber hides at least four digits of the national number; of a short one
// all.
func maskNumber(number string) string {
	n, err := phonenumbers.Parse(number, "")
	if err != nil {
		return hidden
	}
	national := phonenumbers.GetNationalSignificantNumber(n)
	country := strings.TrimSuffix(phonenumbers.Format(n, phonenumbers.E164), national)
	head, tail := 0, 0
	switch l := len(national); {
	case l >= 11:
		head, tail = 3, 4
	case l >= 8:
		tail = 3
	case l >= 6:
		tail = 2
	}
	return country + " " + national[:head] + hidden + national[len(national)-tail:]
}

func maskMail(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	dot := strings.LastIndexByte(domain, '.')
	if !ok || dot < 0 {
		return hidden
	}
	return initial(local) + "***@" + initial(domain[:dot]) + "***" + domain[dot:]
}

// initial is the first letter of what has at least three.
func initial(word string) string {
	letters := []rune(word)
	if len(letters) < 3 {
		return ""
	}
	return string(letters[:1])
}
