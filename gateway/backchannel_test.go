package gateway_test

import (
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/firstfactor/issuertest"
	"github.com/stepgate/stepgate/gateway"
)

// TestOIDCBackchannelOnceMoreAfterAFault: an issuer that is told to try again
// sends the same token, which must not count as used by what was not done.
func TestOIDCBackchannelOnceMoreAfterAFault(t *testing.T) {
	for _, fault := range []string{"accounts.SpendID", "accounts.Ended", "accounts.EndSessions", "accounts.ForgetPasses", "escrows.Take", "trail.Append"} {
		for what, changes := range map[string]issuertest.Claims{"a session": {"sub": nil}, "a subject": {"sid": nil}} {
			c := newCompany(t)
			b := c.browser()
			c.signsIn(b)
			token := c.issuer.Sign(c.issuer.Logout(changes))
			c.faults.set(fault, false)
			first := c.tells(token).StatusCode
			c.faults.set("", false)
			if a := c.tells(token); first == 503 && a.StatusCode != 200 || b.inside() {
				t.Errorf("%s, %s: told %d, then %d; inside %t", what, fault, first, a.StatusCode, b.inside())
			}
		}
	}
}

// TestOIDCBackchannelFindsTheSameName: one person's name may be their sub as
// well, although names are another claim.
func TestOIDCBackchannelFindsTheSameName(t *testing.T) {
	c := newCompany(t, func(s *gateway.Site) {
		o := s.SignIns[0].(gateway.OIDC).Issuer.OIDC
		o.Name = "preferred_username"
		s.SignIns = []gateway.SignIn{gateway.OIDC{Issuer: firstfactor.NewIssuer(o)}}
	})
	c.issuer.Says = issuertest.Claims{"preferred_username": "alice", "sid": nil}
	b := c.browser()
	if c.signsIn(b); !b.inside() {
		t.Fatal("not signed in")
	}
	if a := c.tells(c.issuer.Sign(c.issuer.Logout(issuertest.Claims{"sid": nil}))); a.StatusCode != 200 || b.inside() {
		t.Errorf("%d, inside %t", a.StatusCode, b.inside())
	}
}
