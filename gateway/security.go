package gateway

import (
	"net/url"
)

// securityBase is the person's security page; below it lie its parts.
const securityBase = Base + "/security"

// returning says where to go on, in the query of a page on the way.
func returning(to string) string { return url.Values{"return": {to}}.Encode() }

// onSecurity serves the security page and what lies below it.
func (g *Gateway) onSecurity(v *visit, below string) error {
	return g.notFound(v)
}
