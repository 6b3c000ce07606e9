package firstfactor

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// OIDC is an OpenID Connect provider at which people sign in: by the
// authorization code flow with PKCE. It is the configuration, in JSON;
// `first_factor oidc ISSUER {…}` in a Caddyfile.
type OIDC struct {
	// Issuer is the provider's issuer identifier, as it stands in its tokens:
	// https, but on this machine.
	Issuer string `json:"issuer"`
	// ID tells this source from the others of its site. It is a part of the
	// addresses that the provider has to know. Default: oidc.
	ID string `json:"id,omitempty"`
	// ClientID is what the provider calls us.
	ClientID string `json:"client_id"`
	// ClientSecret proves to the provider that it is us.
	ClientSecret string `json:"client_secret"`
	// Scopes are asked for. Default: openid. openid is always among them.
	Scopes []string `json:"scopes,omitempty"`
	// Groups is the claim that holds the person's groups: a list, or one name.
	// Default: none are known.
	Groups string `json:"groups,omitempty"`
	// Name is the claim that names the person. Default: sub, the only one that
	// a provider never gives to somebody else later. email counts only where
	// the provider says that it was verified.
	Name string `json:"name,omitempty"`
	// Label is what the button says. Default: the issuer's host.
	Label string `json:"label,omitempty"`
}

// clockSkew is how far an issuer's clock may be off.
const clockSkew = time.Minute

// seenWell is how recently an issuer must have answered for people to be sent
// there: where it does not, they see our page and not their browser's.
const seenWell = 5 * time.Second

// metadataFresh is how long an issuer's description counts without being asked
// for again.
const metadataFresh = time.Hour

// Prepared is the configuration with its defaults, if it can work.
func (c OIDC) Prepared() (OIDC, error) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || !safeURL(u) || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return c, fmt.Errorf("first_factor oidc: %q is not an issuer like https://id.example.com: take it from the provider, "+
			"https, with neither query nor #", c.Issuer)
	case c.ClientID == "":
		return c, errors.New("first_factor oidc: client_id is missing: register a client with the provider, and say what it is called there")
	case c.ClientSecret == "":
		return c, errors.New("first_factor oidc: client_secret is missing or empty: put it into a file, and write `client_secret {file./run/secrets/oidc}`")
	}
	c.ID, c.Name, c.Label = cmp.Or(c.ID, "oidc"), cmp.Or(c.Name, "sub"), cmp.Or(c.Label, u.Host)
	if strings.Trim(c.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(c.ID) > 32 {
		return c, fmt.Errorf("id: %q: use up to 32 of a-z, 0-9 and -, since it stands in addresses", c.ID)
	}
	if slices.Contains(otherSources, c.ID) {
		return c, fmt.Errorf("id: %q is what another kind of source is called: its people would be taken for this provider's; use a name of your own", c.ID)
	}
	if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		c.Scopes = append([]string{oidc.ScopeOpenID}, c.Scopes...)
	}
	return c, nil
}

// otherSources are called so in sessions, and in what holds for their people.
var otherSources = []string{SourceConsole, SourceFederated, SourcePassword, (*Header)(nil).ID(), (*CaddyUser)(nil).ID()}

// safeURL tells whether what is sent there stays secret on its way.
func safeURL(u *url.URL) bool {
	host := u.Hostname()
	local := host == "localhost" || host == "127.0.0.1" || host == "::1" || strings.HasSuffix(host, ".localhost")
	return host != "" && (u.Scheme == "https" || u.Scheme == "http" && local)
}

// Issuer is a provider that people sign in at. It asks the provider nothing
// before somebody wants to sign in, and lives as long as its configuration.
type Issuer struct {
	OIDC
	client    *http.Client
	published remote[provider]
}

// NewIssuer makes one of a configuration that was prepared.
func NewIssuer(c OIDC) *Issuer {
	i := &Issuer{OIDC: c, client: issuerClient()}
	i.published.load, i.published.now, i.published.fault = i.discover, time.Now, func(error) {}
	i.published.fresh, i.published.every, i.published.wait = metadataFresh, askAgain, issuerTimeout
	return i
}
