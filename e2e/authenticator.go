//go:build e2e

package e2e

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Authenticator is what makes and keeps passkeys in a tab: the device's own, whose owner is there and gives the PIN.
type Authenticator struct {
	b  *Browser
	id webauthn.AuthenticatorID
}

// Authenticator gives the tab one.
func (b *Browser) Authenticator() *Authenticator {
	b.t.Helper()
	devtools(b, webauthn.Enable, webauthn.EnableParams{})
	added := devtools(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	return &Authenticator{b, added.AuthenticatorID}
}

// Knows tells whether the owner can give the PIN.
func (a *Authenticator) Knows(owner bool) {
	a.b.t.Helper()
	devtools(a.b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: owner})
}

// Lie spoils what it answers from now on: the signature, the flag that somebody was there, the flag that it was the
// owner. Nothing is the truth again.
func (a *Authenticator) Lie(signature, present, owner bool) {
	a.b.t.Helper()
	devtools(a.b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{
		AuthenticatorID: a.id, IsBogusSignature: &signature, IsBadUP: &present, IsBadUV: &owner})
}

// Copied makes it an old copy of itself: it has the same passkeys, and counted less.
func (a *Authenticator) Copied() {
	a.b.t.Helper()
	// webauthn.AddCredential always names an extension that not every authenticator has.
	add := cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}
	held := devtools(a.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	devtools(a.b, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: a.id})
	for _, c := range held.Credentials {
		devtools(a.b, add, map[string]any{"authenticatorId": a.id, "credential": map[string]any{
			"credentialId": c.CredentialID, "isResidentCredential": c.IsResidentCredential, "rpId": c.RpID,
			"privateKey": c.PrivateKey, "userHandle": c.UserHandle, "signCount": 0}})
	}
}

// Remove takes it away with all its passkeys.
func (a *Authenticator) Remove() {
	a.b.t.Helper()
	devtools(a.b, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: a.id})
}

// Before runs JavaScript in each page that loads from now on, before the page's own.
func (b *Browser) Before(script string) {
	b.t.Helper()
	devtools(b, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// devtools sends a command of the DevTools protocol.
func devtools[P, R any](b *Browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return run(b, command.Method, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return cdp.Call(ctx, t, command, params)
	})
}
