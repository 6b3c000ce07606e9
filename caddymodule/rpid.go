package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// domain is how one looks to WebAuthn (Level 3, section 5.1.2): labels of
// letters, digits and hyphens, in lower case; other letters as xn--….
var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkRPID finds what no browser would take for the domain of a passkey.
func checkRPID(id string) error {
	switch {
	case id == "" || id == "localhost":
		return nil
	case strings.ContainsAny(id, ":/"):
		return fmt.Errorf("rp_id: %q is more than a domain; leave scheme, port and path out, as `rp_id example.com`", id)
	case net.ParseIP(id) != nil:
		return fmt.Errorf("rp_id: %q is an address, and passkeys belong to a domain, as `rp_id example.com`", id)
	case len(id) > 253 || !domain.MatchString(id):
		return fmt.Errorf("rp_id: %q is no domain in small letters, digits, hyphens and dots; write other letters as xn--…", id)
	}
	if _, err := publicsuffix.EffectiveTLDPlusOne(id); err != nil {
		return fmt.Errorf("rp_id: under %q anybody can have a domain, so browsers refuse passkeys for it; name yours, as `rp_id example.com`", id)
	}
	return nil
}

// checkOriginUnder wants a site where the passkeys of its realm can be used.
func (r *Realm) checkOriginUnder(h *Handler) error {
	if r.RPID == "" || h.Origin == "" {
		return nil
	}
	u, err := url.Parse(h.Origin)
	if err != nil {
		return errors.New("origin: " + err.Error())
	}
	if host := strings.ToLower(u.Hostname()); host != r.RPID && !strings.HasSuffix(host, "."+r.RPID) {
		return fmt.Errorf("origin: %s is not within %s, for which the passkeys of realm %s are (rp_id), so nobody could use one here; "+
			"give this site a realm of its own, or the realm a domain that all its sites are in", host, r.RPID, h.realm())
	}
	return nil
}
