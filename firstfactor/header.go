package firstfactor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Header proves people by the word of an authenticating proxy in front, which
// names them in a header: `first_factor header NAME {…}` in a Caddyfile.
type Header struct {
	// Name is the header that holds the person's name, as Remote-User.
	Name string `json:"name"`
	// Groups is the header that lists the person's groups, separated by
	// commas. Default: none.
	Groups string `json:"groups,omitempty"`
	// TrustedProxies are the addresses, or networks as 10.1.2.0/24, of the
	// authenticating proxies. The headers count only in requests that come
	// directly from one of them.
	TrustedProxies []string `json:"trusted_proxies"`

	realm   string
	name    header
	groups  header
	trusted []netip.Prefix
}

// Prepare checks the description and readies it for the people of a realm.
func (h *Header) Prepare(realm string) error {
	var errs []error
	if !validName(h.Name) || slices.ContainsFunc(everybodys, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
		errs = append(errs, fmt.Errorf("header %q: name the header by which your proxy says who somebody is, as Remote-User, and which clients do not send themselves", h.Name))
	}
	if h.Groups != "" && (!validName(h.Groups) || strings.EqualFold(h.Groups, h.Name)) {
		errs = append(errs, fmt.Errorf("groups %q: name the header by which your proxy lists the groups, as Remote-Groups", h.Groups))
	}
	if len(h.TrustedProxies) == 0 {
		errs = append(errs, errors.New("trusted_proxies: name the addresses of your authenticating proxies, as `trusted_proxies 10.1.2.3`: from anywhere else anybody could say to be anybody"))
	}
	h.realm, h.name, h.groups = realm, newHeader(h.Name), newHeader(h.Groups)
	h.trusted = nil
	for _, text := range h.TrustedProxies {
		network, err := parseNetwork(text)
		errs = append(errs, err)
		h.trusted = append(h.trusted, network)
	}
	return errors.Join(errs...)
}

// everybodys are headers that any client sends.
var everybodys = []string{"Authorization", "Cookie", "Host", "Connection", "User-Agent", "Referer", "Origin", "Accept", "Forwarded", "X-Forwarded-For"}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Addr().Is4In6() {
		return network, fmt.Errorf("trusted_proxies %q: give an address, as 10.1.2.3, or a network, as 10.1.2.0/24", text)
	}
	if network.Bits() == 0 {
		return network, fmt.Errorf("trusted_proxies %q: this is everybody: name the addresses of your authenticating proxies", text)
	}
	return network, nil
}

// ID implements Asserter.
func (*Header) ID() string { return "header" }

// Realm implements Asserter.
func (h *Header) Realm() string { return h.realm }

// Headers implements Asserter.
func (h *Header) Headers() []string {
	if h.Groups == "" {
		return []string{h.name.name}
	}
	return []string{h.name.name, h.groups.name}
}

// Withhold implements Asserter.
func (*Header) Withhold(http.Header) {}

// Assert implements Asserter. The names are taken byte for byte.
func (h *Header) Assert(_ context.Context, r *http.Request) (Assertion, error) {
	name, err := h.name.only(r)
	if err != nil {
		return Assertion{}, err
	}
	if !h.trusts(r.RemoteAddr) {
		return Assertion{}, unproven("%s comes from %s, which is not among the trusted_proxies", h.name.name, r.RemoteAddr)
	}
	var groups string
	if h.Groups != "" {
		if groups, err = h.groups.only(r); err != nil && !errors.Is(err, ErrNoAssertion) {
			return Assertion{}, err
		}
	}
	if name == "(null)" { // Apache's word for nobody
		return Assertion{}, unproven("%s names nobody", h.name.name)
	}
	subject, err := newPerson(h.realm, name)
	if err != nil {
		return Assertion{}, unproven("%s: %v", h.name.name, err)
	}
	who := Identity{subject: subject, source: h.ID(), groups: splitGroups(groups)}
	return Assertion{Identity: who, Key: name + "\n" + groups}, nil
}

// trusts tells whether a request's direct peer is an authenticating proxy.
func (h *Header) trusts(peer string) bool {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return false
	}
	address := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(h.trusted, func(p netip.Prefix) bool { return p.Contains(address) })
}

func splitGroups(line string) (groups []string) {
	for group := range strings.SplitSeq(line, ",") {
		if group = strings.TrimSpace(group); group != "" {
			groups = append(groups, group)
		}
	}
	return groups
}
