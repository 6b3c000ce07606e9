package contacts

import (
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/width"
)

// The lengths that mail can have (RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3:
// a path of 256 bytes includes the angle brackets).
const (
	longestAddress = 254
	longestLocal   = 64
)

// domains maps a domain as a browser would (UTS #46, without the
// transitional exceptions), and refuses what is none.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ReadAddress takes a mail address as people type it and returns it as it is
// sent to: the local part byte for byte, since only its host knows what case
// means there, the domain in lower case and ASCII (RFC 5890). Names, comments,
// quoted local parts, hosts by number and letters that need an extension of
// the protocol (RFC 6531) are refused: not every server on the way has it.
func ReadAddress(typed string) (string, error) {
	if len(typed) > 4*longestAddress {
		return "", NotAddress
	}
	typed = strings.TrimSpace(width.Fold.String(typed)) // an input method's full-width letters
	at := strings.LastIndexByte(typed, '@')
	if at < 0 {
		return "", NotAddress
	}
	local := typed[:at]
	domain, err := readDomain(typed[at+1:])
	if err != nil || !dotAtom(local) {
		return "", NotAddress
	}
	address := local + "@" + domain
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || parsed.Name != "" || len(address) > longestAddress {
		return "", NotAddress
	}
	return address, nil
}

// readDomain wants a name of at least two labels whose last is no number.
func readDomain(typed string) (string, error) {
	domain, err := domains.ToASCII(strings.TrimSuffix(typed, "."))
	dot := strings.LastIndexByte(domain, '.')
	if err != nil || dot <= 0 || strings.Trim(domain[dot+1:], "0123456789") == "" {
		return "", NotAddress
	}
	return domain, nil
}

// dotAtom is a local part that needs no quotes (RFC 5321, section 4.1.2),
// without "!" and "%", which once named a further way for the mail.
func dotAtom(local string) bool {
	const specials = "#$&'*+-/=?^_`{|}~."
	plain := strings.IndexFunc(local, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(specials, r)
	}) < 0
	return plain && local != "" && len(local) <= longestLocal &&
		local[0] != '.' && local[len(local)-1] != '.' && !strings.Contains(local, "..")
}
