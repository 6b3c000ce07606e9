package gateway_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// overtaking lets something happen right after an account was read.
type overtaking struct {
	accounts.Directory
	then func()
}

func (o overtaking) Account(ctx context.Context, who identity.Subject) (accounts.Account, error) {
	a, err := o.Directory.Account(ctx, who)
	o.then()
	return a, err
}

// TestLockOvertakesALogin: an administrator locks somebody between the moment
// in which a login without a challenge was decided and the one in which its
// session is stored. The session must not go on.
func TestLockOvertakesALogin(t *testing.T) {
	r := byToken(t, policy.Skip{Mode: policy.SkipAlways})
	r.svc.Accounts = overtaking{r.svc.Accounts, sync.OnceFunc(func() {
		r.sleep(time.Millisecond)
		alice := identity.Subject{Realm: identity.IssuedBy("staff", idIssuer), Name: "alice"}
		check(t, r.accounts.SetLocked(t.Context(), alice, r.clock()))
		check(t, r.svc.Sessions.EndSubject(t.Context(), alice))
		r.sleep(time.Millisecond)
	})}
	r.gateway = gateway.New(r.site, r.svc, pages(t), noMeter{}, slog.New(slog.DiscardHandler))
	b, token := r.browser(), "X-Jwt: "+r.token("alice")
	if who := b.sees(token); who == "alice" {
		t.Errorf("the wiki is shown to %q, who was locked out meanwhile", who)
	}
	if who := b.sees(token); who == "alice" {
		t.Errorf("and again to %q", who)
	}
}
