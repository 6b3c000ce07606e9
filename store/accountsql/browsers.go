package accountsql

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// KnowBrowser implements accounts.Store.
func (a *Accounts) KnowBrowser(ctx context.Context, s identity.Subject, at accounts.Place, now time.Time) error {
	if len(at.Mark) == 0 { // which all browsers without a mark would share
		return errors.New("store: a browser without a mark cannot be known")
	}
	n := rows.Nanos(now)
	return a.exec(ctx, knowBrowser, s.Realm, []byte(s.Name), at.Mark, n, n, n, at.Address, []byte(at.Browser))
}

// Browser implements accounts.Store.
func (a *Accounts) Browser(ctx context.Context, s identity.Subject, digest []byte) (b accounts.Browser, err error) {
	b.Known, err = a.get(ctx, findBrowser, []any{s.Realm, []byte(s.Name), digest}, rows.At(&b.PassedAt), rows.At(&b.TrustedUntil))
	return rows.Whole(b, err)
}

// ForgetPasses implements accounts.Store.
func (a *Accounts) ForgetPasses(ctx context.Context, s identity.Subject) error {
	return a.exec(ctx, forgetPasses, s.Realm, []byte(s.Name))
}

// TrustBrowser implements accounts.Factors. The account is locked, since a
// removal may be planned at the same time.
func (a *Accounts) TrustBrowser(ctx context.Context, s identity.Subject, mark []byte, until time.Time) error {
	return a.held(ctx, s, func(ctx context.Context, tx Tx, h holding) error {
		trusted, err := rows.Affected(tx.ExecContext(ctx, trustBrowser, rows.Nanos(h.unchanged(until)), s.Realm, []byte(s.Name), mark))
		if err == nil && trusted == 0 {
			return accounts.ErrNoBrowser
		}
		return err
	})
}

// DistrustBrowsers implements accounts.Factors.
func (a *Accounts) DistrustBrowsers(ctx context.Context, s identity.Subject) error {
	return a.exec(ctx, distrust, s.Realm, []byte(s.Name))
}

// Browsers implements accounts.Factors.
func (a *Accounts) Browsers(ctx context.Context, s identity.Subject) (all []accounts.Browser, err error) {
	err = a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, browserFields, listBrowsers, s.Realm, []byte(s.Name))
		return err
	})
	return rows.Whole(all, err)
}

func browserFields(b *accounts.Browser) []any {
	b.Known = true
	return []any{&b.Place.Mark, rows.At(&b.PassedAt), rows.At(&b.TrustedUntil), &b.Place.Address, &b.Place.Browser,
		rows.At(&b.FirstAt), rows.At(&b.SeenAt)}
}

// ForgetBrowser implements accounts.Factors.
func (a *Accounts) ForgetBrowser(ctx context.Context, s identity.Subject, mark []byte) error {
	return a.exec(ctx, forgetBrowser, s.Realm, []byte(s.Name), mark)
}
