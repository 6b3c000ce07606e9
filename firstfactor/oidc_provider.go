package firstfactor

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// provider is what an issuer says of itself (OpenID Connect Discovery 1.0).
type provider struct {
	*oidc.Provider
	metadata
	oauth oauth2.Config
	keys  *issuerKeys
}

// metadata is what go-oidc leaves to us.
type metadata struct {
	Keys        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	// NamesItself: its answers say whose they are (RFC 9207).
	NamesItself bool `json:"authorization_response_iss_parameter_supported"`
}

// discover reads the issuer's description, which must name the same issuer
// (OpenID Connect Discovery 1.0, section 4.3).
func (i *Issuer) discover(ctx context.Context, old *provider) (*provider, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.Issuer)
	if err != nil {
		return nil, err
	}
	p := &provider{Provider: found}
	if err := found.Claims(&p.metadata); err != nil {
		return nil, err
	}
	endpoint := found.Endpoint()
	if err := checkEndpoints(endpoint, p.metadata, found.UserInfoEndpoint()); err != nil {
		return nil, err
	}
	endpoint.AuthStyle = p.authStyle()
	p.oauth = oauth2.Config{ClientID: i.ClientID, ClientSecret: i.ClientSecret, Endpoint: endpoint, Scopes: i.Scopes}
	if old != nil && old.Keys == p.Keys {
		p.keys = old.keys
	} else {
		p.keys = newSignInKeys(i.client, p.Keys)
	}
	return p, nil
}

// checkEndpoints refuses addresses to which a secret would go in the clear.
func checkEndpoints(e oauth2.Endpoint, m metadata, userInfo string) error {
	needed := []string{e.AuthURL, e.TokenURL, m.Keys}
	for _, optional := range []string{userInfo, m.EndSession} {
		if optional != "" {
			needed = append(needed, optional)
		}
	}
	for _, address := range needed {
		if u, err := url.Parse(address); err != nil || !safeURL(u) {
			return fmt.Errorf("its description names %q as an endpoint, which is not an https address", address)
		}
	}
	return nil
}

// authStyle is how we prove who we are at the token endpoint: by Basic unless
// it says that it takes only the other (OpenID Connect Core 1.0, section 9).
// Never by trying: a code can be used once.
func (m metadata) authStyle() oauth2.AuthStyle {
	if len(m.AuthMethods) == 0 || slices.Contains(m.AuthMethods, "client_secret_basic") {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}
