package identity

import (
	"net/url"
	"time"
)

// Evidence is what an assertion says of how its person proved who they are
// (OpenID Connect Core 1.0, section 2). All of it comes from the issuer; what
// it did not say is empty.
type Evidence struct {
	Issuer   string
	AMR      []string  // RFC 8176
	ACR      string    // of the issuer's own vocabulary
	AuthTime time.Time // when the person proved it, not when the assertion was made
}

// IssuedBy is the realm of the people whom an issuer names: of two issuers,
// equal names are two subjects. A realm's own name has no "@".
func IssuedBy(realm, issuer string) string { return realm + "@" + url.PathEscape(issuer) }
