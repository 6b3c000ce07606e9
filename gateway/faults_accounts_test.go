package gateway_test

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

type faultyAccounts struct {
	accounts.Directory
	f *faults
}

func (s faultyAccounts) Account(ctx context.Context, who identity.Subject) (accounts.Account, error) {
	return ask(ctx, s.f, "accounts.Account", func() (accounts.Account, error) { return s.Directory.Account(ctx, who) })
}

func (s faultyAccounts) BindFirst(ctx context.Context, c accounts.Credential, also ...identity.Enrollment) error {
	return tell(ctx, s.f, "accounts.BindFirst", func() error { return s.Directory.BindFirst(ctx, c, also...) })
}

func (s faultyAccounts) NoteFederated(ctx context.Context, who identity.Subject) error {
	return tell(ctx, s.f, "accounts.NoteFederated", func() error { return s.Directory.NoteFederated(ctx, who) })
}

func (s faultyAccounts) AdvanceStep(ctx context.Context, id string, step int64, passed bool, now time.Time) error {
	return tell(ctx, s.f, "accounts.AdvanceStep", func() error { return s.Directory.AdvanceStep(ctx, id, step, passed, now) })
}

func (s faultyAccounts) SpendID(ctx context.Context, id string, expires time.Time) error {
	return tell(ctx, s.f, "accounts.SpendID", func() error { return s.Directory.SpendID(ctx, id, expires) })
}

func (s faultyAccounts) KnowBrowser(ctx context.Context, who identity.Subject, at accounts.Place, now time.Time) error {
	return tell(ctx, s.f, "accounts.KnowBrowser", func() error { return s.Directory.KnowBrowser(ctx, who, at, now) })
}

func (s faultyAccounts) Browser(ctx context.Context, who identity.Subject, digest []byte) (accounts.Browser, error) {
	return ask(ctx, s.f, "accounts.Browser", func() (accounts.Browser, error) { return s.Directory.Browser(ctx, who, digest) })
}

func (s faultyAccounts) ForgetPasses(ctx context.Context, who identity.Subject) error {
	return tell(ctx, s.f, "accounts.ForgetPasses", func() error { return s.Directory.ForgetPasses(ctx, who) })
}

func (s faultyAccounts) EndSessions(ctx context.Context, who identity.Subject, from time.Time) error {
	return tell(ctx, s.f, "accounts.EndSessions", func() error { return s.Directory.EndSessions(ctx, who, from) })
}

func (s faultyAccounts) Ended(ctx context.Context, who identity.Subject, id string, began time.Time) (bool, error) {
	return ask(ctx, s.f, "accounts.Ended", func() (bool, error) { return s.Directory.Ended(ctx, who, id, began) })
}

func (s faultyAccounts) NoteUse(ctx context.Context, id string, now time.Time) error {
	return tell(ctx, s.f, "accounts.NoteUse", func() error { return s.Directory.NoteUse(ctx, id, now) })
}

func (s faultyAccounts) Bind(ctx context.Context, c accounts.Credential, instead ...string) error {
	return tell(ctx, s.f, "accounts.Bind", func() error { return s.Directory.Bind(ctx, c, instead...) })
}

func (s faultyAccounts) SpendCode(ctx context.Context, id string, digest []byte, now time.Time) (int, error) {
	return ask(ctx, s.f, "accounts.SpendCode", func() (int, error) { return s.Directory.SpendCode(ctx, id, digest, now) })
}

func (s faultyAccounts) PutContact(ctx context.Context, c accounts.Contact, old string, only ...identity.Enrollment) error {
	return tell(ctx, s.f, "accounts.PutContact", func() error { return s.Directory.PutContact(ctx, c, old, only...) })
}

func (s faultyAccounts) TrustBrowser(ctx context.Context, who identity.Subject, mark []byte, until time.Time) error {
	return tell(ctx, s.f, "accounts.TrustBrowser", func() error { return s.Directory.TrustBrowser(ctx, who, mark, until) })
}

func (s faultyAccounts) DistrustBrowsers(ctx context.Context, who identity.Subject) error {
	return tell(ctx, s.f, "accounts.DistrustBrowsers", func() error { return s.Directory.DistrustBrowsers(ctx, who) })
}

func (s faultyAccounts) RedeemTicket(ctx context.Context, who identity.Subject, digest []byte, now time.Time) error {
	return tell(ctx, s.f, "accounts.RedeemTicket", func() error { return s.Directory.RedeemTicket(ctx, who, digest, now) })
}

func (s faultyAccounts) FileRequest(ctx context.Context, r accounts.Request) (accounts.Request, error) {
	return ask(ctx, s.f, "accounts.FileRequest", func() (accounts.Request, error) { return s.Directory.FileRequest(ctx, r) })
}
